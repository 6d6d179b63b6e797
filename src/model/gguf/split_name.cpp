#include "model/gguf/split_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string>
#include <string_view>

namespace drystone {
namespace {

constexpr std::string_view kPattern = "-00000-of-00000.gguf";  // 0: any digit

bool matches(std::string_view text) {
  return std::ranges::equal(text, kPattern, [](char c, char pattern) {
    return pattern == '0' ? std::isdigit(static_cast<unsigned char>(c)) != 0 : c == pattern;
  });
}

std::uint32_t number(std::string_view digits) {
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

std::filesystem::path SplitName::part(std::uint32_t index) const {
  return fmt::format("{}-{:05}-of-{:05}.gguf", prefix.string(), index + 1, count);
}

std::optional<SplitName> parse_split_name(const std::filesystem::path& path) {
  const std::string text = path.string();
  if (text.size() <= kPattern.size()) return std::nullopt;
  const std::string_view tail = std::string_view(text).substr(text.size() - kPattern.size());
  if (!matches(tail)) return std::nullopt;
  const std::uint32_t part = number(tail.substr(1, 5)), count = number(tail.substr(10, 5));
  if (part < 1 || part > count || count > kSplitPartsMax) return std::nullopt;
  return SplitName{text.substr(0, text.size() - kPattern.size()), count};
}

}  // namespace drystone
