#include "engine/constraint/constraint.h"

#include <fmt/format.h>

#include "base/check.h"
#include "engine/constraint/automaton.h"
#include "engine/constraint/limits.h"
#include "engine/constraint/mask.h"
#include "engine/constraint/parses.h"
#include "engine/constraint/spec_grammar.h"

namespace drystone {

struct CompiledConstraint::Parts {
  Parts(ConstraintSpec stated, constraint::Automaton made,
        std::shared_ptr<const ConstraintVocabulary> tokens)
      : spec(std::move(stated)),
        vocabulary(std::move(tokens)),
        automaton(std::move(made)),
        masks(automaton, *vocabulary) {
    constraint::Parses parses(automaton);
    parses.start();
    start = parses.save(vocabulary->longest_bytes());
  }
  std::size_t spec_bytes() const {
    std::size_t bytes = spec.text.size();
    for (const std::string& choice : spec.choices) bytes += sizeof(choice) + choice.size();
    for (const auto& [rule, schema] : spec.schemas)
      bytes += 2 * sizeof(rule) + rule.size() + schema.size();
    return bytes;
  }

  const ConstraintSpec spec;
  std::shared_ptr<const ConstraintVocabulary> vocabulary;
  constraint::Automaton automaton;
  constraint::MaskCache masks;
  constraint::Configuration start;
};

CompiledConstraint::CompiledConstraint(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CompiledConstraint::~CompiledConstraint() = default;
const ConstraintVocabulary& CompiledConstraint::vocabulary() const { return *parts_->vocabulary; }
const ConstraintSpec& CompiledConstraint::spec() const { return parts_->spec; }
std::size_t CompiledConstraint::states() const { return parts_->automaton.flags.size(); }
std::size_t CompiledConstraint::cache_bytes() const { return parts_->masks.bytes(); }
std::size_t CompiledConstraint::bytes() const {
  return sizeof(*this) + sizeof(Parts) + parts_->spec_bytes() + parts_->automaton.bytes() +
         parts_->start.bytes() + cache_bytes();
}

Result<std::shared_ptr<const CompiledConstraint>> compile(
    const ConstraintSpec& spec, std::shared_ptr<const ConstraintVocabulary> vocabulary) {
  constraint::Grammar grammar = TRY(constraint::make_grammar(spec));
  grammar.inline_small_rules();
  if (grammar.edges() > constraint::kNfaEdgesMax) {
    return Error(Errc::limit, fmt::format("the constraint is too large: {} steps, at most {}",
                                          grammar.edges(), constraint::kNfaEdgesMax));
  }
  auto automaton = TRY(constraint::build_automaton(grammar, vocabulary->single_bytes()));
  auto parts = std::make_unique<CompiledConstraint::Parts>(spec, std::move(automaton),
                                                           std::move(vocabulary));
  return std::shared_ptr<const CompiledConstraint>(new CompiledConstraint(std::move(parts)));
}

struct ConstraintState::Progress {
  constraint::Configuration configuration;
  bool ended = false;
};

ConstraintState::ConstraintState(std::shared_ptr<const CompiledConstraint> compiled)
    : constraint_(std::move(compiled)),
      progress_(std::make_unique<Progress>(Progress{constraint_->parts_->start, false})) {}
ConstraintState::ConstraintState(const ConstraintState& other)
    : constraint_(other.constraint_), progress_(std::make_unique<Progress>(*other.progress_)) {}
ConstraintState& ConstraintState::operator=(const ConstraintState& other) {
  if (this != &other) *this = ConstraintState(other);
  return *this;
}
ConstraintState::ConstraintState(ConstraintState&&) noexcept = default;
ConstraintState& ConstraintState::operator=(ConstraintState&&) noexcept = default;
ConstraintState::~ConstraintState() = default;

Result<void> ConstraintState::fill_mask(std::span<std::uint64_t> allowed) const {
  const ConstraintVocabulary& vocabulary = constraint_->vocabulary();
  CHECK(allowed.size() == vocabulary.mask_words(), allowed.size(), vocabulary.mask_words());
  if (progress_->ended) {
    std::fill(allowed.begin(), allowed.end(), 0);
    return {};
  }
  TRY(constraint_->parts_->masks.fill(progress_->configuration, allowed));
  if (!progress_->configuration.complete) return {};
  for (const TokenId id : vocabulary.end_tokens()) {
    const auto at = static_cast<std::size_t>(id);
    allowed[at / 64] |= std::uint64_t{1} << (at % 64);
  }
  return {};
}

bool ConstraintState::accept(TokenId id) {
  const ConstraintVocabulary& vocabulary = constraint_->vocabulary();
  if (progress_->ended || id < 0 || id >= static_cast<TokenId>(vocabulary.size())) return false;
  if (vocabulary.is_end_of_generation(id)) {
    progress_->ended = progress_->configuration.complete;
    return progress_->ended;
  }
  const auto bytes = vocabulary.bytes(id);
  if (bytes.empty()) return false;
  constraint::Parses parses(constraint_->parts_->automaton);
  parses.load(progress_->configuration);
  for (const std::uint8_t byte : bytes)
    if (!parses.push(byte) || parses.work().over()) return false;
  progress_->configuration = parses.save(vocabulary.longest_bytes());
  return true;
}

bool ConstraintState::may_end() const {
  return !progress_->ended && progress_->configuration.complete;
}

bool ConstraintState::must_end() const {
  return progress_->ended || progress_->configuration.items.empty();
}

}  // namespace drystone
