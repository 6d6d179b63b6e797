#include "model/chat_template/render.h"

#include <fmt/format.h>

#include "model/chat_template/print.h"
#include "model/chat_template/scoped.h"

namespace drystone::jinja {

std::string render(const Body& body, const boost::json::object& variables, std::tm now,
                   const Limits& limits) {
  Renderer renderer(now, limits);
  try {
    return renderer.run(body, variables);
  } catch (Failure& failure) {
    if (!failure.verbatim)
      failure.message = fmt::format("line {}: {}", renderer.line, failure.message);
    throw;
  }
}

std::string Renderer::run(const Body& body, const boost::json::object& variables) {
  std::string out;
  out_ = &out;
  Scope* globals = heap.make<Scope>();
  define_globals(*this, *globals);
  Scope* context = heap.make<Scope>();
  context->parent = globals;
  for (const auto& [name, value] : variables)
    context->names.emplace_back(name, from_json(value, 0));
  scope_ = context;
  run_body(body);
  return out;
}

Value Renderer::from_json(const boost::json::value& v, int depth) {
  constexpr int kDepthMax = 100;
  if (depth > kDepthMax) fail_limit("variables nested too deeply");
  switch (v.kind()) {
    case boost::json::kind::null:
      return Value::none();
    case boost::json::kind::bool_:
      return Value::of_bool(v.get_bool());
    case boost::json::kind::int64:
      return Value::of_int(v.get_int64());
    case boost::json::kind::uint64:
      if (v.get_uint64() > INT64_MAX) return Value::of_real(static_cast<double>(v.get_uint64()));
      return Value::of_int(static_cast<std::int64_t>(v.get_uint64()));
    case boost::json::kind::double_:
      return Value::of_real(v.get_double());
    case boost::json::kind::string:
      return heap.view({v.get_string().data(), v.get_string().size()});
    case boost::json::kind::array: {
      std::vector<Value> items;
      for (const auto& item : v.get_array()) items.push_back(from_json(item, depth + 1));
      return heap.list(std::move(items));
    }
    case boost::json::kind::object:
      break;
  }
  Value made = Value::of(Type::dict);
  made.dict = heap.make<Dict>();
  for (const auto& [key, value] : v.get_object()) {  // keys are unique already
    made.dict->entries.emplace_back(heap.view({key.data(), key.size()}),
                                    from_json(value, depth + 1));
  }
  return made;
}

void Renderer::write(std::string_view text) {
  heap.charge(text.size());
  *out_ += text;
}

std::string Renderer::capture(const std::function<void()>& work) {
  std::string text;
  std::string* outer = std::exchange(out_, &text);
  work();  // a Failure ends the rendering, so nobody needs out_ back then
  out_ = outer;
  return text;
}

Renderer::Flow Renderer::run_body(const Body& body) {
  for (const auto& node : body) {
    if (const Flow flow = run(*node); flow != Flow::next) return flow;
  }
  return Flow::next;
}

Renderer::Flow Renderer::run(const Node& node) {
  heap.step();
  Deeper deeper(*this);
  line = node.line;
  switch (node.kind) {
    case NodeKind::data:
      write(node.text);
      break;
    case NodeKind::output: {
      const Value v = eval(*node.children[0]);
      if (v.is_string()) {
        write(v.text());
      } else {
        write(to_text(heap, v));
      }
      break;
    }
    case NodeKind::if_else:
      return run_if(node);
    case NodeKind::for_loop:
      run_for(node, eval(*node.children[1]), 0);
      break;
    case NodeKind::set:
      assign(*node.children[0], eval(*node.children[1]));
      break;
    case NodeKind::set_block:
      run_set_block(node);
      break;
    case NodeKind::macro:
      run_macro_definition(node);
      break;
    case NodeKind::call_block:
      run_call_block(node);
      break;
    case NodeKind::filter_block: {
      std::string text = capture([&] {
        Scoped scoped(*this);
        run_body(node.bodies[0]);
      });
      const Value input = heap.text(std::move(text));
      write(to_text(heap, eval_filter(*node.children[0], &input)));
      break;
    }
    case NodeKind::with:
      run_with(node);
      break;
    case NodeKind::scope: {
      Scoped scoped(*this);
      return run_body(node.bodies[0]);
    }
    case NodeKind::expression:
      eval(*node.children[0]);
      break;
    case NodeKind::loop_break:
      return Flow::loop_break;
    case NodeKind::loop_continue:
      return Flow::loop_continue;
    default:
      fail("not a statement");
  }
  return Flow::next;
}

Renderer::Flow Renderer::run_if(const Node& node) {
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    if (truth(eval(*node.children[i]))) return run_body(node.bodies[i]);
  }
  return node.bodies.size() > node.children.size() ? run_body(node.bodies.back()) : Flow::next;
}

