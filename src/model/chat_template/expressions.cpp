#include <fmt/format.h>

#include "model/chat_template/print.h"
#include "model/chat_template/render.h"
#include "model/chat_template/scoped.h"

namespace drystone::jinja {

Value Renderer::eval(const Node& node) {
  heap.step();
  Deeper deeper(*this);
  line = node.line;
  const auto child = [&](std::size_t i) { return eval(*node.children[i]); };
  switch (node.kind) {
    case NodeKind::constant:
      return node.constant;
    case NodeKind::name:
      return lookup(node.text);
    case NodeKind::list:
    case NodeKind::tuple: {
      std::vector<Value> items;
      items.reserve(node.children.size());
      for (const auto& item : node.children) items.push_back(eval(*item));
      return heap.list(std::move(items),
                       node.kind == NodeKind::list ? SequenceKind::list : SequenceKind::tuple);
    }
    case NodeKind::dict:
      return eval_dict(node);
    case NodeKind::attribute:
      return get_attribute(*this, child(0), node.text);
    case NodeKind::item: {
      const Value object = child(0);
      return get_item(*this, object, child(1));
    }
    case NodeKind::slice:
      return eval_slice(node);
    case NodeKind::call:
      return eval_call(node, nullptr);
    case NodeKind::filter:
      return eval_filter(node, nullptr);
    case NodeKind::test: {
      const Value subject = child(0);
      return Value::of_bool(call_test(node.text, subject, eval_arguments(node.arguments)));
    }
    case NodeKind::unary: {
      const Value v = child(0);
      if (v.is(Type::undefined)) fail_undefined(v);
      if (!v.is_number()) fail(fmt::format("'{}' has no meaning for {}", node.text, type_name(v)));
      if (v.is(Type::real)) return Value::of_real(node.text == "-" ? -v.real : v.real);
      return node.text == "-" ? binary(*this, "-", Value::of_int(0), v) : Value::of_int(v.as_int());
    }
    case NodeKind::binary: {
      const Value a = child(0), b = child(1);
      return binary(*this, node.text, a, b);
    }
    case NodeKind::logic_and: {
      const Value a = child(0);
      return truth(a) ? child(1) : a;
    }
    case NodeKind::logic_or: {
      const Value a = child(0);
      return truth(a) ? a : child(1);
    }
    case NodeKind::logic_not:
      return Value::of_bool(!truth(child(0)));
    case NodeKind::concat: {
      std::string text;
      for (const auto& part : node.children) text += to_text(heap, eval(*part));
      return heap.text(std::move(text));
    }
    case NodeKind::compare:
      return eval_compare(node);
    case NodeKind::conditional:
      if (truth(child(1))) return child(0);
      return node.children[2] ? child(2)
                              : heap.undefined("the condition was false and there is no 'else'");
    default:
      fail("not an expression");
  }
}

Value Renderer::lookup(std::string_view name) {
  std::uint64_t seen = 0;
  for (const Scope* scope = scope_; scope; scope = scope->parent) {
    seen += scope->names.size() + 1;
    for (const auto& [known, value] : scope->names) {
      if (known == name) {
        heap.step(seen / 16);
        return value;
      }
    }
  }
  heap.step(seen / 16);
  return heap.undefined(fmt::format("'{}' is undefined", name));
}

Value Renderer::eval_dict(const Node& node) {
  Value made = Value::of(Type::dict);
  made.dict = heap.make<Dict>();
  for (std::size_t i = 0; i < node.children.size(); i += 2) {
    const Value key = eval(*node.children[i]);
    dict_set(heap, *made.dict, key, eval(*node.children[i + 1]));
  }
  return made;
}

Value Renderer::eval_slice(const Node& node) {
  const Value object = eval(*node.children[0]);
  Value bounds[3];
  const Value* given[3] = {};
  for (int i = 0; i < 3; ++i) {
    if (!node.children[i + 1]) continue;
    bounds[i] = eval(*node.children[i + 1]);
    if (!bounds[i].is(Type::none)) given[i] = &bounds[i];
  }
  return get_slice(*this, object, given[0], given[1], given[2]);
}

Args Renderer::eval_arguments(const Arguments& arguments) {
  Args args;
  for (const auto& node : arguments.positional) args.positional.push_back(eval(*node));
  for (const auto& [name, node] : arguments.named) args.named.emplace_back(name, eval(*node));
  if (arguments.star) {
    for (const Value& v : iterate(heap, eval(*arguments.star))) args.positional.push_back(v);
  }
  if (arguments.star_star) {
    const Value dict = eval(*arguments.star_star);
    if (!dict.is(Type::dict)) fail(fmt::format("'**' needs a dict, not {}", type_name(dict)));
    for (const auto& [key, value] : dict.dict->entries)
      args.named.emplace_back(want_text(key, "a name after '**'"), value);
  }
  return args;
}

Value Renderer::eval_call(const Node& node, const Value* caller) {
  const Value callee = eval(*node.children[0]);
  Args args = eval_arguments(node.arguments);
  if (caller) args.named.emplace_back("caller", *caller);
  line = node.line;
  return call(callee, args);
}

Value Renderer::eval_filter(const Node& node, const Value* input) {
  const Node* inner = node.children[0].get();
  const Value subject = !inner                            ? *input
                        : inner->kind == NodeKind::filter ? eval_filter(*inner, input)
                                                          : eval(*inner);
  const Args args = eval_arguments(node.arguments);
  line = node.line;
  return call_filter(node.text, subject, args);
}

Value Renderer::eval_compare(const Node& node) {
  Value left = eval(*node.children[0]);
  for (std::size_t i = 0; i < node.ops.size(); ++i) {
    const Value right = eval(*node.children[i + 1]);
    const std::string& op = node.ops[i];
    bool holds;
    if (op == "==") {
      holds = equal(heap, left, right);
    } else if (op == "!=") {
      holds = !equal(heap, left, right);
    } else if (op == "<") {
      holds = less(heap, left, right);
    } else if (op == ">") {
      holds = less(heap, right, left);
    } else if (op == "<=") {
      holds = less(heap, left, right) || equal(heap, left, right);
    } else if (op == ">=") {
      holds = less(heap, right, left) || equal(heap, left, right);
    } else {
      holds = contains(*this, right, left) == (op == "in");
    }
    if (!holds) return Value::of_bool(false);
    left = right;
  }
  return Value::of_bool(true);
}

Value Renderer::call(const Value& callee, const Args& args) {
  heap.step();
  Deeper deeper(*this);
  if (callee.is(Type::callable)) return callee.callable->function(*this, *callee.callable, args);
  if (callee.is(Type::loop))
    return call_loop(*callee.loop, args.bind<1>("loop", {"iterable"}, 1)[0][0]);
  if (callee.is(Type::undefined)) fail_undefined(callee);
  fail(fmt::format("a value of type {} cannot be called", type_name(callee)));
}

Value Renderer::call_filter(std::string_view name, const Value& input, const Args& args) {
  const Filter filter = find_filter(name);
  if (!filter) fail(fmt::format("no filter named '{}'", name));
  heap.step();
  return filter(*this, input, args);
}

bool Renderer::call_test(std::string_view name, const Value& subject, const Args& args) {
  const Test test = find_test(name);
  if (!test) fail(fmt::format("no test named '{}'", name));
  heap.step();
  return test(*this, subject, args);
}

Value Renderer::function(std::string_view name, Callable::Function function, Value self) {
  Value made = Value::of(Type::callable);
  made.callable = heap.make<Callable>();
  made.callable->name = name;
  made.callable->function = function;
  made.callable->self = self;
  return made;
}

void Args::bind(std::string_view function, const std::string_view* names, const Value** out,
                std::size_t n, std::size_t required) const {
  if (positional.size() > n) {
    fail(fmt::format("{} takes at most {} arguments, got {}", function, n, positional.size()));
  }
  for (std::size_t i = 0; i < positional.size(); ++i) out[i] = &positional[i];
  for (const auto& [name, value] : named) {
    std::size_t at = 0;
    while (at < n && names[at] != name) ++at;
    if (at == n) fail(fmt::format("{} has no argument '{}'", function, name));
    if (out[at]) fail(fmt::format("{} got two values for '{}'", function, name));
    out[at] = &value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (!out[i]) fail(fmt::format("{} needs the argument '{}'", function, names[i]));
  }
}

}  // namespace drystone::jinja
