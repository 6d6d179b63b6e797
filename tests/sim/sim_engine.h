#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "serve/http/served_model.h"

namespace drystone::sim {

// What a head runs requests on, in place of a batcher, with the same promises: a few at once,
// others wait, what a replay brings along comes again. Whoever owns it says when a step is done.
class SimEngine final : public ServedModel, public JobQueue {
 public:
  static constexpr std::size_t kTogether = 3, kJobsMax = 6;

  explicit SimEngine(std::uint64_t seed) : rng_(seed) {}

  bool busy() const { return !jobs_.empty(); }
  void step();
  void lose(const Error& why);  // a part is gone

  Result<std::uint64_t> submit(GenerationJob job) override;
  std::size_t queue_max() const override { return kJobsMax; }
  void cancel(std::uint64_t id) override;
  void cancel_all() override;
  std::size_t position(std::uint64_t id) const override;
  bool lost() const override { return lost_.has_value(); }

  Result<std::vector<TokenId>> chat_prompt(const ChatRequest&) const override {
    return Error(Errc::unsupported, "no template");
  }
  std::vector<TokenId> text_prompt(std::string_view) const override { return {}; }
  std::string piece(TokenId id) const override;
  std::uint32_t context() const override;
  std::uint32_t vocab() const override;
  JobQueue& jobs() override { return *this; }

 private:
  struct Job {
    GenerationJob given;
    std::vector<TokenId> tokens;
    bool begun = false, cancelled = false;
  };

  void advance(std::uint64_t id, Job& job);
  void end(std::uint64_t id, Result<GenerateResult> result);

  Rng rng_;
  std::map<std::uint64_t, std::shared_ptr<Job>> jobs_;  // the first kTogether run
  std::uint64_t last_id_ = 0;
  std::optional<Error> lost_;
};

}  // namespace drystone::sim