void Renderer::run_for(const Node& node, const Value& iterated, int depth) {
  Loop* loop = heap.make<Loop>();
  loop->node = &node;
  loop->scope = scope_;
  loop->depth = depth;
  loop->items = iterate(heap, iterated);
  if (const Node* filter = node.children[2].get()) {
    std::vector<Value> kept;
    for (const Value& item : loop->items) {
      Scoped scoped(*this);
      assign(*node.children[0], item);
      if (truth(eval(*filter))) kept.push_back(item);
    }
    heap.charge(kept.size() * sizeof(Value));
    loop->items = std::move(kept);
  }
  if (loop->items.empty()) {
    if (node.bodies.size() > 1) {
      Scoped scoped(*this);
      run_body(node.bodies[1]);
    }
    return;
  }
  Value self = Value::of(Type::loop);
  self.loop = loop;
  for (; loop->index < loop->items.size(); ++loop->index) {
    Scoped scoped(*this);
    scope_->names.emplace_back("loop", self);
    assign(*node.children[0], loop->items[loop->index]);
    if (run_body(node.bodies[0]) == Flow::loop_break) break;
  }
}

Value Renderer::call_loop(Loop& loop, const Value& items) {
  if (!loop.node->flag) fail("only a loop marked 'recursive' can be called");
  Deeper deeper(*this);
  Scope* outer = std::exchange(scope_, loop.scope);
  std::string text = capture([&] { run_for(*loop.node, items, loop.depth + 1); });
  scope_ = outer;
  return heap.text(std::move(text));
}

void Renderer::assign(const Node& target, const Value& value) {
  heap.step();
  if (target.kind == NodeKind::name) {
    for (auto& [name, old] : scope_->names) {
      if (name == target.text) {
        old = value;
        return;
      }
    }
    heap.charge(sizeof(scope_->names[0]));
    scope_->names.emplace_back(target.text, value);
  } else if (target.kind == NodeKind::tuple) {
    const std::vector<Value> items = iterate(heap, value);
    if (items.size() != target.children.size()) {
      fail(fmt::format("{} values for {} names", items.size(), target.children.size()));
    }
    for (std::size_t i = 0; i < items.size(); ++i) assign(*target.children[i], items[i]);
  } else {
    const Value space = lookup(target.text);
    if (!space.is(Type::space))
      fail(fmt::format("'{}' is not a namespace: its attributes cannot be set", target.text));
    dict_set(heap, *space.dict, heap.view(target.ops[0]), value);
  }
}

void Renderer::run_set_block(const Node& node) {
  std::string text = capture([&] {
    Scoped scoped(*this);
    run_body(node.bodies[0]);
  });
  Value value = heap.text(std::move(text));
  if (node.children[1]) value = eval_filter(*node.children[1], &value);
  assign(*node.children[0], value);
}

void Renderer::run_with(const Node& node) {
  std::vector<Value> values;
  for (std::size_t i = 1; i < node.children.size(); i += 2)
    values.push_back(eval(*node.children[i]));
  Scoped scoped(*this);
  for (std::size_t i = 0; i < values.size(); ++i) assign(*node.children[2 * i], values[i]);
  run_body(node.bodies[0]);
}

namespace {

Value run_callable_macro(Renderer& r, Callable& self, const Args& args) {
  return r.call_macro(self, args);
}

}  // namespace

void Renderer::run_macro_definition(const Node& node) {
  const Value macro = function(node.text, run_callable_macro);
  macro.callable->node = &node;
  macro.callable->scope = scope_;
  for (auto& [known, old] : scope_->names) {
    if (known == node.text) {
      old = macro;
      return;
    }
  }
  scope_->names.emplace_back(node.text, macro);
}

void Renderer::run_call_block(const Node& node) {
  const Value caller = function("caller", run_callable_macro);
  caller.callable->node = &node;
  caller.callable->scope = scope_;
  write(to_text(heap, eval_call(*node.children[0], &caller)));
}

Value Renderer::call_macro(Callable& macro, const Args& args) {
  Deeper deeper(*this);
  const Node& node = *macro.node;
  Scope* outer = std::exchange(scope_, macro.scope);
  std::string text = capture([&] {
    Scoped scoped(*this);
    std::vector<Value> rest;
    for (std::size_t i = node.parameters.size(); i < args.positional.size(); ++i)
      rest.push_back(args.positional[i]);
    Value extra = Value::of(Type::dict);
    extra.dict = heap.make<Dict>();
    Value caller = heap.undefined("no caller defined");
    for (const auto& [name, value] : args.named) {
      if (name == "caller") {
        caller = value;
        continue;
      }
      bool known = false;
      for (const auto& parameter : node.parameters) known |= parameter.name == name;
      if (!known) dict_set(heap, *extra.dict, heap.view(name), value);
    }
    for (std::size_t i = 0; i < node.parameters.size(); ++i) {
      const Parameter& parameter = node.parameters[i];
      const Value* given = i < args.positional.size() ? &args.positional[i] : nullptr;
      for (const auto& [name, value] : args.named) {
        if (name != parameter.name) continue;
        if (given) fail(fmt::format("macro '{}' got two values for '{}'", macro.name, name));
        given = &value;
      }
      Value value =
          given ? *given
          : parameter.fallback
              ? eval(*parameter.fallback)
              : heap.undefined(fmt::format("parameter '{}' was not provided", parameter.name));
      scope_->names.emplace_back(parameter.name, value);
    }
    scope_->names.emplace_back("varargs", heap.tuple(std::move(rest)));
    scope_->names.emplace_back("kwargs", extra);
    scope_->names.emplace_back("caller", caller);
    heap.charge(64 * scope_->names.size());
    run_body(node.bodies[0]);
  });
  scope_ = outer;
  return heap.text(std::move(text));
}

}  // namespace drystone::jinja
