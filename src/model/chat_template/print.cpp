#include "model/chat_template/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/chat_template/text.h"

namespace drystone::jinja {

namespace {

constexpr int kDepthMax = 100;

class Printer {
 public:
  explicit Printer(Heap& heap) : heap_(heap) {}

  void repr(const Value& v, int depth) {
    if (depth > kDepthMax) fail_limit("printing values nested too deeply");
    heap_.step();
    switch (v.type) {
      case Type::undefined:
        add("Undefined");
        break;
      case Type::none:
        add("None");
        break;
      case Type::boolean:
        add(v.boolean ? "True" : "False");
        break;
      case Type::integer:
        add(std::to_string(v.integer));
        break;
      case Type::real:
        add(real_text(v.real));
        break;
      case Type::string:
        quoted(v.text());
        break;
      case Type::sequence:
        sequence(*v.sequence, depth);
        break;
      case Type::dict:
        dict(*v.dict, depth);
        break;
      case Type::space:
        add("<Namespace ");
        dict(*v.dict, depth);
        add(">");
        break;
      case Type::callable:
        add("<function>");
        break;
      case Type::loop:
        add("<loop>");
        break;
    }
  }

  std::string take() { return std::move(out_); }

 private:
  void add(std::string_view text) {
    heap_.charge(text.size());
    out_ += text;
  }

  void sequence(const Sequence& s, int depth) {
    static constexpr std::pair<std::string_view, std::string_view> kBrackets[] = {
        {"[", "]"},
        {"(", ")"},
        {"range(", ")"},
        {"<generator ", ">"},
        {"dict_keys([", "])"},
        {"dict_values([", "])"},
        {"dict_items([", "])"}};
    const auto [open, close] = kBrackets[static_cast<int>(s.kind)];
    add(open);
    if (s.kind == SequenceKind::range) {
      range(s);
    } else {
      for (std::size_t i = 0; i < s.items.size(); ++i) {
        if (i) add(", ");
        repr(s.items[i], depth + 1);
      }
      if (s.kind == SequenceKind::tuple && s.items.size() == 1) add(",");
    }
    add(close);
  }

  void range(const Sequence& s) {
    if (s.items.empty()) return add("0, 0");
    const std::int64_t first = s.items[0].integer,
                       step = s.items.size() > 1 ? s.items[1].integer - first : 1;
    add(fmt::format("{}, {}", first, s.items.back().integer + step));
    if (step != 1) add(fmt::format(", {}", step));
  }

  void dict(const Dict& d, int depth) {
    add("{");
    for (std::size_t i = 0; i < d.entries.size(); ++i) {
      if (i) add(", ");
      repr(d.entries[i].first, depth + 1);
      add(": ");
      repr(d.entries[i].second, depth + 1);
    }
    add("}");
  }

  void quoted(std::string_view text) {
    const char quote =
        find(text, "'") != std::string_view::npos && find(text, "\"") == std::string_view::npos
            ? '"'
            : '\'';
    std::string out(1, quote);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = point_bytes(text, at);
      const char32_t p = point_at(text, at);
      if (p == static_cast<unsigned char>(quote) || p == '\\') {
        out += '\\';
        out += static_cast<char>(p);
      } else if (p == '\n') {
        out += "\\n";
      } else if (p == '\r') {
        out += "\\r";
      } else if (p == '\t') {
        out += "\\t";
      } else if (p < 0x20 || (p >= 0x7f && p < 0xa1) || p == 0xad) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned>(p));
      } else if (p != ' ' && (is_space(p) || (p >= 0x200b && p <= 0x200f) || p == 0xfeff)) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned>(p));
      } else {
        out += text.substr(at, n);
      }
      at += n;
    }
    add(out + quote);
  }

  Heap& heap_;
  std::string out_;
};

class JsonPrinter {
 public:
  JsonPrinter(Heap& heap, const JsonStyle& style) : heap_(heap), style_(style) {}

