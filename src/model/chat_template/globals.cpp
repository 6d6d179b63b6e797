#include <fmt/format.h>

#include "model/chat_template/print.h"
#include "model/chat_template/render.h"

// The functions that every template sees.

namespace drystone::jinja {

namespace {

Value raise_exception(Renderer& r, Callable&, const Args& args) {
  const auto [message] = args.bind<1>("raise_exception", {"message"}, 1);
  throw Failure{Errc::invalid_argument, to_text(r.heap, *message), /*verbatim=*/true};
}

Value strftime_now(Renderer& r, Callable&, const Args& args) {
  const auto [format] = args.bind<1>("strftime_now", {"format"}, 1);
  const std::string text(want_text(*format, "the format of strftime_now"));
  if (text.empty()) return r.heap.view("");
  if (text.size() > 1000) fail_limit("the format of strftime_now has more than 1000 bytes");
  std::string out(100 * text.size() + 100, '\0');
  out.resize(std::strftime(out.data(), out.size(), text.c_str(), &r.now));
  return r.heap.text(std::move(out));
}

Value range(Renderer& r, Callable&, const Args& args) {
  constexpr std::uint64_t kRangeMax = 100'000;  // as Jinja's sandbox
  const auto [a, b, c] = args.bind<3>("range", {"start", "stop", "step"}, 1);
  const std::int64_t start = b ? want_int(*a, "range") : 0, stop = want_int(b ? *b : *a, "range");
  const std::int64_t step = c ? want_int(*c, "range") : 1;
  if (step == 0) fail("the step of range cannot be 0");
  std::vector<Value> items;
  if (step > 0 ? start < stop : start > stop) {
    const auto distance =
        step > 0 ? static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start)
                 : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(stop);
    const std::uint64_t stride =
        step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
    const std::uint64_t count = (distance - 1) / stride + 1;
    if (count > kRangeMax)
      fail_limit(fmt::format("range of {} numbers; at most {}", count, kRangeMax));
    r.heap.step(count / 8);
    for (std::uint64_t i = 0; i < count; ++i) {
      items.push_back(Value::of_int(static_cast<std::int64_t>(
          static_cast<std::uint64_t>(start) + i * static_cast<std::uint64_t>(step))));
    }
  }
  return r.heap.list(std::move(items), SequenceKind::range);
}

Value make_dict(Renderer& r, Type type, const Args& args) {
  Value made = Value::of(type);
  made.dict = r.heap.make<Dict>();
  for (const Value& source : args.positional) {
    if (source.is(Type::dict)) {
      for (const auto& [key, value] : source.dict->entries)
        dict_set(r.heap, *made.dict, key, value);
      continue;
    }
    for (const Value& pair : iterate(r.heap, source)) {
      const std::vector<Value> two = iterate(r.heap, pair);
      if (two.size() != 2) fail("dict needs pairs of key and value");
      dict_set(r.heap, *made.dict, two[0], two[1]);
    }
  }
  for (const auto& [name, value] : args.named)
    dict_set(r.heap, *made.dict, r.heap.view(name), value);
  return made;
}

Value dict(Renderer& r, Callable&, const Args& args) { return make_dict(r, Type::dict, args); }
Value space(Renderer& r, Callable&, const Args& args) { return make_dict(r, Type::space, args); }

// A joiner is silent when first called.
Value call_joiner(Renderer& r, Callable& self, const Args&) {
  return self.at++ == 0 ? r.heap.view("") : self.self;
}

Value joiner(Renderer& r, Callable&, const Args& args) {
  const auto [sep] = args.bind<1>("joiner", {"sep"});
  return r.function("joiner", call_joiner, sep ? *sep : r.heap.view(", "));
}

Value cycler_next(Renderer&, Callable& self, const Args&) {
  const auto& items = self.self.sequence->items;
  // items[0] is the state, the rest what is cycled through.
  auto& state = self.self.sequence->items[0];
  const Value out = items[1 + static_cast<std::size_t>(state.integer)];
  state.integer = (state.integer + 1) % static_cast<std::int64_t>(items.size() - 1);
  return out;
}

Value cycler_reset(Renderer&, Callable& self, const Args&) {
  self.self.sequence->items[0].integer = 0;
  return Value::none();
}

Value cycler(Renderer& r, Callable&, const Args& args) {
  if (args.positional.empty()) fail("cycler needs values");
  std::vector<Value> items{Value::of_int(0)};
  items.insert(items.end(), args.positional.begin(), args.positional.end());
  const Value state = r.heap.list(std::move(items));
  Value made = Value::of(Type::space);
  made.dict = r.heap.make<Dict>();
  dict_set(r.heap, *made.dict, r.heap.view("next"), r.function("next", cycler_next, state));
  dict_set(r.heap, *made.dict, r.heap.view("reset"), r.function("reset", cycler_reset, state));
  return made;
}

}  // namespace

void define_globals(Renderer& r, Scope& scope) {
  const std::pair<std::string_view, Callable::Function> globals[] = {
      {"raise_exception", raise_exception},
      {"strftime_now", strftime_now},
      {"range", range},
      {"dict", dict},
      {"namespace", space},
      {"joiner", joiner},
      {"cycler", cycler}};
  for (const auto& [name, function] : globals)
    scope.names.emplace_back(name, r.function(name, function));
}

}  // namespace drystone::jinja
