#include <fmt/format.h>

#include <algorithm>

#include "model/chat_template/filters.h"
#include "model/chat_template/print.h"
#include "model/chat_template/text.h"

namespace drystone::jinja {

namespace {

Value generator(Renderer& r, std::vector<Value> items) {
  return r.heap.list(std::move(items), SequenceKind::generator);
}

Args rest_of(const Args& args, std::size_t from) {
  Args rest;
  if (args.positional.size() > from)
    rest.positional.assign(args.positional.begin() + static_cast<std::ptrdiff_t>(from),
                           args.positional.end());
  rest.named = args.named;
  return rest;
}

Value length_filter(Renderer&, const Value& v, const Args& args) {
  args.none("length");
  return Value::of_int(length_of(v));
}

Value list_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("list");
  return r.heap.list(iterate(r.heap, v));
}

Value items_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("items");
  if (v.is(Type::undefined)) return generator(r, {});
  if (!v.is(Type::dict)) fail(fmt::format("items needs a mapping, not {}", type_name(v)));
  std::vector<Value> out;
  for (const auto& [key, value] : v.dict->entries) out.push_back(r.heap.tuple({key, value}));
  return generator(r, std::move(out));
}

Value first_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("first");
  const std::vector<Value> items = iterate(r.heap, v);
  return items.empty() ? r.heap.undefined("No first item, sequence was empty.") : items.front();
}

Value last_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("last");
  const std::vector<Value> items = iterate(r.heap, v);
  return items.empty() ? r.heap.undefined("No last item, sequence was empty.") : items.back();
}

Value reverse_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("reverse");
  std::vector<Value> items = iterate(r.heap, v);
  std::reverse(items.begin(), items.end());
  if (!v.is_string()) return generator(r, std::move(items));
  std::string text;
  for (const Value& item : items) text += item.text();
  return r.heap.text(std::move(text));
}

Value join_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [sep, attribute] = args.bind<2>("join", {"d", "attribute"});
  const std::string between = sep ? to_text(r.heap, *sep) : "";
  std::string out;
  bool first = true;
  for (const Value& item : iterate(r.heap, v)) {
    if (!std::exchange(first, false)) out += between;
    r.heap.charge(between.size());
    out += to_text(r.heap,
                   attribute && !attribute->is(Type::none) ? get_path(r, item, *attribute) : item);
  }
  return r.heap.text(std::move(out));
}

Value map_filter(Renderer& r, const Value& v, const Args& args) {
  std::vector<Value> out;
  if (args.positional.empty()) {
    const auto [attribute, fallback] = args.bind<2>("map", {"attribute", "default"}, 1);
    for (const Value& item : iterate(r.heap, v)) {
      const Value got = get_path(r, item, *attribute);
      out.push_back(got.is(Type::undefined) && fallback ? *fallback : got);
    }
    return generator(r, std::move(out));
  }
  const std::string_view name = want_text(args.positional[0], "the filter of map");
  const Args rest = rest_of(args, 1);
  for (const Value& item : iterate(r.heap, v)) out.push_back(r.call_filter(name, item, rest));
  return generator(r, std::move(out));
}

template <bool kKeep, bool kAttribute>
Value select_filter(Renderer& r, const Value& v, const Args& args) {
  if (kAttribute && args.positional.empty()) fail("selectattr needs the name of an attribute");
  const std::size_t at = kAttribute ? 1 : 0;
  const bool tested = args.positional.size() > at;
  const std::string_view test =
      tested ? want_text(args.positional[at], "the test of a selection") : "";
  const Args rest = rest_of(args, at + 1);
  std::vector<Value> out;
  for (const Value& item : iterate(r.heap, v)) {
    const Value subject = kAttribute ? get_path(r, item, args.positional[0]) : item;
    if ((tested ? r.call_test(test, subject, rest) : truth(subject)) == kKeep) out.push_back(item);
  }
  return generator(r, std::move(out));
}

// What items are ordered by: an attribute, strings without regard to case.
class Order {
 public:
  Order(Renderer& r, const Value* case_sensitive, const Value* attribute)
      : renderer_(r),
        folds_(!case_sensitive || !truth(*case_sensitive)),
        attribute_(attribute && !attribute->is(Type::none) ? attribute : nullptr) {}

  Value key(const Value& item) const {
    if (!attribute_) return folded(item);
    if (!attribute_->is_string() || attribute_->text().find(',') == std::string_view::npos) {
      return folded(get_path(renderer_, item, *attribute_));
    }
    std::vector<Value> keys;  // "a,b": first by a, then by b
    for (std::string_view rest = attribute_->text();;) {
      const std::size_t comma = rest.find(',');
      keys.push_back(folded(get_path(renderer_, item, renderer_.heap.view(rest.substr(0, comma)))));
      if (comma == std::string_view::npos) return renderer_.heap.list(std::move(keys));
      rest.remove_prefix(comma + 1);
    }
  }

  std::vector<std::pair<Value, Value>> sorted(const std::vector<Value>& items, bool reverse) const {
    std::vector<std::pair<Value, Value>> keyed;
    for (const Value& item : items) keyed.emplace_back(key(item), item);
    std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
      return reverse ? less(renderer_.heap, b.first, a.first)
                     : less(renderer_.heap, a.first, b.first);
    });
    return keyed;
  }

 private:
  Value folded(const Value& v) const {
    return folds_ && v.is_string() ? renderer_.heap.text(lower(v.text())) : v;
  }

  Renderer& renderer_;
  bool folds_;
  const Value* attribute_;
};

