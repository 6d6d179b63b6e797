#include "model/chat_template/filters.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "model/chat_template/print.h"
#include "model/chat_template/text.h"

namespace drystone::jinja {

namespace {

// What Jinja's string filters see: anything, as text.
Value soft_text(Renderer& r, const Value& v) {
  return v.is_string() ? v : r.heap.text(to_text(r.heap, v));
}

Value to_json_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [ascii, indent, separators, sort] =
      args.bind<4>("tojson", {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = ascii && truth(*ascii);
  style.sort_keys = sort && truth(*sort);
  if (indent && !indent->is(Type::none)) {
    style.item_separator = ",";
    if (indent->is_string()) {
      style.indent = std::string(indent->text());
    } else {
      const std::int64_t n = want_int(*indent, "indent");
      if (n > 100) fail_limit("indent of more than 100");
      style.indent = std::string(static_cast<std::size_t>(std::max<std::int64_t>(n, 0)), ' ');
    }
  }
  if (separators && !separators->is(Type::none)) {
    const std::vector<Value> two = iterate(r.heap, *separators);
    if (two.size() != 2) fail("separators needs two strings");
    style.item_separator = want_text(two[0], "a separator");
    style.key_separator = want_text(two[1], "a separator");
  }
  return r.heap.text(to_json(r.heap, v, style));
}

Value string_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("string");
  return soft_text(r, v);
}

Value safe_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("safe");
  return soft_text(r, v);
}

Value trim_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [chars] = args.bind<1>("trim", {"chars"});
  const Value text = soft_text(r, v);
  if (!chars || chars->is(Type::none)) return r.heap.view(strip(text.text(), Side::both));
  return r.heap.view(strip(text.text(), Side::both, want_text(*chars, "the characters to trim")));
}

template <std::string (*kMap)(std::string_view)>
Value map_text(Renderer& r, const Value& v, const Args& args) {
  args.none("a filter that changes case");
  return r.heap.text(kMap(soft_text(r, v).text()));
}

// Unlike str.title: a word starts after white space, '-', and opening brackets only.
std::string title_words(std::string_view text) {
  std::string out;
  bool start = true;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t n = point_bytes(text, at);
    const std::string_view point = text.substr(at, n);
    const bool separator = is_space(point_at(text, at)) ||
                           std::string_view("-({[<").find(point) != std::string_view::npos;
    out += separator ? std::string(point) : start ? upper(point) : lower(point);
    start = separator;
    at += n;
  }
  return out;
}

Value method_filter(Renderer& r, const Value& v, const Args& args, std::string_view name) {
  const Value text = soft_text(r, v);
  return find_method(text, name)(r, text, args);
}

Value replace_filter(Renderer& r, const Value& v, const Args& args) {
  return method_filter(r, v, args, "replace");
}

Value format_filter(Renderer& r, const Value& v, const Args& args) {
  const Value text = soft_text(r, v);
  if (args.named.empty())
    return r.heap.text(format_percent(r, text.text(), r.heap.tuple(args.positional)));
  Value dict = Value::of(Type::dict);
  dict.dict = r.heap.make<Dict>();
  for (const auto& [name, value] : args.named)
    dict_set(r.heap, *dict.dict, r.heap.view(name), value);
  return r.heap.text(format_percent(r, text.text(), dict));
}

Value escape_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("escape");
  std::string out;
  for (const char c : soft_text(r, v).text()) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return r.heap.text(std::move(out));
}

Value indent_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [width, first, blank] = args.bind<3>("indent", {"width", "first", "blank"});
  std::string pad(4, ' ');
  if (width && width->is_string()) {
    pad = std::string(width->text());
  } else if (width) {
    const std::int64_t n = want_int(*width, "the width of indent");
    if (n > 1000) fail_limit("indent by more than 1000");
    pad.assign(static_cast<std::size_t>(std::max<std::int64_t>(n, 0)), ' ');
  }
  const std::string_view text = soft_text(r, v).text();
  std::string out = first && truth(*first) ? pad : "";
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const std::string_view one = text.substr(from, end - from);
    r.heap.charge(one.size() + pad.size() + 1);
    if (from > 0) {
      out += '\n';
      if (!one.empty() || (blank && truth(*blank))) out += pad;
    }
    out += one;
    from = end + 1;
  }
  return r.heap.text(std::move(out));
}

Value wordcount_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("wordcount");
  const std::string_view text = soft_text(r, v).text();
  std::int64_t words = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size(); at += point_bytes(text, at)) {
    const char32_t p = point_at(text, at);
    const bool word = is_letter(p) || p == '_' || (p >= '0' && p <= '9') || p >= 0x80;
    words += word && !inside;
    inside = word && !is_space(p);
  }
  return Value::of_int(words);
}

