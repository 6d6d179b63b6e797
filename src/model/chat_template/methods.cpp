#include <fmt/format.h>

#include <algorithm>

#include "model/chat_template/print.h"
#include "model/chat_template/render.h"
#include "model/chat_template/text.h"

namespace drystone::jinja {

namespace {

template <Side kSide>
Value strip_method(Renderer& r, const Value& self, const Args& args) {
  const auto [chars] = args.bind<1>("strip", {"chars"});
  if (!chars || chars->is(Type::none)) return r.heap.view(strip(self.text(), kSide));
  return r.heap.view(strip(self.text(), kSide, want_text(*chars, "the characters to strip")));
}

std::vector<Value> split_spaces(Renderer& r, std::string_view text, std::int64_t splits) {
  std::vector<Value> parts;
  text = strip(text, Side::left);
  while (!text.empty()) {
    if (splits == 0) {
      parts.push_back(r.heap.view(text));
      break;
    }
    std::size_t end = 0;
    while (end < text.size() && !is_space(point_at(text, end))) end += point_bytes(text, end);
    parts.push_back(r.heap.view(text.substr(0, end)));
    text = strip(text.substr(end), Side::left);
    --splits;
  }
  return parts;
}

Value split_method(Renderer& r, const Value& self, const Args& args) {
  const auto [sep, maxsplit] = args.bind<2>("split", {"sep", "maxsplit"});
  std::int64_t splits = maxsplit ? want_int(*maxsplit, "maxsplit") : -1;
  std::string_view text = self.text();
  r.heap.step(text.size() / 16);
  if (!sep || sep->is(Type::none)) return r.heap.list(split_spaces(r, text, splits));
  const std::string_view by = want_text(*sep, "the separator");
  if (by.empty()) fail("split: the separator is empty");
  std::vector<Value> parts;
  std::size_t from = 0;
  for (; splits != 0; --splits) {
    const std::size_t hit = find(text, by, from);
    if (hit == std::string_view::npos) break;
    r.heap.charge(sizeof(Value));
    parts.push_back(r.heap.view(text.substr(from, hit - from)));
    from = hit + by.size();
  }
  parts.push_back(r.heap.view(text.substr(from)));
  return r.heap.list(std::move(parts));
}

Value rsplit_method(Renderer& r, const Value& self, const Args& args) {
  const auto [sep, maxsplit] = args.bind<2>("rsplit", {"sep", "maxsplit"}, 1);
  std::int64_t splits = maxsplit ? want_int(*maxsplit, "maxsplit") : -1;
  std::string_view text = self.text();
  const std::string_view by = want_text(*sep, "the separator");
  if (by.empty()) fail("rsplit: the separator is empty");
  r.heap.step(text.size() * std::min<std::size_t>(by.size(), 64) / 16);
  std::vector<Value> parts;
  for (; splits != 0; --splits) {
    const std::size_t hit = by.size() > 64 ? std::string_view::npos : text.rfind(by);
    if (hit == std::string_view::npos) break;
    r.heap.charge(sizeof(Value));
    parts.push_back(r.heap.view(text.substr(hit + by.size())));
    text = text.substr(0, hit);
  }
  parts.push_back(r.heap.view(text));
  std::reverse(parts.begin(), parts.end());
  return r.heap.list(std::move(parts));
}

Value splitlines_method(Renderer& r, const Value& self, const Args& args) {
  const auto [keep] = args.bind<1>("splitlines", {"keepends"});
  const bool keepends = keep && truth(*keep);
  std::vector<Value> lines;
  for (std::string_view text = self.text(); !text.empty();) {
    std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    std::size_t next = end + (text.substr(end, 2) == "\r\n" ? 2 : end < text.size() ? 1 : 0);
    lines.push_back(r.heap.view(text.substr(0, keepends ? next : end)));
    text.remove_prefix(next);
  }
  return r.heap.list(std::move(lines));
}

template <bool kEnd>
Value affix_method(Renderer&, const Value& self, const Args& args) {
  const auto [what] = args.bind<1>(kEnd ? "endswith" : "startswith", {"prefix"}, 1);
  const auto holds = [&](const Value& v) {
    const std::string_view text = want_text(v, kEnd ? "the suffix" : "the prefix");
    return kEnd ? self.text().ends_with(text) : self.text().starts_with(text);
  };
  if (!what->is(Type::sequence)) return Value::of_bool(holds(*what));
  return Value::of_bool(
      std::any_of(what->sequence->items.begin(), what->sequence->items.end(), holds));
}

Value replace_method(Renderer& r, const Value& self, const Args& args) {
  const auto [old_text, new_text, count] = args.bind<3>("replace", {"old", "new", "count"}, 2);
  const std::string_view text = self.text(), from = want_text(*old_text, "what is replaced"),
                         to = want_text(*new_text, "the replacement");
  std::int64_t left = count && !count->is(Type::none) ? want_int(*count, "count") : -1;
  std::string out;
  std::size_t at = 0;
  r.heap.step(text.size() / 16);
  while (left != 0) {
    std::size_t hit = find(text, from, at);
    if (hit == std::string_view::npos) break;
    r.heap.charge(to.size() + 1);
    out += text.substr(at, hit - at);
    out += to;
    at = hit + from.size();
    if (from.empty()) {
      if (at >= text.size()) break;
      const std::size_t n = point_bytes(text, at);
      out += text.substr(at, n);
      at += n;
    }
    --left;
  }
  out += text.substr(std::min(at, text.size()));
  return r.heap.text(std::move(out));
}

template <bool kFails>
Value find_method_of_string(Renderer& r, const Value& self, const Args& args) {
  const auto [sub] = args.bind<1>("find", {"sub"}, 1);
  const std::size_t hit = find(self.text(), want_text(*sub, "what is looked for"));
  r.heap.step(self.text().size() / 64);
  if (hit == std::string_view::npos) {
    if (kFails) fail("index: the substring is not there");
    return Value::of_int(-1);
  }
  Str before{self.text().substr(0, hit)};
  return Value::of_int(count_points(before));
}

Value count_method(Renderer& r, const Value& self, const Args& args) {
  const auto [sub] = args.bind<1>("count", {"sub"}, 1);
  r.heap.step(length_of(self) / 16);
  std::int64_t count = 0;
  if (self.is(Type::sequence)) {
    for (const Value& v : self.sequence->items) count += equal(r.heap, v, *sub);
    return Value::of_int(count);
  }
  const std::string_view what = want_text(*sub, "what is counted");
  if (what.empty()) return Value::of_int(length_of(self) + 1);
  for (std::size_t at = find(self.text(), what); at != std::string_view::npos;
       at = find(self.text(), what, at + what.size()))
    ++count;
  return Value::of_int(count);
}

template <std::string (*kMap)(std::string_view)>
Value map_method(Renderer& r, const Value& self, const Args& args) {
  args.none("a method that changes case");
  return r.heap.text(kMap(self.text()));
}

Value join_method(Renderer& r, const Value& self, const Args& args) {
  const auto [items] = args.bind<1>("join", {"iterable"}, 1);
  std::string out;
  bool first = true;
  for (const Value& v : iterate(r.heap, *items)) {
    if (!std::exchange(first, false)) out += self.text();
    out += want_text(v, "an item of join");
    r.heap.charge(self.text().size() + v.text().size());
  }
  return r.heap.text(std::move(out));
}

Value removeprefix_method(Renderer& r, const Value& self, const Args& args) {
  const std::string_view what =
      want_text(*args.bind<1>("removeprefix", {"prefix"}, 1)[0], "the prefix");
  return self.text().starts_with(what) ? r.heap.view(self.text().substr(what.size())) : self;
}

Value removesuffix_method(Renderer& r, const Value& self, const Args& args) {
  const std::string_view what =
      want_text(*args.bind<1>("removesuffix", {"suffix"}, 1)[0], "the suffix");
  return self.text().ends_with(what)
             ? r.heap.view(self.text().substr(0, self.text().size() - what.size()))
             : self;
}

template <bool (*kHolds)(char32_t)>
Value all_points(Renderer& r, const Value& self, const Args& args) {
  args.none("a method that asks about characters");
  const std::string_view text = self.text();
  r.heap.step(text.size() / 16);
  for (std::size_t at = 0; at < text.size(); at += point_bytes(text, at)) {
    if (!kHolds(point_at(text, at))) return Value::of_bool(false);
  }
  return Value::of_bool(!text.empty());
}

bool is_digit_point(char32_t p) { return p >= '0' && p <= '9'; }
bool is_alnum_point(char32_t p) { return is_digit_point(p) || is_letter(p); }

template <bool kUpper>
Value case_question(Renderer& r, const Value& self, const Args& args) {
  args.none("isupper or islower");
  r.heap.step(self.text().size() / 16);
  const std::string up = upper(self.text()), low = lower(self.text());
  return Value::of_bool((kUpper ? up : low) == self.text() && up != low);
}

Value format_method(Renderer& r, const Value& self, const Args& args) {
  return r.heap.text(format_braces(r, self.text(), args));
}

Value entries(Renderer& r, const Value& self, const Args& args, SequenceKind kind) {
  args.none("a view of a dict");
  std::vector<Value> out;
  for (const auto& [key, value] : self.dict->entries) {
    out.push_back(kind == SequenceKind::dict_keys     ? key
                  : kind == SequenceKind::dict_values ? value
                                                      : r.heap.tuple({key, value}));
  }
  return r.heap.list(std::move(out), kind);
}

Value items_method(Renderer& r, const Value& self, const Args& args) {
  return entries(r, self, args, SequenceKind::dict_items);
}
Value keys_method(Renderer& r, const Value& self, const Args& args) {
  return entries(r, self, args, SequenceKind::dict_keys);
}
Value values_method(Renderer& r, const Value& self, const Args& args) {
  return entries(r, self, args, SequenceKind::dict_values);
}

Value get_method(Renderer& r, const Value& self, const Args& args) {
  const auto [key, fallback] = args.bind<2>("get", {"key", "default"}, 1);
  const Value* found = dict_find(r.heap, *self.dict, *key);
  return found ? *found : fallback ? *fallback : Value::none();
}

Value update_method(Renderer& r, const Value& self, const Args& args) {
  for (const Value& other : args.positional) {
    if (!other.is(Type::dict)) fail("update needs a dict");
    const auto copied = other.dict->entries;
    for (const auto& [key, value] : copied) dict_set(r.heap, *self.dict, key, value);
  }
  for (const auto& [key, value] : args.named) dict_set(r.heap, *self.dict, r.heap.view(key), value);
  return Value::none();
}

Value setdefault_method(Renderer& r, const Value& self, const Args& args) {
  const auto [key, fallback] = args.bind<2>("setdefault", {"key", "default"}, 1);
  if (const Value* found = dict_find(r.heap, *self.dict, *key)) return *found;
  const Value value = fallback ? *fallback : Value::none();
  dict_set(r.heap, *self.dict, *key, value);
  return value;
}

Value dict_pop_method(Renderer& r, const Value& self, const Args& args) {
  const auto [key, fallback] = args.bind<2>("pop", {"key", "default"}, 1);
  auto& all = self.dict->entries;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!equal(r.heap, all[i].first, *key)) continue;
    const Value value = all[i].second;
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
    return value;
  }
  if (!fallback) fail("pop: the dict has no such key");
  return *fallback;
}

