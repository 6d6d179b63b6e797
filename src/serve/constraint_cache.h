#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "engine/constraint/constraint.h"
#include "serve/http/chat_request.h"

namespace drystone {

// The constraint of a request as the engine states it.
ConstraintSpec to_spec(const Constraint& constraint);

// Compiled constraints, the last used first: agents send the same schema again and again, and what
// one request has computed of it, the next ones find. Bounded in number and in bytes, of which the
// least recently used go first; requests that use those keep them for themselves. Thread-safe.
class ConstraintCache {
 public:
  static constexpr std::size_t kConstraintsMax = 32;
  // Of all that is kept: texts, automata and masks. Masks that requests have added are counted when
  // the next one comes. The last used stays, whatever it holds (a hundred MiB at most).
  static constexpr std::size_t kBytesMax = 256 << 20;

  explicit ConstraintCache(std::size_t bytes_max = kBytesMax) : bytes_max_(bytes_max) {}

  // Errors: those of drystone::compile(), which are not kept.
  Result<std::shared_ptr<const CompiledConstraint>> compile(
      const ConstraintSpec& spec, std::shared_ptr<const ConstraintVocabulary> vocabulary);

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<const CompiledConstraint> constraint;
  };
  void make_room();  // under the lock

  const std::size_t bytes_max_;
  std::mutex mutex_;
  std::list<Kept> kept_;
};

}  // namespace drystone
