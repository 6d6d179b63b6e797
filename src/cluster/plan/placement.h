#pragma once

#include <boost/json/fwd.hpp>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "cluster/plan/model_figures.h"
#include "cluster/plan/row_format.h"

namespace drystone {

constexpr std::uint32_t kRanksMax = 8;  // of a stage
constexpr std::size_t kPartsMax = 512;  // of a placement
// Requests that may run at once where fewer were planned for: rows are cheap, waiting is not. Each
// wants logits of a row, and one of them of some more, where tokens are guessed ahead.
constexpr std::uint32_t kSequencesMin = 16, kGuessedRowsMax = 8;
constexpr Bytes kOneShotBytes = 64 * kKiB;  // where links have not been measured
constexpr std::size_t kPlacementJsonMax = 512 * kKiB;

// [begin, end).
struct Span {
  std::uint32_t begin = 0, end = 0;
  std::uint32_t size() const { return end - begin; }
  bool operator==(const Span&) const = default;
};

// Of two placements of an instance the one with the higher epoch holds; of one epoch, the one of
// the higher keeper.
struct Epoch {
  std::uint64_t number = 0;  // 0: none yet
  std::string keeper;        // node id of who made it
  auto operator<=>(const Epoch&) const = default;
};

// What one part keeps in the memory of its node.
struct PartBytes {
  Bytes weights = 0, kv = 0, working = 0;
  Bytes total() const { return weights + kv + working; }
  bool operator==(const PartBytes&) const = default;
};

// What one node runs of an instance: rank `rank` of `ranks` of stage `stage`.
struct PlacedPart {
  std::string node;
  std::uint32_t stage = 0, rank = 0, ranks = 1;
  Span layers;        // the same for all ranks of a stage
  Span kv_heads, ff;  // of every layer; whole for a stage of one rank
  Span vocab;         // rows of the output matrix; empty behind the first stage
  PartBytes bytes;
  bool operator==(const PlacedPart&) const = default;
};

// What is divided: what the parts must cover together.
struct ModelShape {
  std::uint32_t layers = 0, kv_heads = 0, ff_width = 0, vocab = 0;
  bool operator==(const ModelShape&) const = default;
};
ModelShape shape_of(const ModelFigures& model);

// A model placed on nodes, as it stands in the replicated map. A value.
struct Placement {
  std::string instance;  // "llama-8b"; the second replica is "llama-8b#1"
  std::string model;
  Epoch epoch;
  std::string head;  // the node that schedules: first rank of the first stage
  ModelShape shape;
  std::uint32_t context = 0;
  std::uint32_t kv_tokens = 0;  // positions of the KV cache on every part
  std::uint32_t streams = 1;    // requests at once that it was planned for
  std::uint32_t rows_max = 0;   // rows of a step, at most
  KvFormat kv_format = KvFormat::f16;
  RowFormat row_format = RowFormat::f32;  // of hidden rows from stage to stage
  Bytes one_shot_bytes = kOneShotBytes;   // sums over ranks up to that are exchanged whole
  std::string degraded;                   // why it is not what was asked for; "" when it is
  std::vector<PlacedPart> parts;          // by stage, then rank
  bool operator==(const Placement&) const = default;

  std::uint32_t stages() const;
  // Where in `parts` the node's is; nullopt: it has none.
  std::optional<std::uint32_t> index_of(std::string_view node) const;
  // Null when the node has no part.
  const PlacedPart* part_of(std::string_view node) const;
};

// Whether the node's part is of the same weights, cache and working memory in both, whatever their
// epochs and the links between the parts. Both are valid.
bool same_in_memory(const Placement& a, const Placement& b, std::string_view node);

// The parts cover every layer exactly once, in the order of stages; the ranks of each stage divide
// KV heads and feed-forward columns, and those of the first the vocabulary, without gap or overlap
// and with nothing empty; no node stands twice; the head is the first part.
// Errors: corrupt, with what is wrong.
Result<void> validate(const Placement& placement);

// docs/formats/placement.md. Reading refuses fields that it does not know: a part of a placement
// must not be understood in two ways.
boost::json::object to_json(const Placement& placement);
// Errors: corrupt  not such an object, or validate() refuses it.
Result<Placement> placement_from_json(const boost::json::value& value);
// From foreign bytes. Errors: limit (more than kPlacementJsonMax), corrupt.
Result<Placement> parse_placement(std::string_view text);

}  // namespace drystone