Value copy_method(Renderer& r, const Value& self, const Args& args) {
  args.none("copy");
  if (self.is(Type::sequence)) return r.heap.list(iterate(r.heap, self));
  Value made = Value::of(Type::dict);
  made.dict = r.heap.make<Dict>();
  r.heap.charge(self.dict->entries.size() * 2 * sizeof(Value));
  made.dict->entries = self.dict->entries;
  return made;
}

std::size_t place(const Value& list, std::int64_t at, bool clamp) {
  const auto n = static_cast<std::int64_t>(list.sequence->items.size());
  if (at < 0) at += n;
  if (clamp) return static_cast<std::size_t>(std::clamp<std::int64_t>(at, 0, n));
  if (at < 0 || at >= n) fail("pop: no such index in the list");
  return static_cast<std::size_t>(at);
}

Value append_method(Renderer& r, const Value& self, const Args& args) {
  const auto [item] = args.bind<1>("append", {"object"}, 1);
  r.heap.charge(2 * sizeof(Value));
  self.sequence->items.push_back(*item);
  return Value::none();
}

Value extend_method(Renderer& r, const Value& self, const Args& args) {
  const auto [items] = args.bind<1>("extend", {"iterable"}, 1);
  for (const Value& v : iterate(r.heap, *items)) self.sequence->items.push_back(v);
  return Value::none();
}

