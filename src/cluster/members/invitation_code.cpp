#include "cluster/members/invitation_code.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/base32.h"
#include "base/check.h"
#include "cluster/wire/hash64.h"

namespace drystone::cluster {
namespace {

constexpr std::size_t kSecretLetters = 24, kChecksumLetters = 4, kGroup = 4;
constexpr std::size_t kTextBytesMax = 256 + kCodeAddressesMax * (kCodeAddressBytesMax + 1);

Error no_code(std::string what) {
  return Error(Errc::invalid_argument, "this is no invitation code: " + what);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// host:port with a plain host: names, IPv4, IPv6 in brackets with a zone.
bool is_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.size() > kCodeAddressBytesMax)
    return false;
  const std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  const bool digits = std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
  if (port.empty() || port.size() > 5 || !digits || std::stoul(std::string(port)) > 65535)
    return false;
  return std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
           c == ':' || c == '[' || c == ']' || c == '%';
  });
}

std::string join(const std::vector<std::string>& addresses) {
  std::string text;
  for (const std::string& address : addresses) text += (text.empty() ? "" : ",") + address;
  return text;
}

// 20 bits: one typo in a million goes unseen here, and is then refused by every member.
std::string checksum(std::string_view secret_letters, std::string_view addresses) {
  const std::uint64_t hash = Hash64().add("code").add(secret_letters).add(addresses).value();
  std::array<std::uint8_t, 5> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return to_base32(bytes).substr(0, kChecksumLetters);
}

}  // namespace

std::string to_text(const InvitationCode& code) {
  CHECK(code.addresses.size() <= kCodeAddressesMax, code.addresses.size());
  const std::string addresses = join(code.addresses);
  std::string letters = to_base32(code.secret);
  letters += checksum(letters, addresses);
  std::string text;
  for (std::size_t i = 0; i < letters.size(); i += kGroup)
    text += (i ? "-" : "") + letters.substr(i, kGroup);
  return addresses.empty() ? text : text + "@" + addresses;
}

Result<InvitationCode> parse_invitation_code(std::string_view text) {
  if (text.size() > kTextBytesMax)
    return no_code(fmt::format("it has {} bytes, at most {}", text.size(), kTextBytesMax));
  const auto at = text.find('@');
  std::string letters, addresses;
  for (const char given : text.substr(0, at)) {
    const char c = lower(given);
    if (is_space(c) || c == '-') continue;
    if (c == '0' || c == '1' || c == '8' || c == '9')
      return no_code(fmt::format("no code has the digit {} (it may be the letter {})", c,
                                 c == '0'   ? "O"
                                 : c == '1' ? "I or L"
                                 : c == '8' ? "B"
                                            : "G"));
    if (!((c >= 'a' && c <= 'z') || (c >= '2' && c <= '7')))
      return no_code("it has a character that is neither a letter nor a digit from 2 to 7");
    letters += c;
  }
  if (letters.size() != kSecretLetters + kChecksumLetters)
    return no_code(fmt::format("it has {} letters and digits instead of {}", letters.size(),
                               kSecretLetters + kChecksumLetters));
  if (at != std::string_view::npos)
    for (const char c : text.substr(at + 1))
      if (!is_space(c)) addresses += lower(c);

  InvitationCode code;
  for (std::string_view rest = addresses; at != std::string_view::npos;) {
    const auto comma = rest.find(',');
    const std::string_view address = rest.substr(0, comma);
    if (!is_address(address))
      return no_code("after the @ stand addresses of members, host:port, with commas between them");
    if (code.addresses.size() == kCodeAddressesMax)
      return no_code(fmt::format("it has more than {} addresses", kCodeAddressesMax));
    code.addresses.emplace_back(address);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }

  const std::string secret = letters.substr(0, kSecretLetters);
  if (checksum(secret, addresses) != letters.substr(kSecretLetters))
    return no_code("its last group does not fit the rest, so somewhere there is a typo");
  TRY(from_base32(secret, code.secret));
  return code;
}

}  // namespace drystone::cluster
