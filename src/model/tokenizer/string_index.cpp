#include "model/tokenizer/string_index.h"

#include <bit>
#include <cstring>

namespace drystone {
namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

template <typename Word>
std::uint64_t load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// Up to 8 bytes as one number, without a loop; together with the length no two texts give the same.
std::uint64_t load_tail(const char* at, std::size_t count) {
  if (count == 8) return load<std::uint64_t>(at);
  if (count >= 4) return load<std::uint32_t>(at) << 32 | load<std::uint32_t>(at + count - 4);
  if (count >= 2) return load<std::uint16_t>(at) << 16 | load<std::uint16_t>(at + count - 2);
  return count == 1 ? static_cast<unsigned char>(*at) : 0;
}

constexpr std::uint64_t kOdd1 = 0x9E3779B97F4A7C15, kOdd2 = 0xD1B54A32D192ED03;

}  // namespace

std::uint64_t hash_bytes(std::string_view text) {
  std::uint64_t state = kOdd1 ^ text.size();
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left > 8; left -= 8, at += 8) state = mix(state ^ load<std::uint64_t>(at), kOdd2);
  return mix(state ^ load_tail(at, left), kOdd1);
}

StringIndex::StringIndex(std::size_t expected) {
  slots_.resize(std::bit_ceil(2 * expected + 8));
  mask_ = slots_.size() - 1;
}

bool StringIndex::insert(const StringArena& strings, std::uint32_t i) {
  if (2 * (used_ + 1) > slots_.size()) grow(strings);
  const std::string_view text = strings[i];
  const std::uint64_t hash = hash_bytes(text);
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    if (slot.i == kNone) {
      slot = {tag, i};
      ++used_;
      return true;
    }
    if (slot.tag == tag && strings[slot.i] == text) return false;
  }
}

std::uint32_t StringIndex::find(const StringArena& strings, std::string_view text) const {
  const std::uint64_t hash = hash_bytes(text);
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
    const Slot& slot = slots_[at];
    if (slot.i == kNone) return kNone;
    if (slot.tag == tag && strings[slot.i] == text) return slot.i;
  }
}

void StringIndex::grow(const StringArena& strings) {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  used_ = 0;
  for (const Slot& slot : old) {
    if (slot.i != kNone) insert(strings, slot.i);
  }
}

}  // namespace drystone