Value insert_method(Renderer& r, const Value& self, const Args& args) {
  const auto [index, item] = args.bind<2>("insert", {"index", "object"}, 2);
  r.heap.charge(2 * sizeof(Value));
  r.heap.step(self.sequence->items.size() / 16);
  const std::size_t at = place(self, want_int(*index, "the index"), true);
  self.sequence->items.insert(self.sequence->items.begin() + static_cast<std::ptrdiff_t>(at),
                              *item);
  return Value::none();
}

Value list_pop_method(Renderer& r, const Value& self, const Args& args) {
  const auto [index] = args.bind<1>("pop", {"index"});
  const std::size_t at = place(self, index ? want_int(*index, "the index") : -1, false);
  r.heap.step(self.sequence->items.size() / 16);
  const Value value = self.sequence->items[at];
  self.sequence->items.erase(self.sequence->items.begin() + static_cast<std::ptrdiff_t>(at));
  return value;
}

Value reverse_method(Renderer& r, const Value& self, const Args& args) {
  args.none("reverse");
  r.heap.step(self.sequence->items.size() / 16);
  std::reverse(self.sequence->items.begin(), self.sequence->items.end());
  return Value::none();
}

Value index_method(Renderer& r, const Value& self, const Args& args) {
  const auto [item] = args.bind<1>("index", {"value"}, 1);
  for (std::size_t i = 0; i < self.sequence->items.size(); ++i) {
    if (equal(r.heap, self.sequence->items[i], *item))
      return Value::of_int(static_cast<std::int64_t>(i));
  }
  fail("index: the value is not in the list");
}

