#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace drystone {

// The keys that open a server, known by salted SHA-256 alone. A key is 32 random bytes, which
// nobody guesses, so a slow hash would protect nothing and cost every request its time.
class ApiKeys {
 public:
  // A line is `sha256:SALT:HASH` (hex; HASH of the salt's bytes and the key), `sha256:HASH`, or a
  // key itself, which is hashed here. A hash may be followed by ` priority=N`: requests with this
  // key have at least this number. Errors: invalid_argument (a hash that is none, a priority
  // that is none or beyond kPriorityMax).
  static Result<ApiKeys> from_lines(const std::vector<std::string>& lines);

  bool empty() const { return hashes_.empty(); }
  // Takes the same time for any key of a length.
  bool has(std::string_view key) const { return find(key) != nullptr; }
  // The lowest priority number that its requests may have; nullopt: any (or no such key).
  std::optional<std::int32_t> priority_min(std::string_view key) const {
    const Hash* hash = find(key);
    return hash == nullptr ? std::nullopt : hash->priority_min;
  }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Hash {
    std::string salt;
    Digest digest;
    std::optional<std::int32_t> priority_min;
  };
  const Hash* find(std::string_view key) const;
  static Digest digest_of(std::string_view salt, std::string_view key);
  static Result<Hash> read_hash(std::string_view line);
  std::vector<Hash> hashes_;
};

bool is_hashed_key(std::string_view line);  // a line that does not hold the key itself

struct NewApiKey {
  std::string key;   // for the client
  std::string line;  // for the server's key file
};
// From the system's randomness. Errors: io (there is none).
Result<NewApiKey> make_api_key();

// The line that stands for a key. Errors: io (no randomness for the salt).
Result<std::string> hash_api_key(std::string_view key);

}  // namespace drystone