Value sort_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [reverse, sensitive, attribute] =
      args.bind<3>("sort", {"reverse", "case_sensitive", "attribute"});
  std::vector<Value> out;
  for (const auto& [key, item] :
       Order(r, sensitive, attribute).sorted(iterate(r.heap, v), reverse && truth(*reverse))) {
    out.push_back(item);
  }
  return r.heap.list(std::move(out));
}

Value dictsort_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [sensitive, by, reverse] =
      args.bind<3>("dictsort", {"case_sensitive", "by", "reverse"});
  if (!v.is(Type::dict)) fail(fmt::format("dictsort needs a mapping, not {}", type_name(v)));
  const std::string_view which = by ? want_text(*by, "by") : "key";
  if (which != "key" && which != "value") fail("dictsort: by is 'key' or 'value'");
  const Value place = Value::of_int(which == "value");
  std::vector<Value> pairs;
  for (const auto& [key, value] : v.dict->entries) pairs.push_back(r.heap.tuple({key, value}));
  std::vector<Value> out;
  for (const auto& [key, item] :
       Order(r, sensitive, &place).sorted(pairs, reverse && truth(*reverse)))
    out.push_back(item);
  return r.heap.list(std::move(out));
}

Value unique_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [sensitive, attribute] = args.bind<2>("unique", {"case_sensitive", "attribute"});
  const Order order(r, sensitive, attribute);
  std::vector<Value> seen, out;
  for (const Value& item : iterate(r.heap, v)) {
    const Value key = order.key(item);
    const bool known = std::any_of(seen.begin(), seen.end(),
                                   [&](const Value& s) { return equal(r.heap, s, key); });
    if (known) continue;
    seen.push_back(key);
    out.push_back(item);
  }
  return generator(r, std::move(out));
}

template <bool kMax>
Value extreme_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [sensitive, attribute] =
      args.bind<2>(kMax ? "max" : "min", {"case_sensitive", "attribute"});
  const Order order(r, sensitive, attribute);
  const std::vector<Value> items = iterate(r.heap, v);
  if (items.empty()) return r.heap.undefined("No aggregated item, sequence was empty.");
  std::size_t best = 0;
  Value best_key = order.key(items[0]);
  for (std::size_t i = 1; i < items.size(); ++i) {
    const Value key = order.key(items[i]);
    if (kMax ? !less(r.heap, best_key, key) : !less(r.heap, key, best_key)) continue;
    best = i;
    best_key = key;
  }
  return items[best];
}

Value sum_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [attribute, start] = args.bind<2>("sum", {"attribute", "start"});
  Value total = start ? *start : Value::of_int(0);
  for (const Value& item : iterate(r.heap, v)) {
    total = binary(r, "+", total,
                   attribute && !attribute->is(Type::none) ? get_path(r, item, *attribute) : item);
  }
  return total;
}

Value groupby_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [attribute, fallback, sensitive] =
      args.bind<3>("groupby", {"attribute", "default", "case_sensitive"}, 1);
  if (fallback) fail("groupby: default is not supported");
  std::vector<Value> groups;
  Value last_key;
  for (const auto& [key, item] : Order(r, sensitive, attribute).sorted(iterate(r.heap, v), false)) {
    if (groups.empty() || !equal(r.heap, key, last_key)) {
      const Value shown = get_path(r, item, *attribute);
      groups.push_back(r.heap.tuple({shown, r.heap.list({})}));
      last_key = key;
    }
    r.heap.charge(sizeof(Value));
    groups.back().sequence->items[1].sequence->items.push_back(item);
  }
  return r.heap.list(std::move(groups));
}

Value batch_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [linecount, fill] = args.bind<2>("batch", {"linecount", "fill_with"}, 1);
  const std::int64_t size = want_int(*linecount, "the size of a batch");
  if (size < 1 || size > 100'000) fail("batch: the size must be within 1 and 100000");
  std::vector<Value> batches;
  for (const Value& item : iterate(r.heap, v)) {
    if (batches.empty() || static_cast<std::int64_t>(batches.back().sequence->items.size()) == size)
      batches.push_back(r.heap.list({}));
    r.heap.charge(sizeof(Value));
    batches.back().sequence->items.push_back(item);
  }
  if (!batches.empty() && fill && !fill->is(Type::none)) {
    r.heap.charge(static_cast<std::uint64_t>(size) * sizeof(Value));
    batches.back().sequence->items.resize(static_cast<std::size_t>(size), *fill);
  }
  return generator(r, std::move(batches));
}

Value attr_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [name] = args.bind<1>("attr", {"name"}, 1);
  const std::string_view text = want_text(*name, "the name of an attribute");
  return v.is(Type::dict) && !find_method(v, text)
             ? r.heap.undefined(fmt::format("'dict object' has no attribute '{}'", text))
             : get_attribute(r, v, text);
}

constexpr NamedFilter kFilters[] = {{"length", length_filter},
                                    {"count", length_filter},
                                    {"list", list_filter},
                                    {"items", items_filter},
                                    {"first", first_filter},
                                    {"last", last_filter},
                                    {"reverse", reverse_filter},
                                    {"join", join_filter},
                                    {"map", map_filter},
                                    {"select", select_filter<true, false>},
                                    {"reject", select_filter<false, false>},
                                    {"selectattr", select_filter<true, true>},
                                    {"rejectattr", select_filter<false, true>},
                                    {"sort", sort_filter},
                                    {"dictsort", dictsort_filter},
                                    {"unique", unique_filter},
                                    {"min", extreme_filter<false>},
                                    {"max", extreme_filter<true>},
                                    {"sum", sum_filter},
                                    {"groupby", groupby_filter},
                                    {"batch", batch_filter},
                                    {"attr", attr_filter}};

}  // namespace

std::span<const NamedFilter> sequence_filters() { return kFilters; }

}  // namespace drystone::jinja
