#include "cluster/members/member_entry.h"

#include <fmt/format.h>

namespace drystone::cluster {
namespace {

constexpr std::string_view kEntryLabel = "drystone member v1\n";
constexpr std::string_view kRemovalLabel = "drystone removal v1\n";

void append(std::string& out, std::span<const std::uint8_t> bytes) { out += bytes_of(bytes); }

// Big-endian.
void append_number(std::string& out, std::uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

// Length of the UTF-8 sequence at the front of `text`, 0 if there is none. Shortest forms only, no
// surrogates, up to U+10FFFF.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string signed_bytes(const ClusterId& cluster, const MemberEntry& entry) {
  std::string bytes(kEntryLabel);
  append(bytes, cluster);
  append(bytes, entry.key);
  append_number(bytes, entry.added_at, 8);
  append(bytes, entry.added_by);
  append_number(bytes, entry.name.size(), 2);
  bytes += entry.name;
  return bytes;
}

std::string signed_bytes(const ClusterId& cluster, const Removal& removal) {
  std::string bytes(kRemovalLabel);
  append(bytes, cluster);
  append(bytes, removal.key);
  append(bytes, removal.removed_by);
  append_number(bytes, removal.kept.size(), 2);
  for (const PublicKey& key : removal.kept) append(bytes, key);
  return bytes;
}

Result<void> check_name(std::string_view name) {
  if (name.empty()) return Error(Errc::invalid_argument, "the name of a node is empty");
  if (name.size() > kNameBytesMax)
    return Error(Errc::invalid_argument, fmt::format("the name of a node has {} bytes, at most {}",
                                                     name.size(), kNameBytesMax));
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    if (length == 0) return Error(Errc::invalid_argument, "the name of a node is no UTF-8");
    const auto byte = static_cast<unsigned char>(rest[0]);
    const bool c1 = byte == 0xc2 && static_cast<unsigned char>(rest[1]) < 0xa0;
    if (byte < 0x20 || byte == 0x7f || c1)
      return Error(Errc::invalid_argument, "the name of a node has a control character");
    rest.remove_prefix(length);
  }
  return {};
}

}  // namespace drystone::cluster
