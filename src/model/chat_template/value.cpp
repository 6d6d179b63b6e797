#include "model/chat_template/value.h"

#include <fmt/format.h>

#include "model/chat_template/text.h"

namespace drystone::jinja {

namespace {
constexpr int kCompareDepthMax = 100;
}

void fail(std::string message) { throw Failure{Errc::corrupt, std::move(message)}; }
void fail_limit(std::string message) { throw Failure{Errc::limit, std::move(message)}; }

Value Heap::text(std::string owned) {
  charge(owned.size() + sizeof(std::string));
  texts_.push_back(std::move(owned));
  return view(texts_.back());
}

Value Heap::view(std::string_view borrowed) {
  charge(sizeof(Str));
  strings_.push_back({borrowed});
  Value v = Value::of(Type::string);
  v.string = &strings_.back();
  return v;
}

Value Heap::list(std::vector<Value> items, SequenceKind kind) {
  charge(items.size() * sizeof(Value));
  Value v = Value::of(Type::sequence);
  v.sequence = make<Sequence>();
  v.sequence->kind = kind;
  v.sequence->items = std::move(items);
  return v;
}

Value Heap::undefined(std::string hint) {
  Value v;
  v.hint = text(std::move(hint)).string;
  return v;
}

void Heap::charge(std::uint64_t bytes) {
  if (bytes > limits_.bytes - bytes_) {
    fail_limit(fmt::format("the template's values exceed {} bytes", limits_.bytes));
  }
  bytes_ += bytes;
}

void Heap::step(std::uint64_t steps) {
  if (steps > limits_.steps - steps_) {
    fail_limit(fmt::format("the template runs for more than {} steps", limits_.steps));
  }
  steps_ += steps;
}

bool truth(const Value& v) {
  switch (v.type) {
    case Type::undefined:
    case Type::none:
      return false;
    case Type::boolean:
      return v.boolean;
    case Type::integer:
      return v.integer != 0;
    case Type::real:
      return v.real != 0;
    case Type::string:
      return !v.text().empty();
    case Type::sequence:
      return v.sequence->kind == SequenceKind::generator || !v.sequence->items.empty();
    case Type::dict:
      return !v.dict->entries.empty();
    case Type::space:
    case Type::callable:
    case Type::loop:
      return true;
  }
  return false;
}

std::string_view type_name(const Value& v) {
  switch (v.type) {
    case Type::undefined:
      return "Undefined";
    case Type::none:
      return "None";
    case Type::boolean:
      return "bool";
    case Type::integer:
      return "int";
    case Type::real:
      return "float";
    case Type::string:
      return "str";
    case Type::sequence:
      switch (v.sequence->kind) {
        case SequenceKind::list:
          return "list";
        case SequenceKind::tuple:
          return "tuple";
        case SequenceKind::range:
          return "range";
        case SequenceKind::generator:
          return "generator";
        default:
          return "dict view";
      }
    case Type::dict:
      return "dict";
    case Type::space:
      return "namespace";
    case Type::callable:
      return "function";
    case Type::loop:
      return "loop";
  }
  return "?";
}

namespace {

bool same_family(const Sequence& a, const Sequence& b) { return a.kind == b.kind; }

bool equal_dicts(Heap& heap, const Dict& a, const Dict& b, int depth) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const Value* other = dict_find(heap, b, key);
    if (!other || !equal(heap, value, *other, depth)) return false;
  }
  return true;
}

}  // namespace

bool equal(Heap& heap, const Value& a, const Value& b, int depth) {
  heap.step();
  if (depth > kCompareDepthMax) fail_limit("comparison of values nested too deeply");
  if (a.is_number() && b.is_number()) {
    if (a.is_integral() && b.is_integral()) return a.as_int() == b.as_int();
    return a.as_real() == b.as_real();
  }
  if (a.type != b.type) return false;
  switch (a.type) {
    case Type::string:
      heap.step(std::min(a.text().size(), b.text().size()) / 64);
      return a.text() == b.text();
    case Type::sequence: {
      if (a.sequence == b.sequence) return true;
      const auto &x = a.sequence->items, &y = b.sequence->items;
      if (!same_family(*a.sequence, *b.sequence) || x.size() != y.size()) return false;
      if (a.sequence->kind == SequenceKind::generator) return false;
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (!equal(heap, x[i], y[i], depth + 1)) return false;
      }
      return true;
    }
    case Type::dict:
      return a.dict == b.dict || equal_dicts(heap, *a.dict, *b.dict, depth + 1);
    case Type::space:
      return a.dict == b.dict;
    case Type::callable:
      return a.callable == b.callable;
    case Type::loop:
      return a.loop == b.loop;
    default:
      return true;  // none, undefined
  }
}

