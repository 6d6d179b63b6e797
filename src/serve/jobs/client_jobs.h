#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/generation_job.h"
#include "serve/jobs/job_wire.h"

namespace drystone {

// The queue of an instance that another node schedules, without the connection to it: frames in,
// frames and callbacks out. What JobClient (job_client.h) is between its threads, and simulations
// without any. Thread-safe; no lock is held in callbacks, which come from take() and lose().
class ClientJobs : public JobQueue {
 public:
  static constexpr std::size_t kJobsMax = 1024;  // on their way at once

  struct Model {
    std::string instance;
    std::uint64_t epoch = 0;
    // What ids and vectors of answers are checked against; 0: vectors are refused.
    std::uint32_t vocab, width;
  };
  explicit ClientJobs(Model model) : model_(std::move(model)) {}

  // Errors: unavailable (kJobsMax, or lost), limit (larger than a message may be).
  Result<std::uint64_t> submit(GenerationJob job) override;
  std::size_t queue_max() const override { return kJobsMax; }
  void cancel(std::uint64_t id) override;
  void cancel_all() override;
  std::size_t position(std::uint64_t id) const override;  // as it was told last
  bool lost() const override;

  // A frame of the other side. Errors, after which the connection is to be given up: corrupt, and
  // what the other side says when its instance is lost.
  Result<void> take(JobFrame type, std::uint16_t flags, std::uint64_t tag,
                    std::span<const std::byte> payload);
  // The connection has ended: so does every job.
  void lose(const Error& why);

  const Model& model() const { return model_; }

 protected:
  // Returns at once. What cannot be sent is noticed by whoever calls lose().
  virtual void send(JobFrame type, std::uint64_t tag, std::span<const std::byte> payload) = 0;

 private:
  struct Open {
    GenerationJob job;  // without its request
    bool has_vector;
    std::size_t position = 0;
  };

  Result<void> check(const Delta& delta) const;
  Result<void> check(const GenerateResult& result, bool has_vector) const;
  std::shared_ptr<Open> find(std::uint64_t tag, bool last);

  const Model model_;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Open>> open_;
  std::uint64_t last_id_ = 0;
  std::optional<Error> lost_;
};

}  // namespace drystone
