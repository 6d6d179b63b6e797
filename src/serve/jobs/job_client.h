#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "engine/generation_job.h"
#include "serve/jobs/frame_sender.h"

namespace drystone {

// The queue of an instance that another node schedules, over one connection to that node's
// JobServer. Calls return at once. Callbacks come on the client's own thread; who gives up the last
// reference to the client must not do so in one of them.
//
// An order that is refused there ends as submit() would have failed here, but through on_done. When
// the connection ends, or says nothing for too long, or the other node says that the instance is
// lost, lost() is true and every job ends as `unavailable`; what it brought until then stays true.
class JobClient final : public JobQueue {
 public:
  static constexpr std::size_t kJobsMax = 1024;                // on their way at once
  static constexpr std::size_t kWaitingBytesMax = 256u << 20;  // of requests that are not sent yet

  struct Options {
    std::string instance;
    std::uint64_t epoch = 0;
    // What ids and vectors of answers are checked against; 0: vectors are refused.
    std::uint32_t vocab, width;
    JobWaits waits = {};
  };
  JobClient(std::unique_ptr<DataStream> stream, Options options);
  ~JobClient() override;  // what is on its way ends as `unavailable`

  // Errors: unavailable (kJobsMax, or lost), limit (larger than a message may be).
  Result<std::uint64_t> submit(GenerationJob job) override;
  std::size_t queue_max() const override { return kJobsMax; }
  void cancel(std::uint64_t id) override;
  void cancel_all() override;
  std::size_t position(std::uint64_t id) const override;  // as it was told last
  bool lost() const override;

 private:
  struct Open {
    GenerationJob job;  // without its request
    bool has_vector;
    std::size_t position = 0;
  };

  void read();
  Result<void> take(JobFrame type, std::uint16_t flags, std::uint64_t tag,
                    std::span<const std::byte> payload);
  Result<void> check(const Delta& delta) const;
  Result<void> check(const GenerateResult& result, bool has_vector) const;
  std::shared_ptr<Open> find(std::uint64_t tag, bool last);
  void lose(const Error& why);

  const std::unique_ptr<DataStream> stream_;
  const Options options_;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Open>> open_;
  std::uint64_t last_id_ = 0;
  std::optional<Error> lost_;
  FrameSender sender_;
  std::thread reader_;  // last: it uses the rest
};

}  // namespace drystone
