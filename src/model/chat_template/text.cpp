#include "model/chat_template/text.h"

#include <cstring>

namespace drystone::jinja {

std::size_t point_bytes(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t n = lead < 0x80   ? 1
                        : lead < 0xc2 ? 0
                        : lead < 0xe0 ? 2
                        : lead < 0xf0 ? 3
                        : lead < 0xf5 ? 4
                                      : 0;
  if (n == 0 || at + n > text.size()) return 1;
  for (std::size_t i = 1; i < n; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return 1;
  }
  return n;
}

char32_t point_at(std::string_view text, std::size_t at) {
  const std::size_t n = point_bytes(text, at);
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  switch (n) {
    case 1:
      return byte(0) < 0x80 ? byte(0) : U'\uFFFD';
    case 2:
      return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
    case 3:
      return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    default:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 |
             (byte(3) & 0x3f);
  }
}

void append_point(std::string& out, char32_t p) {
  if (p < 0x80) {
    out += static_cast<char>(p);
  } else if (p < 0x800) {
    out += static_cast<char>(0xc0 | p >> 6);
    out += static_cast<char>(0x80 | (p & 0x3f));
  } else if (p < 0x10000) {
    out += static_cast<char>(0xe0 | p >> 12);
    out += static_cast<char>(0x80 | (p >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (p & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | p >> 18);
    out += static_cast<char>(0x80 | (p >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (p >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (p & 0x3f));
  }
}

std::int64_t count_points(Str& string) {
  if (string.points >= 0) return string.points;
  std::int64_t count = 0;
  for (std::size_t at = 0; at < string.text.size(); at += point_bytes(string.text, at)) ++count;
  return string.points = count;
}

std::size_t byte_offset(Str& string, std::int64_t point) {
  if (count_points(string) == static_cast<std::int64_t>(string.text.size()))
    return static_cast<std::size_t>(point);
  std::size_t at = 0;
  for (; point > 0 && at < string.text.size(); --point) at += point_bytes(string.text, at);
  return at;
}

bool is_space(char32_t p) {
  return (p >= 9 && p <= 13) || (p >= 0x1c && p <= 0x20) || p == 0x85 || p == 0xa0 || p == 0x1680 ||
         (p >= 0x2000 && p <= 0x200a) || p == 0x2028 || p == 0x2029 || p == 0x202f || p == 0x205f ||
         p == 0x3000;
}

namespace {

template <typename Drop>
std::string_view strip_where(std::string_view text, Side side, Drop drop) {
  if (side != Side::right) {
    while (!text.empty() && drop(text, 0)) text.remove_prefix(point_bytes(text, 0));
  }
  while (side != Side::left && !text.empty()) {
    std::size_t last = text.size() - 1;
    const std::size_t lowest = text.size() > 4 ? text.size() - 4 : 0;
    for (std::size_t at = last;; --at) {  // the code point that ends the text
      if (at + point_bytes(text, at) == text.size()) last = at;
      if (at == lowest) break;
    }
    if (!drop(text, last)) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

}  // namespace

std::string_view strip(std::string_view text, Side side) {
  return strip_where(text, side,
                     [](std::string_view t, std::size_t at) { return is_space(point_at(t, at)); });
}

std::string_view strip(std::string_view text, Side side, std::string_view points) {
  return strip_where(text, side, [points](std::string_view t, std::size_t at) {
    return points.find(t.substr(at, point_bytes(t, at))) != std::string_view::npos;
  });
}

std::size_t find(std::string_view haystack, std::string_view needle, std::size_t from) {
  if (from > haystack.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* hit =
      memmem(haystack.data() + from, haystack.size() - from, needle.data(), needle.size());
  return hit ? static_cast<std::size_t>(static_cast<const char*>(hit) - haystack.data())
             : std::string_view::npos;
}

namespace {

bool in(char32_t p, char32_t low, char32_t high) { return p >= low && p <= high; }
// Blocks where capital and small letters alternate, capitals on even code points.
bool alternates_even(char32_t p) {
  return in(p, 0x100, 0x137) || in(p, 0x14a, 0x177) || in(p, 0x460, 0x481) || in(p, 0x48a, 0x4bf) ||
         in(p, 0x4d0, 0x52f) || in(p, 0x1e00, 0x1e95) || in(p, 0x1ea0, 0x1eff);
}
bool alternates_odd(char32_t p) { return in(p, 0x139, 0x148) || in(p, 0x179, 0x17e); }

char32_t to_upper(char32_t p) {
  if (in(p, 'a', 'z') || (in(p, 0xe0, 0xfe) && p != 0xf7) || (in(p, 0x3b1, 0x3c9) && p != 0x3c2))
    return p - 32;
  if (in(p, 0x430, 0x44f)) return p - 32;
  if (in(p, 0x450, 0x45f)) return p - 80;
  if (p == 0xff) return 0x178;
  if (p == 0x3c2) return 0x3a3;
  if (p == 0x3ac) return 0x386;
  if (in(p, 0x3ad, 0x3af)) return p - 37;
  if (p == 0x131) return 'I';
  if (alternates_even(p) && p != 0x130 && p != 0x138) return p & ~1u;
  if (alternates_odd(p)) return p % 2 == 0 ? p - 1 : p;
  return p;
}

char32_t to_lower(char32_t p) {
  if (in(p, 'A', 'Z') || (in(p, 0xc0, 0xde) && p != 0xd7) || (in(p, 0x391, 0x3a9) && p != 0x3a2))
    return p + 32;
  if (in(p, 0x410, 0x42f)) return p + 32;
  if (in(p, 0x400, 0x40f)) return p + 80;
  if (p == 0x178) return 0xff;
  if (p == 0x386) return 0x3ac;
  if (in(p, 0x388, 0x38a)) return p + 37;
  if (alternates_even(p) && p != 0x130 && p != 0x131 && p != 0x138) return p | 1u;
  if (alternates_odd(p)) return p % 2 == 1 ? p + 1 : p;
  return p;
}

template <typename Map>
std::string map_points(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t n = point_bytes(text, at);
    const char32_t p = point_at(text, at), mapped = map(p);
    if (mapped == p) {
      out += text.substr(at, n);  // also keeps bytes that are not UTF-8
    } else {
      append_point(out, mapped);
    }
    at += n;
  }
  return out;
}

}  // namespace

bool is_letter(char32_t p) {
  return to_upper(p) != p || to_lower(p) != p || in(p, 'a', 'z') || p == 0xdf ||
         in(p, 0x3400, 0x9fff) || in(p, 0x5d0, 0x5ea) || in(p, 0x620, 0x64a) ||
         in(p, 0x904, 0x939) || in(p, 0xac00, 0xd7a3);
}

std::string upper(std::string_view text) {
  std::string out;
  for (std::size_t start = 0;;) {  // the one letter whose capital is two
    const std::size_t sharp = find(text, "\u00df", start);
    const bool none = sharp == std::string_view::npos;
    out += map_points(text.substr(start, none ? sharp : sharp - start), to_upper);
    if (none) return out;
    out += "SS";
    start = sharp + 2;
  }
}

std::string lower(std::string_view text) { return map_points(text, to_lower); }

std::string capitalize(std::string_view text) {
  bool first = true;
  return map_points(
      text, [&](char32_t p) { return std::exchange(first, false) ? to_upper(p) : to_lower(p); });
}

std::string title(std::string_view text) {
  bool inside = false;
  return map_points(text, [&](char32_t p) {
    const char32_t mapped = inside ? to_lower(p) : to_upper(p);
    inside = is_letter(p);
    return mapped;
  });
}

}  // namespace drystone::jinja
