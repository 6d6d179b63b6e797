#include <fmt/format.h>

#include <cmath>

#include "model/chat_template/print.h"
#include "model/chat_template/render.h"
#include "model/chat_template/text.h"

namespace drystone::jinja {

void fail_undefined(const Value& v) {
  fail(v.hint ? std::string(v.hint->text) : "an undefined value was used");
}

std::int64_t want_int(const Value& v, std::string_view what) {
  if (v.is(Type::undefined)) fail_undefined(v);
  if (!v.is_integral()) fail(fmt::format("{} must be an integer, not {}", what, type_name(v)));
  return v.as_int();
}

std::string_view want_text(const Value& v, std::string_view what) {
  if (v.is(Type::undefined)) fail_undefined(v);
  if (!v.is_string()) fail(fmt::format("{} must be a string, not {}", what, type_name(v)));
  return v.text();
}

namespace {

Value checked(bool overflow, std::int64_t result) {
  if (overflow) fail_limit("an integer beyond 64 bits");
  return Value::of_int(result);
}

Value power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  bool overflow = false;
  while (exponent > 0) {
    if (exponent & 1) overflow |= __builtin_mul_overflow(result, base, &result);
    exponent >>= 1;
    if (exponent > 0 && base != 0 && base != 1 && base != -1)
      overflow |= __builtin_mul_overflow(base, base, &base);
    else if (exponent > 0)
      base *= base;
    if (overflow) break;
  }
  return checked(overflow, result);
}

Value integers(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if (op == "+") return overflow = __builtin_add_overflow(a, b, &result), checked(overflow, result);
  if (op == "-") return overflow = __builtin_sub_overflow(a, b, &result), checked(overflow, result);
  if (op == "*") return overflow = __builtin_mul_overflow(a, b, &result), checked(overflow, result);
  if (op == "**" && b >= 0) return power(a, b);
  if (op == "**") return Value::of_real(std::pow(static_cast<double>(a), static_cast<double>(b)));
  if (b == 0) fail("division by zero");
  if (op == "/") return Value::of_real(static_cast<double>(a) / static_cast<double>(b));
  if (b == -1)
    return op == "//" ? checked(a == INT64_MIN, a == INT64_MIN ? 0 : -a) : Value::of_int(0);
  std::int64_t quotient = a / b, rest = a % b;
  if (rest != 0 && (rest < 0) != (b < 0)) {  // Python rounds down
    --quotient;
    rest += b;
  }
  return Value::of_int(op == "//" ? quotient : rest);
}

Value reals(std::string_view op, double a, double b) {
  if (op == "+") return Value::of_real(a + b);
  if (op == "-") return Value::of_real(a - b);
  if (op == "*") return Value::of_real(a * b);
  if (op == "**") return Value::of_real(std::pow(a, b));
  if (b == 0) fail("division by zero");
  if (op == "/") return Value::of_real(a / b);
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (op == "%") return Value::of_real(rest);
  return Value::of_real(std::floor((a - rest) / b + 0.5));
}

Value repeat(Renderer& r, const Value& v, std::int64_t times) {
  if (times < 0) times = 0;
  const std::uint64_t size =
      v.is_string() ? v.text().size() : v.sequence->items.size() * sizeof(Value);
  if (size == 0) times = 0;
  if (times > 0 && size > r.heap.limits().bytes / static_cast<std::uint64_t>(times)) {
    fail_limit(fmt::format("a value repeated {} times exceeds the memory of a template", times));
  }
  r.heap.charge(size * static_cast<std::uint64_t>(times));
  if (v.is_string()) {
    std::string out;
    for (; times > 0; --times) out += v.text();
    return r.heap.text(std::move(out));
  }
  std::vector<Value> out;
  for (; times > 0; --times)
    out.insert(out.end(), v.sequence->items.begin(), v.sequence->items.end());
  return r.heap.list(std::move(out), v.sequence->kind);
}

bool is_plain(const Value& v) {
  return v.is(Type::sequence) && v.sequence->kind <= SequenceKind::tuple;
}

}  // namespace

Value binary(Renderer& r, std::string_view op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integral() && b.is_integral()) return integers(op, a.as_int(), b.as_int());
    return reals(op, a.as_real(), b.as_real());
  }
  if (a.is(Type::undefined)) fail_undefined(a);
  if (op == "%" && a.is_string()) return r.heap.text(format_percent(r, a.text(), b));
  if (b.is(Type::undefined)) fail_undefined(b);
  if (op == "+" && a.is_string() && b.is_string()) {
    r.heap.charge(a.text().size() + b.text().size());
    std::string joined(a.text());
    joined += b.text();
    return r.heap.text(std::move(joined));
  }
  if (op == "+" && is_plain(a) && is_plain(b) && a.sequence->kind == b.sequence->kind) {
    std::vector<Value> items = iterate(r.heap, a);
    for (const Value& v : iterate(r.heap, b)) items.push_back(v);
    return r.heap.list(std::move(items), a.sequence->kind);
  }
  if (op == "*" && (a.is_string() || is_plain(a)) && b.is_integral())
    return repeat(r, a, b.as_int());
  if (op == "*" && (b.is_string() || is_plain(b)) && a.is_integral())
    return repeat(r, b, a.as_int());
  fail(fmt::format("'{}' has no meaning between {} and {}", op, type_name(a), type_name(b)));
}

