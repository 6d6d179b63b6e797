#pragma once

#include <memory>

#include "base/result.h"
#include "engine/engine.h"
#include "serve/http/request_record.h"

namespace drystone {

// Notes what becomes of one generation in its request's trace. On the loop thread.
class GenerationTrace {
 public:
  explicit GenerationTrace(std::shared_ptr<RequestTrace> trace);  // may be null: nothing is noted

  void came(const Delta& delta);
  void over(const Result<GenerateResult>& result);
  void abandoned();  // nobody waits for its end any more

 private:
  double now_s() const;

  std::shared_ptr<RequestTrace> trace_;  // null when it is over
  double start_s_ = 0, last_s_ = -1;     // -1: no text yet
  std::uint64_t tokens_ = 0;
};

}  // namespace drystone
