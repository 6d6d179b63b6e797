#pragma once

#include <cstdint>
#include <string_view>

namespace drystone::cluster {

// A 64 bit hash that is the same on every machine, for comparing what two members hold. It keeps
// accidents apart, not attackers. FNV-1a over 8 bytes at a time, mixed as in splitmix64.
class Hash64 {
 public:
  Hash64& add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x100000001b3;
    state_ ^= state_ >> 29;
    return *this;
  }
  Hash64& add(std::string_view bytes) {
    add(std::uint64_t{bytes.size()});
    while (!bytes.empty()) {
      const std::string_view part = bytes.substr(0, 8);
      std::uint64_t word = 0;
      for (std::size_t i = 0; i < part.size(); ++i)
        word |= std::uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
      add(word);
      bytes.remove_prefix(part.size());
    }
    return *this;
  }
  std::uint64_t value() const {
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace drystone::cluster