  void print(const Value& v, int depth) {
    if (depth > kDepthMax) fail_limit("tojson of values nested too deeply");
    heap_.step();
    switch (v.type) {
      case Type::sequence:
        if (v.sequence->kind > SequenceKind::tuple) break;
        return array(v.sequence->items, depth);
      case Type::dict:
        return object(*v.dict, depth);
      case Type::string:
        return string(v.text());
      case Type::none:
      case Type::boolean:
      case Type::integer:
      case Type::real:
        return add(scalar(v));
      default:
        break;
    }
    fail(fmt::format("tojson: a value of type {} is not JSON", type_name(v)));
  }

  std::string take() { return std::move(out_); }

 private:
  void add(std::string_view text) {
    heap_.charge(text.size());
    out_ += text;
  }

  static std::string scalar(const Value& v) {
    if (v.is(Type::none)) return "null";
    if (v.is(Type::boolean)) return v.boolean ? "true" : "false";
    if (v.is(Type::integer)) return std::to_string(v.integer);
    if (std::isnan(v.real)) return "NaN";
    if (std::isinf(v.real)) return v.real > 0 ? "Infinity" : "-Infinity";
    return real_text(v.real);
  }

  void line(int depth) {
    if (!style_.indent) return;
    add("\n");
    for (int i = 0; i < depth; ++i) add(*style_.indent);
  }

  void array(const std::vector<Value>& items, int depth) {
    if (items.empty()) return add("[]");
    add("[");
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i) add(style_.item_separator);
      line(depth + 1);
      print(items[i], depth + 1);
    }
    line(depth);
    add("]");
  }

  void object(const Dict& dict, int depth) {
    if (dict.entries.empty()) return add("{}");
    auto entries = dict.entries;
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const auto& a, const auto& b) { return less(heap_, a.first, b.first); });
    }
    add("{");
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i) add(style_.item_separator);
      line(depth + 1);
      const Value& key = entries[i].first;
      if (key.is_string()) {
        string(key.text());
      } else if (key.is(Type::none) || key.is_number()) {
        string(scalar(key));
      } else {
        fail(fmt::format("tojson: a key of type {} is not JSON", type_name(key)));
      }
      add(style_.key_separator);
      print(entries[i].second, depth + 1);
    }
    line(depth);
    add("}");
  }

  void string(std::string_view text) {
    std::string out = "\"";
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = point_bytes(text, at);
      const char32_t p = point_at(text, at);
      static constexpr std::string_view kShort = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
      const std::size_t k = n == 1 ? kShort.find(text[at]) : std::string_view::npos;
      if (k != std::string_view::npos) {
        out += '\\';
        out += kLetters[k];
      } else if (p < 0x20 || (style_.ensure_ascii && p >= 0x7f && p < 0x10000)) {
        if (p == 0x7f) {
          out += text[at];
        } else {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(p));
        }
      } else if (style_.ensure_ascii && p >= 0x10000) {
        const unsigned rest = static_cast<unsigned>(p) - 0x10000;
        out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
      } else {
        out += text.substr(at, n);
      }
      at += n;
    }
    add(out + "\"");
  }

  Heap& heap_;
  const JsonStyle& style_;
  std::string out_;
};

}  // namespace

std::string real_text(double v) {
  if (std::isnan(v)) return "nan";
  std::string text = fmt::format("{}", v);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

std::string to_text(Heap& heap, const Value& v) {
  if (v.is(Type::undefined)) return "";
  if (v.is_string()) {
    heap.charge(v.text().size());
    return std::string(v.text());
  }
  return to_repr(heap, v);
}

std::string to_repr(Heap& heap, const Value& v) {
  Printer printer(heap);
  printer.repr(v, 0);
  return printer.take();
}

std::string to_json(Heap& heap, const Value& v, const JsonStyle& style) {
  JsonPrinter printer(heap, style);
  printer.print(v, 0);
  return printer.take();
}

}  // namespace drystone::jinja
