#include "model/tokenizer/bpe_merges.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>

namespace drystone {
namespace {

constexpr std::size_t kScanMax = 32;

std::uint64_t pair_key(std::uint32_t left, std::uint32_t right) {
  return std::uint64_t{left} << 32 | right;
}

std::size_t pair_hash(std::uint64_t key) {
  key *= 0x9E3779B97F4A7C15;
  return key ^ (key >> 32);
}

}  // namespace

Result<BpeMerges> BpeMerges::load(const Metadata& metadata, const Vocabulary& vocabulary) {
  const auto* lines = metadata.strings("tokenizer.ggml.merges");
  if (lines == nullptr) {
    return Error(Errc::corrupt,
                 "tokenizer.ggml.merges: missing, or not an array of strings; BPE needs it");
  }
  BpeMerges merges;
  merges.reserve_pairs(lines->size());
  std::string joined;
  for (std::size_t i = 0; i < lines->size(); ++i) {
    const std::string_view line = (*lines)[i];
    const std::size_t space = line.find(' ', 1);  // a token may begin with the space
    if (space == std::string_view::npos || space + 1 == line.size()) {
      return Error(
          Errc::corrupt,
          fmt::format("tokenizer.ggml.merges: entry {} is not two strings with a space between",
                      i));
    }
    const std::string_view left = line.substr(0, space), right = line.substr(space + 1);
    joined.assign(left).append(right);
    merges.add_pair(merges.intern(vocabulary, left), merges.intern(vocabulary, right),
                    static_cast<std::uint32_t>(i), merges.intern(vocabulary, joined));
  }
  return merges;
}

BpeMerges BpeMerges::from_ids(const Vocabulary& vocabulary) {
  constexpr std::size_t kBytesMax = 256;  // longer tokens are separators, not words
  BpeMerges merges;
  merges.reserve_pairs(4 * std::size_t{vocabulary.size()});
  for (std::uint32_t i = 0; i < vocabulary.size(); ++i) {
    const std::string_view text = vocabulary.text(static_cast<TokenId>(i));
    if (text.size() > kBytesMax || !vocabulary.is_text(static_cast<TokenId>(i))) continue;
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      const auto left = vocabulary.find(text.substr(0, cut)),
                 right = vocabulary.find(text.substr(cut));
      if (!left || !right || !vocabulary.is_text(*left) || !vocabulary.is_text(*right)) continue;
      merges.add_pair(static_cast<std::uint32_t>(*left), static_cast<std::uint32_t>(*right), i, i);
    }
  }
  return merges;
}

std::uint32_t BpeMerges::symbol(const Vocabulary& vocabulary, std::string_view text) const {
  const auto id = vocabulary.find(text);
  if (id && vocabulary.is_text(*id)) return static_cast<std::uint32_t>(*id);
  const std::uint32_t extra = extra_index_.find(extra_, text);
  return extra == StringIndex::kNone ? BpeSymbol::kNone : vocabulary.size() + extra;
}

std::uint32_t BpeMerges::intern(const Vocabulary& vocabulary, std::string_view text) {
  const std::uint32_t known = symbol(vocabulary, text);
  if (known != BpeSymbol::kNone) return known;
  const std::uint32_t extra = extra_.add(text);
  extra_index_.insert(extra_, extra);
  return vocabulary.size() + extra;
}

void BpeMerges::reserve_pairs(std::size_t count) {
  pairs_.resize(std::bit_ceil(2 * count + 8));
  mask_ = pairs_.size() - 1;
}

void BpeMerges::add_pair(std::uint32_t left, std::uint32_t right, std::uint32_t rank,
                         std::uint32_t merged) {
  const std::uint64_t key = pair_key(left, right);
  std::size_t at = pair_hash(key) & mask_;
  while (pairs_[at].rank != kNoRank && pairs_[at].key != key) at = (at + 1) & mask_;
  if (pairs_[at].rank == kNoRank) pairs_[at] = {key, rank, merged};
}

BpeMerges::Pair BpeMerges::find_pair(std::uint32_t left, std::uint32_t right) const {
  const std::uint64_t key = pair_key(left, right);
  std::size_t at = pair_hash(key) & mask_;
  while (pairs_[at].rank != kNoRank && pairs_[at].key != key) at = (at + 1) & mask_;
  return pairs_[at];
}

void BpeMerges::merge(std::vector<BpeSymbol>& symbols, Scratch& scratch) const {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kScanMax) {
    merge_by_scan(symbols);
  } else {
    merge_by_heap(symbols, scratch);
  }
}

// Most pieces are words: looking through all pairs costs less than keeping them in order.
void BpeMerges::merge_by_scan(std::vector<BpeSymbol>& symbols) const {
  std::uint32_t rank[kScanMax], merged[kScanMax];
  std::size_t count = symbols.size();
  const auto look_up = [&](std::size_t i) {
    const Pair pair = find_pair(symbols[i].id, symbols[i + 1].id);
    rank[i] = pair.rank;
    merged[i] = pair.merged;
  };
  for (std::size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    const std::size_t best =
        static_cast<std::size_t>(std::min_element(rank, rank + count - 1) - rank);
    if (rank[best] == kNoRank) break;
    symbols[best] = {merged[best], symbols[best].bytes + symbols[best + 1].bytes};
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      rank[i] = rank[i + 1];
      merged[i] = merged[i + 1];
    }
    --count;
    if (best > 0) look_up(best - 1);
    if (best + 1 < count) look_up(best);
  }
  symbols.resize(count);
}

// A heap of (rank, position); an entry whose pair has changed since no longer has the rank noted
// for its position.
void BpeMerges::merge_by_heap(std::vector<BpeSymbol>& symbols, Scratch& scratch) const {
  constexpr std::uint32_t kEnd = ~0u;
  const auto count = static_cast<std::uint32_t>(symbols.size());
  auto& [rank, merged, previous, next, heap] = scratch;
  rank.assign(count, kNoRank);
  merged.resize(count);
  previous.resize(count);
  next.resize(count);
  heap.clear();
  for (std::uint32_t i = 0; i < count; ++i) {
    previous[i] = i == 0 ? kEnd : i - 1;
    next[i] = i + 1 == count ? kEnd : i + 1;
  }
  const auto look_up = [&](std::uint32_t i) {
    const Pair pair = next[i] == kEnd ? Pair{} : find_pair(symbols[i].id, symbols[next[i]].id);
    rank[i] = pair.rank;
    merged[i] = pair.merged;
    if (pair.rank != kNoRank) heap.push_back(std::uint64_t{pair.rank} << 32 | i);
    return pair.rank != kNoRank;
  };
  for (std::uint32_t i = 0; i < count; ++i) look_up(i);
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    const auto best = static_cast<std::uint32_t>(heap.front());
    const auto best_rank = static_cast<std::uint32_t>(heap.front() >> 32);
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
    if (rank[best] != best_rank) continue;
    const std::uint32_t gone = next[best];
    symbols[best] = {merged[best], symbols[best].bytes + symbols[gone].bytes};
    rank[gone] = kNoRank;
    symbols[gone].bytes = 0;
    next[best] = next[gone];
    if (next[best] != kEnd) previous[next[best]] = best;
    if (look_up(best)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
    if (previous[best] != kEnd && look_up(previous[best]))
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
  }
  std::erase_if(symbols, [](const BpeSymbol& symbol) { return symbol.bytes == 0; });
}

}  // namespace drystone
