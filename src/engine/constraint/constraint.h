#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "engine/constraint/constraint_spec.h"
#include "engine/constraint/vocabulary.h"

namespace drystone {

// A constraint made ready for one vocabulary, with a bounded cache of the masks met so far. Share
// it between requests with the same constraint: what one has computed, all others find. Safe from
// several threads.
class CompiledConstraint {
 public:
  ~CompiledConstraint();
  CompiledConstraint(const CompiledConstraint&) = delete;
  CompiledConstraint& operator=(const CompiledConstraint&) = delete;

  const ConstraintVocabulary& vocabulary() const;
  // What it was compiled from: enough to compile it elsewhere.
  const ConstraintSpec& spec() const;
  std::size_t states() const;       // of its automaton
  std::size_t cache_bytes() const;  // masks kept now; at most constraint::kCacheBytesMax
  // All that it holds now, but for the vocabulary, which is shared. Grows with the masks.
  std::size_t bytes() const;

 private:
  struct Parts;
  friend class ConstraintState;
  friend Result<std::shared_ptr<const CompiledConstraint>> compile(
      const ConstraintSpec& spec, std::shared_ptr<const ConstraintVocabulary> vocabulary);
  explicit CompiledConstraint(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Takes milliseconds. Errors name the place (a JSON pointer, a byte or a line) and what is
// supported: invalid_argument (malformed, or no text can satisfy it), unsupported, limit.
Result<std::shared_ptr<const CompiledConstraint>> compile(
    const ConstraintSpec& spec, std::shared_ptr<const ConstraintVocabulary> vocabulary);

// How far one answer has come in its constraint. A value: a copy goes on on its own, and costs
// a few hundred bytes (more where the text is deeply nested). Not thread-safe.
class ConstraintState {
 public:
  explicit ConstraintState(std::shared_ptr<const CompiledConstraint> constraint);
  ConstraintState(const ConstraintState&);
  ConstraintState& operator=(const ConstraintState&);
  ConstraintState(ConstraintState&&) noexcept;
  ConstraintState& operator=(ConstraintState&&) noexcept;
  ~ConstraintState();

  // Which tokens may come next: bit id % 64 of word id / 64, overwritten;
  // [vocabulary.mask_words()]. At least one is allowed unless must_end(). End tokens are among them
  // exactly if may_end(). Microseconds where the place is known, up to milliseconds where it is
  // new. Errors: limit (a grammar so ambiguous that this mask would have taken more than
  // constraint::kMaskWorkMax; the request cannot go on).
  Result<void> fill_mask(std::span<std::uint64_t> allowed) const;

  // Takes a token. False: it is not allowed, or the grammar is so ambiguous that the parse it would
  // belong to was given up; nothing changed. After an end token nothing is allowed.
  bool accept(TokenId id);

  bool may_end() const;   // the text so far is a complete match
  bool must_end() const;  // and nothing can follow it but an end token; or one was taken

 private:
  struct Progress;
  std::shared_ptr<const CompiledConstraint> constraint_;
  std::unique_ptr<Progress> progress_;
};

}  // namespace drystone
