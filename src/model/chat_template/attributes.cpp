#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/chat_template/render.h"
#include "model/chat_template/text.h"

namespace drystone::jinja {

namespace {

std::string described(const Value& v) { return fmt::format("'{} object'", type_name(v)); }

Value call_method(Renderer& r, Callable& self, const Args& args) {
  return find_method(self.self, self.name)(r, self.self, args);
}

Value loop_cycle(Renderer&, Callable& self, const Args& args) {
  if (args.positional.empty()) fail("loop.cycle needs values");
  return args.positional[self.self.loop->index % args.positional.size()];
}

Value loop_changed(Renderer& r, Callable& self, const Args& args) {
  Loop& loop = *self.self.loop;
  const Value seen = r.heap.tuple(args.positional);
  const bool changed = !loop.changed_seen || !equal(r.heap, loop.changed, seen);
  loop.changed = seen;
  loop.changed_seen = true;
  return Value::of_bool(changed);
}

// false: no such attribute.
bool loop_attribute(Renderer& r, const Value& v, std::string_view name, Value& out) {
  const Loop& loop = *v.loop;
  const auto i = static_cast<std::int64_t>(loop.index),
             n = static_cast<std::int64_t>(loop.items.size());
  if (name == "index") return out = Value::of_int(i + 1), true;
  if (name == "index0") return out = Value::of_int(i), true;
  if (name == "revindex") return out = Value::of_int(n - i), true;
  if (name == "revindex0") return out = Value::of_int(n - i - 1), true;
  if (name == "first") return out = Value::of_bool(i == 0), true;
  if (name == "last") return out = Value::of_bool(i + 1 == n), true;
  if (name == "length") return out = Value::of_int(n), true;
  if (name == "depth") return out = Value::of_int(loop.depth + 1), true;
  if (name == "depth0") return out = Value::of_int(loop.depth), true;
  if (name == "cycle") return out = r.function("cycle", loop_cycle, v), true;
  if (name == "changed") return out = r.function("changed", loop_changed, v), true;
  if (name == "previtem") {
    return out = i > 0 ? loop.items[loop.index - 1] : r.heap.undefined("there is no previous item"),
           true;
  }
  if (name == "nextitem") {
    return out = i + 1 < n ? loop.items[loop.index + 1] : r.heap.undefined("there is no next item"),
           true;
  }
  return false;
}

// What Python's getattr finds: methods, and the attributes of namespaces, loops and macros.
bool find_attribute(Renderer& r, const Value& object, std::string_view name, Value& out) {
  if (object.is(Type::loop)) return loop_attribute(r, object, name, out);
  if (object.is(Type::space)) {
    const Value* found = dict_find(r.heap, *object.dict, name);
    if (found) out = *found;
    return found != nullptr;
  }
  if (object.is(Type::callable) && object.callable->node && name == "name") {
    return out = r.heap.view(object.callable->name), true;
  }
  if (!find_method(object, name)) return false;
  out = r.function(name, call_method, object);
  return true;
}

// What Python's object[key] finds.
bool find_item(Renderer& r, const Value& object, const Value& key, Value& out) {
  if (object.is(Type::dict)) {
    const Value* found = dict_find(r.heap, *object.dict, key);
    if (found) out = *found;
    return found != nullptr;
  }
  if (!key.is_integral()) return false;
  const bool text = object.is_string();
  if (!text && !(object.is(Type::sequence) && object.sequence->kind <= SequenceKind::range))
    return false;
  const std::int64_t n = length_of(object);
  std::int64_t at = key.as_int();
  if (at < 0) at += n;
  if (at < 0 || at >= n) return false;
  if (!text) return out = object.sequence->items[static_cast<std::size_t>(at)], true;
  if (n != static_cast<std::int64_t>(object.text().size())) r.heap.step(object.text().size() / 16);
  const std::size_t offset = byte_offset(*object.string, at);
  out = r.heap.view(object.text().substr(offset, point_bytes(object.text(), offset)));
  return true;
}

}  // namespace

Value get_attribute(Renderer& r, const Value& object, std::string_view name) {
  if (object.is(Type::undefined)) fail_undefined(object);
  Value out;
  if (find_attribute(r, object, name, out)) return out;
  if (object.is(Type::dict)) {
    if (const Value* found = dict_find(r.heap, *object.dict, name)) return *found;
  }
  return r.heap.undefined(fmt::format("{} has no attribute '{}'", described(object), name));
}

Value get_item(Renderer& r, const Value& object, const Value& key) {
  if (object.is(Type::undefined)) fail_undefined(object);
  Value out;
  if (find_item(r, object, key, out)) return out;
  if (key.is_string() && find_attribute(r, object, key.text(), out)) return out;
  if (key.is_string())
    return r.heap.undefined(
        fmt::format("{} has no attribute '{}'", described(object), key.text().substr(0, 200)));
  if (key.is_integral())
    return r.heap.undefined(fmt::format("{} has no element {}", described(object), key.as_int()));
  return r.heap.undefined(fmt::format("{} has no such element", described(object)));
}

Value get_path(Renderer& r, Value object, const Value& path) {
  if (path.is_integral()) return get_item(r, object, path);
  std::string_view rest = want_text(path, "the name of an attribute");
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    std::int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number = !part.empty() && part[0] != '-' && parsed.ptr == part.data() + part.size();
    object = get_item(r, object, number ? Value::of_int(index) : r.heap.view(part));
    if (dot == std::string_view::npos) return object;
    rest.remove_prefix(dot + 1);
  }
}

Value get_slice(Renderer& r, const Value& object, const Value* start, const Value* stop,
                const Value* step) {
  if (object.is(Type::undefined)) fail_undefined(object);
  if (!object.is_string() &&
      !(object.is(Type::sequence) && object.sequence->kind <= SequenceKind::range)) {
    fail(fmt::format("a value of type {} cannot be sliced", type_name(object)));
  }
  const std::int64_t n = length_of(object);
  const std::int64_t by = step ? want_int(*step, "the step of a slice") : 1;
  if (by == 0) fail("the step of a slice cannot be 0");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? n : n - 1;
  const auto bound = [&](const Value* v, std::int64_t fallback) {
    if (!v) return fallback;
    std::int64_t at = want_int(*v, "the bound of a slice");
    if (at < 0) at = at < -n ? low : at + n;
    return std::clamp(at, low, std::max(low, high));
  };
  const std::int64_t first = bound(start, by > 0 ? low : high),
                     last = bound(stop, by > 0 ? high : low);
  const std::int64_t count =
      by > 0 ? std::max<std::int64_t>(0, last - first) : std::max<std::int64_t>(0, first - last);
  const std::int64_t stride = by > 0 ? by : by == INT64_MIN ? INT64_MAX : -by;
  if (object.is_string() && by == 1) {
    r.heap.step(object.text().size() / 64);
    if (count == 0) return r.heap.view("");
    const std::size_t from = byte_offset(*object.string, first),
                      to = byte_offset(*object.string, last);
    return r.heap.view(object.text().substr(from, to - from));
  }
  r.heap.charge(static_cast<std::uint64_t>(count) * sizeof(Value));
  const std::vector<Value> all = iterate(r.heap, object);
  std::vector<Value> items;
  for (std::int64_t i = 0; i < count; i += std::min(stride, count)) {
    items.push_back(all[static_cast<std::size_t>(by > 0 ? first + i : first - i)]);
  }
  if (!object.is_string()) return r.heap.list(std::move(items), object.sequence->kind);
  std::string text;
  for (const Value& v : items) text += v.text();
  return r.heap.text(std::move(text));
}

}  // namespace drystone::jinja