using Named = std::pair<std::string_view, Method>;

constexpr Named kStringMethods[] = {{"strip", strip_method<Side::both>},
                                    {"lstrip", strip_method<Side::left>},
                                    {"rstrip", strip_method<Side::right>},
                                    {"split", split_method},
                                    {"rsplit", rsplit_method},
                                    {"splitlines", splitlines_method},
                                    {"startswith", affix_method<false>},
                                    {"endswith", affix_method<true>},
                                    {"replace", replace_method},
                                    {"find", find_method_of_string<false>},
                                    {"index", find_method_of_string<true>},
                                    {"count", count_method},
                                    {"upper", map_method<upper>},
                                    {"lower", map_method<lower>},
                                    {"title", map_method<title>},
                                    {"capitalize", map_method<capitalize>},
                                    {"join", join_method},
                                    {"format", format_method},
                                    {"removeprefix", removeprefix_method},
                                    {"removesuffix", removesuffix_method},
                                    {"isspace", all_points<is_space>},
                                    {"isdigit", all_points<is_digit_point>},
                                    {"isnumeric", all_points<is_digit_point>},
                                    {"isdecimal", all_points<is_digit_point>},
                                    {"isalpha", all_points<is_letter>},
                                    {"isalnum", all_points<is_alnum_point>},
                                    {"isupper", case_question<true>},
                                    {"islower", case_question<false>}};

constexpr Named kDictMethods[] = {{"items", items_method},           {"keys", keys_method},
                                  {"values", values_method},         {"get", get_method},
                                  {"update", update_method},         {"pop", dict_pop_method},
                                  {"setdefault", setdefault_method}, {"copy", copy_method}};

constexpr Named kListMethods[] = {{"append", append_method},   {"extend", extend_method},
                                  {"insert", insert_method},   {"pop", list_pop_method},
                                  {"reverse", reverse_method}, {"copy", copy_method},
                                  {"index", index_method},     {"count", count_method}};

constexpr Named kTupleMethods[] = {{"index", index_method}, {"count", count_method}};

template <std::size_t N>
Method look(const Named (&methods)[N], std::string_view name) {
  for (const auto& [known, method] : methods) {
    if (known == name) return method;
  }
  return nullptr;
}

}  // namespace

Method find_method(const Value& object, std::string_view name) {
  if (object.is_string()) return look(kStringMethods, name);
  if (object.is(Type::dict)) return look(kDictMethods, name);
  if (!object.is(Type::sequence)) return nullptr;
  if (object.sequence->kind == SequenceKind::list) return look(kListMethods, name);
  return object.sequence->kind == SequenceKind::tuple ? look(kTupleMethods, name) : nullptr;
}

}  // namespace drystone::jinja