bool less(Heap& heap, const Value& a, const Value& b, int depth) {
  heap.step();
  if (depth > kCompareDepthMax) fail_limit("comparison of values nested too deeply");
  if (a.is_number() && b.is_number()) {
    if (a.is_integral() && b.is_integral()) return a.as_int() < b.as_int();
    return a.as_real() < b.as_real();
  }
  if (a.is_string() && b.is_string()) {
    heap.step(std::min(a.text().size(), b.text().size()) / 64);
    return a.text() < b.text();  // the order of UTF-8 bytes is that of code points
  }
  if (a.is(Type::sequence) && b.is(Type::sequence) && same_family(*a.sequence, *b.sequence)) {
    const auto &x = a.sequence->items, &y = b.sequence->items;
    for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!equal(heap, x[i], y[i], depth + 1)) return less(heap, x[i], y[i], depth + 1);
    }
    return x.size() < y.size();
  }
  if (a.is(Type::undefined) || b.is(Type::undefined)) {
    const Value& u = a.is(Type::undefined) ? a : b;
    fail(u.hint ? std::string(u.hint->text) : "comparison with an undefined value");
  }
  fail(fmt::format("'<' has no meaning between {} and {}", type_name(a), type_name(b)));
}

const Value* dict_find(Heap& heap, const Dict& dict, const Value& key) {
  if (key.is_string()) return dict_find(heap, dict, key.text());
  heap.step(dict.entries.size() / 4);
  for (const auto& [k, v] : dict.entries) {
    if (equal(heap, k, key)) return &v;
  }
  return nullptr;
}

const Value* dict_find(Heap& heap, const Dict& dict, std::string_view key) {
  heap.step(dict.entries.size() / 4);
  for (const auto& [k, v] : dict.entries) {
    if (k.is_string() && k.text() == key) return &v;
  }
  return nullptr;
}

void dict_set(Heap& heap, Dict& dict, const Value& key, const Value& value) {
  if (key.is(Type::dict) || (key.is(Type::sequence) && key.sequence->kind == SequenceKind::list)) {
    fail(fmt::format("a {} cannot be the key of a dict", type_name(key)));
  }
  if (const Value* found = dict_find(heap, dict, key)) {
    *const_cast<Value*>(found) = value;
    return;
  }
  heap.charge(2 * sizeof(Value));
  dict.entries.emplace_back(key, value);
}

std::vector<Value> iterate(Heap& heap, const Value& v) {
  std::vector<Value> out;
  switch (v.type) {
    case Type::undefined:
      return out;
    case Type::string: {
      std::string_view text = v.text();
      heap.charge(text.size() * sizeof(Value));
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t n = point_bytes(text, at);
        out.push_back(heap.view(text.substr(at, n)));
        at += n;
      }
      return out;
    }
    case Type::sequence:
      heap.step(v.sequence->items.size() / 8);
      if (v.sequence->kind == SequenceKind::generator) return std::exchange(v.sequence->items, {});
      heap.charge(v.sequence->items.size() * sizeof(Value));
      return v.sequence->items;
    case Type::dict:
      heap.charge(v.dict->entries.size() * sizeof(Value));
      for (const auto& [key, value] : v.dict->entries) out.push_back(key);
      return out;
    default:
      fail(fmt::format("a value of type {} cannot be iterated", type_name(v)));
  }
}

std::int64_t length_of(const Value& v) {
  switch (v.type) {
    case Type::undefined:
      return 0;
    case Type::string:
      return count_points(*v.string);
    case Type::dict:
      return static_cast<std::int64_t>(v.dict->entries.size());
    case Type::sequence:
      if (v.sequence->kind != SequenceKind::generator)
        return static_cast<std::int64_t>(v.sequence->items.size());
      [[fallthrough]];
    default:
      fail(fmt::format("a value of type {} has no length", type_name(v)));
  }
}

}  // namespace drystone::jinja
