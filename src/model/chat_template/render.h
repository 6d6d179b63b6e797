#pragma once

#include <array>
#include <boost/json.hpp>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/chat_template/ast.h"
#include "model/chat_template/value.h"

namespace drystone::jinja {

// Throws Failure. `body` and `variables` are only read.
std::string render(const Body& body, const boost::json::object& variables, std::tm now,
                   const Limits& limits);

class Renderer;

// The values of a call.
struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;

  // The parameters in order, null where not given. Errors: too many, unknown name, or fewer than
  // `required`.
  template <std::size_t N>
  std::array<const Value*, N> bind(std::string_view function,
                                   const std::array<std::string_view, N>& names,
                                   std::size_t required = 0) const {
    std::array<const Value*, N> out{};
    bind(function, names.data(), out.data(), N, required);
    return out;
  }
  void none(std::string_view function) const { bind(function, nullptr, nullptr, 0, 0); }

 private:
  void bind(std::string_view function, const std::string_view* names, const Value** out,
            std::size_t n, std::size_t required) const;
};

struct Scope : Object {
  Scope* parent = nullptr;
  std::vector<std::pair<std::string_view, Value>> names;
};

// A function of the template (a macro, the body of a call block), of the engine, or a method with
// its object.
struct Callable : Object {
  using Function = Value (*)(Renderer&, Callable&, const Args&);
  std::string_view name;
  Function function = nullptr;
  Value self;  // methods: the object; cycler, joiner: their state
  std::int64_t at = 0;
  const Node* node = nullptr;  // macros
  Scope* scope = nullptr;
};

struct Loop : Object {
  std::vector<Value> items;
  std::size_t index = 0;
  int depth = 0;
  const Node* node = nullptr;  // of a recursive loop
  Scope* scope = nullptr;      // around it
  Value changed;               // what changed() saw last
  bool changed_seen = false;
};

using Method = Value (*)(Renderer&, const Value& self, const Args&);
using Filter = Value (*)(Renderer&, const Value& input, const Args&);
using Test = bool (*)(Renderer&, const Value& subject, const Args&);

// nullptr: no such name.
Method find_method(const Value& object, std::string_view name);
Filter find_filter(std::string_view name);
Test find_test(std::string_view name);
void define_globals(Renderer& renderer, Scope& scope);

// object.name and object[key], as Jinja's environment looks them up.
Value get_attribute(Renderer& r, const Value& object, std::string_view name);
Value get_item(Renderer& r, const Value& object, const Value& key);
Value get_path(Renderer& r, Value object,
               const Value& path);  // "a.b.0" of map, selectattr, sort, ...
Value get_slice(Renderer& r, const Value& object, const Value* start, const Value* stop,
                const Value* step);

Value binary(Renderer& r, std::string_view op, const Value& a, const Value& b);
bool contains(Renderer& r, const Value& container, const Value& item);
std::string format_percent(Renderer& r, std::string_view format, const Value& values);
std::string format_braces(Renderer& r, std::string_view format, const Args& args);

std::int64_t want_int(const Value& v, std::string_view what);
std::string_view want_text(const Value& v, std::string_view what);
[[noreturn]] void fail_undefined(const Value& v);

// Walks the tree. One per rendering.
class Renderer {
 public:
  Renderer(std::tm now, const Limits& limits) : heap(limits), now(now) {}

  std::string run(const Body& body, const boost::json::object& variables);
  Value call(const Value& callee, const Args& args);
  Value call_filter(std::string_view name, const Value& input, const Args& args);
  bool call_test(std::string_view name, const Value& subject, const Args& args);
  Value call_macro(Callable& macro, const Args& args);
  Value call_loop(Loop& loop, const Value& items);
  Value function(std::string_view name, Callable::Function function, Value self = {});

  Heap heap;
  const std::tm now;
  int line = 0;  // of the node being evaluated, for messages

 private:
  enum class Flow { next, loop_break, loop_continue };

  Flow run_body(const Body& body);
  Flow run(const Node& node);
  Flow run_if(const Node& node);
  void run_for(const Node& node, const Value& iterated, int depth);
  void run_macro_definition(const Node& node);
  void run_call_block(const Node& node);
  void run_set_block(const Node& node);
  void run_with(const Node& node);
  void assign(const Node& target, const Value& value);
  std::string capture(const std::function<void()>& work);
  void write(std::string_view text);

  Value eval(const Node& node);
  Value lookup(std::string_view name);
  Value eval_dict(const Node& node);
  Value eval_slice(const Node& node);
  Value eval_call(const Node& node, const Value* caller);
  Value eval_filter(const Node& node, const Value* input);
  Value eval_compare(const Node& node);
  Args eval_arguments(const Arguments& arguments);
  Value from_json(const boost::json::value& v, int depth);

  class Scoped;  // a new scope until it goes
  class Deeper;  // counts nesting until it goes

  Scope* scope_ = nullptr;
  std::string* out_ = nullptr;
  std::uint32_t depth_ = 0;
};

}  // namespace drystone::jinja