Value int_filter(Renderer&, const Value& v, const Args& args) {
  const auto [fallback, base] = args.bind<2>("int", {"default", "base"});
  const Value otherwise = fallback ? *fallback : Value::of_int(0);
  if (v.is(Type::undefined)) fail_undefined(v);
  if (v.is_integral()) return Value::of_int(v.as_int());
  double real = 0;
  if (v.is(Type::real)) {
    real = v.real;
  } else if (v.is_string()) {
    std::string text(strip(v.text(), Side::both));
    if (text.starts_with('+')) text.erase(0, 1);
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    const int radix = base ? static_cast<int>(want_int(*base, "the base")) : 10;
    if (radix < 2 || radix > 36) fail("int: the base must be within 2 and 36");
    auto parsed = std::from_chars(text.data(), end, number, radix);
    if (parsed.ec == std::errc() && parsed.ptr == end) return Value::of_int(number);
    const auto as_real = std::from_chars(text.data(), end, real);
    if (as_real.ec != std::errc() || as_real.ptr != end) return otherwise;
  } else {
    return otherwise;
  }
  if (!(std::abs(real) < 9.2e18)) return otherwise;
  return Value::of_int(static_cast<std::int64_t>(real));
}

Value float_filter(Renderer&, const Value& v, const Args& args) {
  const auto [fallback] = args.bind<1>("float", {"default"});
  if (v.is(Type::undefined)) fail_undefined(v);
  if (v.is_number()) return Value::of_real(v.as_real());
  if (v.is_string()) {
    std::string text(strip(v.text(), Side::both));
    if (text.starts_with('+')) text.erase(0, 1);
    double real = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), real);
    if (!text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size())
      return Value::of_real(real);
  }
  return fallback ? *fallback : Value::of_real(0);
}

Value abs_filter(Renderer& r, const Value& v, const Args& args) {
  args.none("abs");
  if (v.is(Type::real)) return Value::of_real(std::abs(v.real));
  const std::int64_t n = want_int(v, "what abs is taken of");
  return n < 0 ? binary(r, "-", Value::of_int(0), Value::of_int(n)) : Value::of_int(n);
}

Value round_filter(Renderer&, const Value& v, const Args& args) {
  const auto [precision, method] = args.bind<2>("round", {"precision", "method"});
  if (v.is(Type::undefined)) fail_undefined(v);
  if (!v.is_number()) fail(fmt::format("a value of type {} cannot be rounded", type_name(v)));
  const std::int64_t digits = precision ? want_int(*precision, "the precision of round") : 0;
  const std::string_view how = method ? want_text(*method, "the method of round") : "common";
  if (digits < -300 || digits > 300) fail_limit("round: a precision beyond 300 digits");
  const double x = v.as_real();
  if (how == "common") {
    if (v.is_integral() && digits >= 0) return Value::of_int(v.as_int());
    if (digits >= 0) {  // correctly rounded decimal, as Python's round()
      if (!std::isfinite(x)) return Value::of_real(x);
      return Value::of_real(std::strtod(fmt::format("{:.{}f}", x, digits).c_str(), nullptr));
    }
    const double factor = std::pow(10.0, static_cast<double>(-digits));
    const double rounded = std::nearbyint(x / factor) * factor;
    return v.is_integral()
               ? Value::of_int(static_cast<std::int64_t>(std::clamp(rounded, -9e18, 9e18)))
               : Value::of_real(rounded);
  }
  if (how != "ceil" && how != "floor") fail("round: the method is common, ceil or floor");
  const double factor = std::pow(10.0, static_cast<double>(digits));
  return Value::of_real((how == "ceil" ? std::ceil(x * factor) : std::floor(x * factor)) / factor);
}

Value default_filter(Renderer& r, const Value& v, const Args& args) {
  const auto [fallback, boolean] = args.bind<2>("default", {"default_value", "boolean"});
  if (v.is(Type::undefined) || (boolean && truth(*boolean) && !truth(v)))
    return fallback ? *fallback : r.heap.view("");
  return v;
}

constexpr NamedFilter kFilters[] = {{"tojson", to_json_filter},
                                    {"string", string_filter},
                                    {"safe", safe_filter},
                                    {"trim", trim_filter},
                                    {"upper", map_text<upper>},
                                    {"lower", map_text<lower>},
                                    {"capitalize", map_text<capitalize>},
                                    {"title", map_text<title_words>},
                                    {"replace", replace_filter},
                                    {"format", format_filter},
                                    {"escape", escape_filter},
                                    {"e", escape_filter},
                                    {"indent", indent_filter},
                                    {"wordcount", wordcount_filter},
                                    {"int", int_filter},
                                    {"float", float_filter},
                                    {"abs", abs_filter},
                                    {"round", round_filter},
                                    {"default", default_filter},
                                    {"d", default_filter}};

}  // namespace

std::span<const NamedFilter> text_filters() { return kFilters; }

Filter find_filter(std::string_view name) {
  for (const auto& filters : {text_filters(), sequence_filters()}) {
    for (const auto& [known, filter] : filters) {
      if (known == name) return filter;
    }
  }
  return nullptr;
}

}  // namespace drystone::jinja
