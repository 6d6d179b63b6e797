#pragma once

#include <cstddef>
#include <cstdint>

namespace drystone::constraint {

// Constraints come from strangers: whatever can grow has its maximum here. Errors quote both
// figures.
constexpr std::size_t kSpecBytesMax = 256 * 1024;  // schema, regex or grammar, or all choices
constexpr std::size_t kChoicesMax = 10'000;        // entries of `choice` and of an `enum`
constexpr int kDepthMax = 64;                      // nesting of schemas, groups, merged references
constexpr std::size_t kMergedValuesMax = 5'000'000;  // JSON values copied for $ref and allOf
constexpr std::size_t kRulesMax = 10'000;            // rules of a grammar
constexpr std::size_t kNfaEdgesMax = 1'000'000;      // of all rules together, before determinizing
constexpr std::size_t kStatesMax = 60'000;           // of all rules together, after determinizing
constexpr std::size_t kSubsetWorkMax = 20'000'000;   // nondeterministic states looked at meanwhile
constexpr std::size_t kTableBytesMax = 64 << 20;     // transition table
constexpr std::uint32_t kRepeatMax = 100'000;        // {n}, maxLength, maxItems
constexpr std::size_t kWrittenOutMax = 512;          // characters; larger repetitions are counted
constexpr std::size_t kTokenBytesMax = 255;          // longer tokens are never allowed
constexpr std::size_t kItemsMax = 400;               // parses of the text so far, side by side
constexpr std::size_t kMaskWorkMax = 12'000'000;     // steps for one mask: a tenth of a second
constexpr std::size_t kCacheBytesMax = 48 << 20;     // masks kept by one compiled constraint

}  // namespace drystone::constraint
