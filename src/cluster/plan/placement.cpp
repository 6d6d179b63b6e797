#include "cluster/plan/placement.h"

#include <fmt/format.h>

#include <set>
#include <tuple>

namespace drystone {
namespace {

Error bad(const Placement& placement, std::string problem) {
  return Error(Errc::corrupt, fmt::format("placement of {} (epoch {}): {}", placement.instance,
                                          placement.epoch.number, problem));
}

// `span` begins where the one before ended, and is not empty.
Result<void> check_next(const Placement& placement, const PlacedPart& part, std::string_view what,
                        const Span& span, std::uint32_t& end) {
  if (span.begin != end || span.end <= span.begin)
    return bad(placement,
               fmt::format("{} {}..{} of {} (stage {}, rank {}) should begin at {} and "
                           "not be empty",
                           what, span.begin, span.end, part.node, part.stage, part.rank, end));
  end = span.end;
  return {};
}

Result<void> check_end(const Placement& placement, std::uint32_t stage, std::string_view what,
                       std::uint32_t end, std::uint32_t whole) {
  if (end == whole) return {};
  return bad(placement,
             fmt::format("the ranks of stage {} have {} of {} {}", stage, end, whole, what));
}

// The ranks of one stage: parts [first, first + ranks).
Result<void> check_stage(const Placement& placement, std::size_t first, std::uint32_t stage) {
  const std::uint32_t ranks = placement.parts[first].ranks;
  if (ranks < 1 || ranks > kRanksMax || first + ranks > placement.parts.size())
    return bad(placement, fmt::format("stage {} should have {} ranks", stage, ranks));
  std::uint32_t kv_end = 0, ff_end = 0, vocab_end = 0;
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    const PlacedPart& part = placement.parts[first + rank];
    if (part.stage != stage || part.rank != rank || part.ranks != ranks)
      return bad(placement,
                 fmt::format("part {} should be rank {} of {} of stage {}, and is rank "
                             "{} of {} of stage {}",
                             first + rank, rank, ranks, stage, part.rank, part.ranks, part.stage));
    if (part.layers != placement.parts[first].layers)
      return bad(placement, fmt::format("the ranks of stage {} have different layers", stage));
    TRY(check_next(placement, part, "KV heads", part.kv_heads, kv_end));
    TRY(check_next(placement, part, "feed-forward columns", part.ff, ff_end));
    if (stage == 0) {
      TRY(check_next(placement, part, "vocabulary", part.vocab, vocab_end));
    } else if (part.vocab != Span{}) {
      return bad(placement, fmt::format("stage {} has a part of the vocabulary", stage));
    }
  }
  TRY(check_end(placement, stage, "KV heads", kv_end, placement.shape.kv_heads));
  TRY(check_end(placement, stage, "feed-forward columns", ff_end, placement.shape.ff_width));
  if (stage == 0)
    TRY(check_end(placement, stage, "rows of the vocabulary", vocab_end, placement.shape.vocab));
  return {};
}

}  // namespace

ModelShape shape_of(const ModelFigures& model) {
  return {.layers = static_cast<std::uint32_t>(model.layers.size()),
          .kv_heads = model.kv_heads,
          .ff_width = model.ff_width,
          .vocab = model.vocab};
}

std::uint32_t Placement::stages() const { return parts.empty() ? 0 : parts.back().stage + 1; }

std::optional<std::uint32_t> Placement::index_of(std::string_view node) const {
  for (std::uint32_t i = 0; i < parts.size(); ++i)
    if (parts[i].node == node) return i;
  return std::nullopt;
}

const PlacedPart* Placement::part_of(std::string_view node) const {
  const auto index = index_of(node);
  return index ? &parts[*index] : nullptr;
}

Result<void> validate(const Placement& placement) {
  if (placement.instance.empty() || placement.model.empty())
    return Error(Errc::corrupt, "a placement without instance or model");
  if (placement.parts.empty()) return bad(placement, "no parts");
  if (placement.parts.size() > kPartsMax)
    return bad(placement, fmt::format("{} parts, at most {}", placement.parts.size(), kPartsMax));
  std::set<std::string_view> nodes;
  for (const PlacedPart& part : placement.parts)
    if (part.node.empty() || !nodes.insert(part.node).second)
      return bad(placement, fmt::format("node \"{}\" stands twice or has no id", part.node));
  std::uint32_t layers_end = 0, stage = 0;
  for (std::size_t first = 0; first < placement.parts.size(); ++stage) {
    const PlacedPart& part = placement.parts[first];
    TRY(check_next(placement, part, "layers", part.layers, layers_end));
    TRY(check_stage(placement, first, stage));
    first += part.ranks;
  }
  if (layers_end != placement.shape.layers)
    return bad(placement,
               fmt::format("the stages have {} of {} layers", layers_end, placement.shape.layers));
  if (placement.head != placement.parts[0].node)
    return bad(placement, fmt::format("the head {} is not its first part", placement.head));
  return {};
}

bool same_in_memory(const Placement& a, const Placement& b, std::string_view node) {
  const PlacedPart *in_a = a.part_of(node), *in_b = b.part_of(node);
  if (in_a == nullptr || in_b == nullptr) return false;
  const auto weights = [](const PlacedPart& part) {
    return std::tie(part.layers, part.rank, part.ranks, part.kv_heads, part.ff, part.vocab);
  };
  // The first stage holds rows of the output matrix, its first rank the embedding; a whole model
  // ends each step with them.
  const bool same_ends =
      (in_a->stage == 0) == (in_b->stage == 0) && (a.parts.size() == 1) == (b.parts.size() == 1);
  const auto steps = [](const Placement& of) {
    return std::tie(of.model, of.shape, of.context, of.kv_tokens, of.kv_format, of.streams,
                    of.rows_max);
  };
  return weights(*in_a) == weights(*in_b) && same_ends && steps(a) == steps(b);
}

}  // namespace drystone
