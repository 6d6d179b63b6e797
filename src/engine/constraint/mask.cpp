#include "engine/constraint/mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "engine/constraint/limits.h"
#include "engine/constraint/trie_walk.h"

namespace drystone::constraint {

namespace {

constexpr std::size_t kFewPerWord = 1;  // fewer tokens than words: a list is smaller

void set_bit(std::span<std::uint64_t> bits, TokenId id) {
  bits[static_cast<std::size_t>(id) / 64] |= std::uint64_t{1}
                                             << (static_cast<std::size_t>(id) % 64);
}

// Adds the tokens that end at trie nodes.
class TokenSetter {
 public:
  TokenSetter(const ConstraintVocabulary& vocabulary, std::span<std::uint64_t> bits)
      : ids_(vocabulary.ids().data()), bits_(bits) {}
  void operator()(const ConstraintVocabulary::Node& node) const {
    for (std::uint32_t k = node.tokens; k < (&node + 1)->tokens; ++k) set_bit(bits_, ids_[k]);
  }

 private:
  const TokenId* ids_;
  std::span<std::uint64_t> bits_;
};

Error too_ambiguous() {
  return Error(Errc::limit,
               fmt::format("the grammar is too ambiguous here: more than {} steps to find the next "
                           "tokens, or {} ways to read the text; rewrite it so that fewer rules "
                           "match the same text",
                           kMaskWorkMax, kItemsMax));
}

}  // namespace

MaskCache::MaskCache(const Automaton& automaton, const ConstraintVocabulary& vocabulary)
    : automaton_(automaton), vocabulary_(vocabulary) {}

std::size_t MaskCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void MaskCache::make_room(std::size_t bytes) {
  if (bytes_ + bytes > kCacheBytesMax) {
    by_item_.clear();
    by_configuration_.clear();
    bytes_ = 0;
  }
  bytes_ += bytes;
}

Result<void> MaskCache::fill(const Configuration& configuration, std::span<std::uint64_t> allowed) {
  const std::uint64_t key = configuration.signature(vocabulary_.longest_bytes());
  if (key != 0) {
    std::shared_ptr<const Bits> known;
    {
      const std::lock_guard lock(mutex_);
      const auto at = by_configuration_.find(key);
      if (at != by_configuration_.end()) known = at->second;
    }
    if (known) {
      std::copy(known->begin(), known->end(), allowed.begin());
      return {};
    }
  }
  Work work;
  TRY(compose(configuration, allowed, work));
  if (key == 0) return {};
  auto bits = std::make_shared<const Bits>(allowed.begin(), allowed.end());
  const std::lock_guard lock(mutex_);
  make_room(bits->size() * 8 + 64);
  by_configuration_[key] = std::move(bits);
  return {};
}

Result<void> MaskCache::compose(const Configuration& configuration,
                                std::span<std::uint64_t> allowed, Work& work) {
  std::fill(allowed.begin(), allowed.end(), 0);
  Parses parses(automaton_, work);
  TrieWalk walk(automaton_, vocabulary_, parses);
  const TokenSetter set(vocabulary_, allowed);
  const auto nodes = vocabulary_.nodes();
  for (const Item& item : configuration.items) {
    const auto mask = TRY(item_mask(item, work));
    for (std::size_t i = 0; i < mask->bits.size(); ++i) allowed[i] |= mask->bits[i];
    for (const TokenId id : mask->few) set_bit(allowed, id);
    if (mask->endings.empty()) continue;
    parses.load(configuration);
    parses.load_callers(item.node);
    if (parses.items().empty()) continue;
    for (const std::uint32_t ending : mask->endings) {
      if (!walk.walk(ending + 1, nodes[ending].skip, set, [](std::uint32_t) {}))
        return too_ambiguous();
    }
  }
  const bool none =
      std::all_of(allowed.begin(), allowed.end(), [](auto word) { return word == 0; });
  if (none && !configuration.complete) return too_ambiguous();
  return {};
}

Result<std::shared_ptr<const ItemMask>> MaskCache::item_mask(const Item& item, Work& work) {
  // Counters beyond what the longest token can use up make no difference.
  const std::uint32_t most = vocabulary_.longest_bytes() + 1;
  const Item clamped = {item.state, std::min(item.must, most), std::min(item.may, most), 0};
  const std::uint64_t key =
      static_cast<std::uint64_t>(clamped.state) << 32 | clamped.must << 16 | clamped.may;
  {
    const std::lock_guard lock(mutex_);
    const auto at = by_item_.find(key);
    if (at != by_item_.end()) return at->second;
  }
  auto mask = TRY(compute(clamped, work));
  const std::lock_guard lock(mutex_);
  make_room(mask->bytes());
  by_item_[key] = mask;
  return mask;
}

// Tokens too short to use up a counter read as if it had no end: takes them over from there, and
// returns their length at most. So the places near the end of a long string cost little each.
Result<std::uint32_t> MaskCache::begin_with_unlimited(const Item& item, ItemMask& mask,
                                                      Work& work) {
  constexpr std::uint32_t kWorthwhile = 3;
  const std::uint32_t most = vocabulary_.longest_bytes() + 1;
  const std::uint32_t left = item.must > 0 ? item.must : item.may;
  const bool counts = (automaton_.flags[item.state] & Automaton::keeps_count) != 0;
  if (!counts || left >= most || left <= kWorthwhile) return 0u;
  const auto unlimited = TRY(item_mask({item.state, item.must > 0 ? most : 0, most, 0}, work));
  const std::uint32_t beyond = left - 1;
  if (!unlimited->bits.empty()) mask.bits = unlimited->bits;
  for (const TokenId id : unlimited->few) set_bit(mask.bits, id);
  for (const TokenId id : vocabulary_.longer_than(beyond)) {
    const auto at = static_cast<std::size_t>(id);
    mask.bits[at / 64] &= ~(std::uint64_t{1} << (at % 64));
  }
  for (const std::uint32_t node : unlimited->endings)
    if (vocabulary_.nodes()[node].depth <= beyond) mask.endings.push_back(node);
  return beyond;
}

Result<std::shared_ptr<const ItemMask>> MaskCache::compute(const Item& item, Work& work) {
  auto mask = std::make_shared<ItemMask>();
  mask->bits.resize(vocabulary_.mask_words());
  const std::uint32_t beyond = TRY(begin_with_unlimited(item, *mask, work));
  Parses parses(automaton_, work);
  parses.load_alone(item);
  TrieWalk walk(automaton_, vocabulary_, parses);
  const auto count = static_cast<std::uint32_t>(vocabulary_.nodes().size());
  if (!walk.walk(
          0, count, TokenSetter(vocabulary_, mask->bits),
          [&](std::uint32_t node) { mask->endings.push_back(node); }, beyond))
    return too_ambiguous();
  std::size_t ones = 0;
  for (const std::uint64_t word : mask->bits) ones += static_cast<std::size_t>(std::popcount(word));
  if (ones < kFewPerWord * mask->bits.size()) {
    for (std::size_t i = 0; i < mask->bits.size(); ++i) {
      for (std::uint64_t word = mask->bits[i]; word != 0; word &= word - 1)
        mask->few.push_back(
            static_cast<TokenId>(i * 64 + static_cast<std::size_t>(std::countr_zero(word))));
    }
    mask->bits = {};
  }
  return std::shared_ptr<const ItemMask>(std::move(mask));
}

}  // namespace drystone::constraint
