#pragma once

#include <memory>

#include "net/data_stream.h"
#include "serve/jobs/frame_sender.h"
#include "serve/jobs/server_jobs.h"

namespace drystone {

// The other end of a JobClient, on the node that schedules the instance: runs the orders of one
// connection on models of this process. Answers go out on a thread of their own; a client that
// falls too far behind is let go, so the threads of the models never wait for a network.
class JobServer {
 public:
  static constexpr std::size_t kJobsMax = ServerJobs::kJobsMax;  // of one connection at once
  static constexpr std::size_t kWaitingBytesMax = 32u << 20;     // of answers that are not sent yet

  using Find = ServerJobs::Find;
  struct Options {
    std::size_t waiting_bytes_max = kWaitingBytesMax;
    JobWaits waits = {};
  };
  JobServer(std::unique_ptr<DataStream> stream, Find find, Options options);
  JobServer(std::unique_ptr<DataStream> stream, Find find)
      : JobServer(std::move(stream), std::move(find), Options{}) {}
  ~JobServer();  // as close(); serve() has returned

  // Blocks until the connection ends, and says why; its jobs are cancelled then. Once.
  // Errors: those of DataStream::read (closed: the client said goodbye), corrupt.
  Result<void> serve();
  void close();  // from any thread

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace drystone
