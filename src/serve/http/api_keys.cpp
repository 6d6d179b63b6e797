#include "serve/http/api_keys.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <charconv>

#include "serve/http/limits.h"

namespace drystone {

namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kSaltBytes = 16, kKeyBytes = 32, kSaltBytesMax = 64;

std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::optional<std::string> from_hex(std::string_view hex) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

Result<std::string> random_bytes(std::size_t count) {
  std::string out(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1)
    return Error(Errc::io, "the system gives no random bytes to make a key of");
  return out;
}

Result<std::int32_t> read_priority(std::string_view text) {
  constexpr std::string_view kName = "priority=";
  std::int32_t value = 0;
  const char* const end = text.data() + text.size();
  if (text.starts_with(kName)) {
    const auto [stop, error] = std::from_chars(text.data() + kName.size(), end, value);
    if (error == std::errc() && stop == end && value >= -kPriorityMax && value <= kPriorityMax)
      return value;
  }
  return Error(Errc::invalid_argument,
               fmt::format("what follows a key's hash is not understood: expected priority=N, with "
                           "N from {} to {}",
                           -kPriorityMax, kPriorityMax));
}

}  // namespace

ApiKeys::Digest ApiKeys::digest_of(std::string_view salt, std::string_view key) {
  std::string text(salt);
  text += key;
  Digest digest{};
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  OPENSSL_cleanse(text.data(), text.size());
  return digest;
}

Result<ApiKeys::Hash> ApiKeys::read_hash(std::string_view line) {
  std::string_view rest = line.substr(kPrefix.size());
  Hash hash;
  if (const std::size_t space = rest.find(' '); space != std::string_view::npos) {
    hash.priority_min = TRY(read_priority(rest.substr(space + 1)));
    rest = rest.substr(0, space);
  }
  const std::size_t colon = rest.find(':');
  std::optional<std::string> salt = "";
  if (colon != std::string_view::npos) {
    salt = from_hex(rest.substr(0, colon));
    rest.remove_prefix(colon + 1);
  }
  const auto bytes = from_hex(rest);
  if (!salt || salt->size() > kSaltBytesMax || !bytes || bytes->size() != hash.digest.size())
    return Error(
        Errc::invalid_argument,
        fmt::format("a key's line begins with '{}' but is no hash: expected "
                    "sha256:SALT:HASH with 64 hex digits of hash; `drystone key` makes one",
                    kPrefix));
  hash.salt = *std::move(salt);
  std::copy(bytes->begin(), bytes->end(), hash.digest.begin());
  return hash;
}

Result<ApiKeys> ApiKeys::from_lines(const std::vector<std::string>& lines) {
  ApiKeys keys;
  for (const std::string& line : lines) {
    if (is_hashed_key(line)) {
      keys.hashes_.push_back(TRY(read_hash(line)));
      continue;
    }
    std::string salt = TRY(random_bytes(kSaltBytes));
    const Digest digest = digest_of(salt, line);
    keys.hashes_.push_back({.salt = std::move(salt), .digest = digest});
  }
  return keys;
}

const ApiKeys::Hash* ApiKeys::find(std::string_view key) const {
  const Hash* found = nullptr;
  for (const Hash& hash : hashes_) {  // all of them, always
    const Digest digest = digest_of(hash.salt, key);
    if (CRYPTO_memcmp(digest.data(), hash.digest.data(), digest.size()) == 0) found = &hash;
  }
  return key.empty() ? nullptr : found;
}

bool is_hashed_key(std::string_view line) { return line.starts_with(kPrefix); }

Result<std::string> hash_api_key(std::string_view key) {
  const std::string salt = TRY(random_bytes(kSaltBytes));
  std::string text = salt;
  text += key;
  std::string digest(32, '\0');
  CHECK(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()),
                   nullptr, EVP_sha256(), nullptr) == 1);
  return fmt::format("{}{}:{}", kPrefix, to_hex(salt), to_hex(digest));
}

Result<NewApiKey> make_api_key() {
  NewApiKey made{.key = "ds-" + to_hex(TRY(random_bytes(kKeyBytes)))};
  made.line = TRY(hash_api_key(made.key));
  return made;
}

}  // namespace drystone
