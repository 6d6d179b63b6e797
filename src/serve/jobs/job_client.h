#pragma once

#include <memory>
#include <span>
#include <string>
#include <thread>

#include "serve/jobs/client_jobs.h"
#include "serve/jobs/frame_sender.h"

namespace drystone {

// The queue of an instance that another node schedules, over one connection to that node's
// JobServer. Calls return at once. Callbacks come on the client's own thread; who gives up the last
// reference to the client must not do so in one of them.
//
// An order that is refused there ends as submit() would have failed here, but through on_done. When
// the connection ends, or says nothing for too long, or the other node says that the instance is
// lost, lost() is true and every job ends as `unavailable`; what it brought until then stays true.
class JobClient final : public ClientJobs {
 public:
  static constexpr std::size_t kWaitingBytesMax = 256u << 20;  // of requests that are not sent yet

  struct Options {
    std::string instance;
    std::uint64_t epoch = 0;
    std::uint32_t vocab, width;  // as in ClientJobs::Model
    JobWaits waits = {};
  };
  JobClient(std::unique_ptr<DataStream> stream, Options options);
  ~JobClient() override;  // what is on its way ends as `unavailable`

 private:
  void send(JobFrame type, std::uint64_t tag, std::span<const std::byte> payload) override;
  void read();

  const std::unique_ptr<DataStream> stream_;
  const JobWaits waits_;
  FrameSender sender_;
  std::thread reader_;  // last: it uses the rest
};

}  // namespace drystone