bool contains(Renderer& r, const Value& container, const Value& item) {
  if (container.is_string()) {
    r.heap.step(container.text().size() / 64);
    return find(container.text(), want_text(item, "what is looked for in a string")) !=
           std::string_view::npos;
  }
  if (container.is(Type::dict)) return dict_find(r.heap, *container.dict, item) != nullptr;
  if (container.is(Type::sequence) && container.sequence->kind != SequenceKind::generator) {
    for (const Value& v : container.sequence->items) {
      if (equal(r.heap, v, item)) return true;
    }
    return false;
  }
  for (const Value& v : iterate(r.heap, container)) {
    if (equal(r.heap, v, item)) return true;
  }
  return false;
}

// %s %r %d %i %x %f %.2f %5d %-5s %05d %%, and %(name)s.
std::string format_percent(Renderer& r, std::string_view format, const Value& values) {
  const bool many = values.is(Type::sequence) && values.sequence->kind == SequenceKind::tuple;
  std::size_t next = 0;
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    if (++i >= format.size()) fail("a format ends after '%'");
    if (format[i] == '%') {
      out += '%';
      continue;
    }
    Value v;
    if (format[i] == '(') {
      const std::size_t close = format.find(')', i);
      if (close == std::string_view::npos || !values.is(Type::dict))
        fail("'%(name)s' needs ')' and a dict");
      const Value* found = dict_find(r.heap, *values.dict, format.substr(i + 1, close - i - 1));
      if (!found)
        fail(fmt::format("the format's '{}' is missing", format.substr(i + 1, close - i - 1)));
      v = *found;
      i = close + 1;
    } else {
      if (next >= (many ? values.sequence->items.size() : 1))
        fail("not enough values for the format");
      v = many ? values.sequence->items[next] : values;
      ++next;
    }
    std::string spec;
    while (i < format.size() &&
           std::string_view("-+ 0123456789.#").find(format[i]) != std::string_view::npos &&
           spec.size() < 8) {
      spec += format[i++];
    }
    const char kind = i < format.size() ? format[i] : '\0';
    const bool left = spec.starts_with('-');
    if (left) spec.erase(0, 1);
    const std::size_t dot = spec.find('.');
    if (std::atoi(spec.c_str()) > 999 ||
        (dot != std::string::npos && std::atoi(spec.c_str() + dot + 1) > 99)) {
      fail_limit("a format's width is at most 999, its precision 99");
    }
    if (kind == 's' || kind == 'r') {
      std::string text = kind == 's' ? to_text(r.heap, v) : to_repr(r.heap, v);
      const Value held = r.heap.text(std::move(text));
      std::string_view view = held.text();
      if (dot != std::string::npos) {
        const std::int64_t points =
            std::min<std::int64_t>(std::atoi(spec.c_str() + dot + 1), count_points(*held.string));
        view = view.substr(0, byte_offset(*held.string, points));
      }
      const auto width = static_cast<std::int64_t>(std::atoi(spec.c_str()));
      const std::string pad(
          static_cast<std::size_t>(std::max<std::int64_t>(0, width - count_points(*held.string))),
          ' ');
      out += left ? std::string(view) + pad : pad + std::string(view);
    } else if (std::string_view("dixX").find(kind) != std::string_view::npos && v.is_number()) {
      const auto number =
          v.is(Type::real) ? static_cast<long long>(v.real) : static_cast<long long>(v.as_int());
      out += fmt::format(fmt::runtime("{:" + std::string(left ? "<" : "") + spec +
                                      (kind == 'i' ? 'd' : kind) + "}"),
                         number);
    } else if (std::string_view("feEgG").find(kind) != std::string_view::npos && v.is_number()) {
      if (dot == std::string::npos) spec += ".6";
      out += fmt::format(fmt::runtime("{:" + std::string(left ? "<" : "") + spec + kind + "}"),
                         v.as_real());
    } else {
      fail(fmt::format("the format '%{}' is not supported for {}", kind, type_name(v)));
    }
    r.heap.charge(64);
  }
  if (next < (many ? values.sequence->items.size() : values.is(Type::dict) ? 0 : 1)) {
    fail("not all values of a format were used");
  }
  return out;
}

// str.format with {}, {0}, {name}; no format specifications.
std::string format_braces(Renderer& r, std::string_view format, const Args& args) {
  std::string out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char c = format[i];
    if ((c == '{' || c == '}') && i + 1 < format.size() && format[i + 1] == c) {
      out += c;
      ++i;
    } else if (c == '{') {
      const std::size_t close = format.find('}', i);
      if (close == std::string_view::npos) fail("format: '{' without '}'");
      const std::string_view field = format.substr(i + 1, close - i - 1);
      const Value* v = nullptr;
      if (field.find_first_not_of("0123456789") == std::string_view::npos && field.size() < 6) {
        const std::size_t at =
            field.empty() ? next++
                          : static_cast<std::size_t>(std::atoi(std::string(field).c_str()));
        if (at < args.positional.size()) v = &args.positional[at];
      }
      for (const auto& [name, value] : args.named) {
        if (name == field) v = &value;
      }
      if (!v)
        fail(fmt::format("format: nothing for '{{{}}}' (format specifications are not supported)",
                         field));
      out += to_text(r.heap, *v);
      i = close;
    } else if (c == '}') {
      fail("format: '}' without '{'");
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace drystone::jinja
