#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/constraint/parses.h"
#include "engine/constraint/vocabulary.h"

namespace drystone::constraint {

// The tokens that one item reads within its own rule and the rules it calls, and those nodes of the
// trie where its rule may end: what stands below them depends on the callers.
struct ItemMask {
  std::vector<std::uint64_t> bits;  // all tokens; empty where there are few
  std::vector<TokenId> few;         // else these
  std::vector<std::uint32_t> endings;
  std::size_t bytes() const {
    return bits.size() * 8 + few.size() * 4 + endings.size() * 4 + sizeof(*this) + 64;
  }
};

// Masks of one compiled constraint, computed when first needed. Bounded: full, it forgets all.
// Thread-safe.
class MaskCache {
 public:
  // Borrows both.
  MaskCache(const Automaton& automaton, const ConstraintVocabulary& vocabulary);

  // Which tokens can follow; `allowed`: [vocabulary.mask_words()], overwritten. End tokens are left
  // out. Errors: limit (the grammar is too ambiguous here, so that this mask would take more than
  // kMaskWorkMax steps, whatever it is made of; `allowed` is of no use).
  Result<void> fill(const Configuration& configuration, std::span<std::uint64_t> allowed);

  std::size_t bytes() const;

 private:
  using Bits = std::vector<std::uint64_t>;

  Result<std::shared_ptr<const ItemMask>> item_mask(const Item& item, Work& work);
  Result<std::shared_ptr<const ItemMask>> compute(const Item& item, Work& work);
  Result<std::uint32_t> begin_with_unlimited(const Item& item, ItemMask& mask, Work& work);
  Result<void> compose(const Configuration& configuration, std::span<std::uint64_t> allowed,
                       Work& work);
  void make_room(std::size_t bytes);  // under the lock

  const Automaton& automaton_;
  const ConstraintVocabulary& vocabulary_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::shared_ptr<const ItemMask>> by_item_;
  std::unordered_map<std::uint64_t, std::shared_ptr<const Bits>> by_configuration_;
  std::size_t bytes_ = 0;
};

}  // namespace drystone::constraint
