#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// The values of a running template. All of them live in a Heap that dies with the rendering: a
// Value is 16 bytes that point into it, so values that contain themselves neither leak nor need
// counting, and one number bounds all memory.

namespace drystone::jinja {

// Inside this folder failures travel as exceptions; parse() and render() of ChatTemplate turn them
// into Error.
struct Failure {
  Errc code;
  std::string message;
  bool verbatim = false;  // raise_exception: no line in front
};

[[noreturn]] void fail(std::string message);        // a mistake in the template
[[noreturn]] void fail_limit(std::string message);  // more than a bounded number of something

enum class Type : std::uint8_t {
  undefined,
  none,
  boolean,
  integer,
  real,
  string,
  sequence,
  dict,
  space,
  callable,
  loop
};

struct Str {
  std::string_view text;     // UTF-8; the bytes live as long as the heap
  std::int64_t points = -1;  // number of code points, once counted
};

struct Object {
  virtual ~Object() = default;
};

struct Sequence;
struct Dict;
struct Callable;
struct Loop;

struct Value {
  Type type = Type::undefined;
  union {
    bool boolean;
    std::int64_t integer;
    double real;
    Str* string;
    Str* hint = nullptr;  // undefined: what was looked for, or null
    Sequence* sequence;
    Dict* dict;  // dict and space
    Callable* callable;
    Loop* loop;
  };

  static Value none() { return of(Type::none); }
  static Value of_bool(bool b) {
    Value v = of(Type::boolean);
    v.boolean = b;
    return v;
  }
  static Value of_int(std::int64_t i) {
    Value v = of(Type::integer);
    v.integer = i;
    return v;
  }
  static Value of_real(double d) {
    Value v = of(Type::real);
    v.real = d;
    return v;
  }
  static Value of(Type type) {
    Value v;
    v.type = type;
    return v;
  }

  bool is(Type t) const { return type == t; }
  bool is_string() const { return type == Type::string; }
  bool is_number() const {
    return type == Type::boolean || type == Type::integer || type == Type::real;
  }
  bool is_integral() const { return type == Type::boolean || type == Type::integer; }
  std::string_view text() const { return string->text; }
  std::int64_t as_int() const { return type == Type::boolean ? boolean : integer; }
  double as_real() const { return type == Type::real ? real : static_cast<double>(as_int()); }
};

enum class SequenceKind : std::uint8_t {
  list,
  tuple,
  range,
  generator,
  dict_keys,
  dict_values,
  dict_items
};

struct Sequence : Object {
  SequenceKind kind = SequenceKind::list;
  std::vector<Value> items;
};

// Keeps the order of insertion. Also the storage of a namespace.
struct Dict : Object {
  std::vector<std::pair<Value, Value>> entries;
};

struct Limits {
  std::uint64_t steps = 50'000'000;  // evaluated nodes and, for long operations, their length
  std::uint64_t bytes = 256 * 1024 * 1024;  // all values and all output of one rendering
  std::uint32_t depth = 800;                // nested evaluations
};

// Owns every value of one rendering and counts what it costs.
class Heap {
 public:
  explicit Heap(const Limits& limits) : limits_(limits) {}

  template <typename T>
  T* make() {
    charge(sizeof(T) + 32);
    auto owned = std::make_unique<T>();
    T* object = owned.get();
    objects_.push_back(std::move(owned));
    return object;
  }
  Value text(std::string owned);          // takes the bytes
  Value view(std::string_view borrowed);  // the bytes already live long enough
  Value list(std::vector<Value> items, SequenceKind kind = SequenceKind::list);
  Value tuple(std::vector<Value> items) { return list(std::move(items), SequenceKind::tuple); }
  Value undefined(std::string hint);

  void charge(std::uint64_t bytes);
  void step(std::uint64_t steps = 1);
  const Limits& limits() const { return limits_; }

 private:
  const Limits limits_;
  std::uint64_t bytes_ = 0, steps_ = 0;
  std::deque<Str> strings_;
  std::deque<std::string> texts_;
  std::vector<std::unique_ptr<Object>> objects_;
};

bool truth(const Value& v);
std::string_view type_name(const Value& v);  // "str", "int", ... as messages name it
// Python's ==; deep. Errors: limit beyond a depth (values that contain themselves).
bool equal(Heap& heap, const Value& a, const Value& b, int depth = 0);
// Python's <. Errors: for types without an order.
bool less(Heap& heap, const Value& a, const Value& b, int depth = 0);

const Value* dict_find(Heap& heap, const Dict& dict, const Value& key);
const Value* dict_find(Heap& heap, const Dict& dict, std::string_view key);
// Errors: for keys that Python could not hash.
void dict_set(Heap& heap, Dict& dict, const Value& key, const Value& value);

// What a for loop over `v` sees. Reading a generator empties it. Errors: not iterable.
std::vector<Value> iterate(Heap& heap, const Value& v);
std::int64_t length_of(const Value& v);  // Errors: has no length

}  // namespace drystone::jinja
