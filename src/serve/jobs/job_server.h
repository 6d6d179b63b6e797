#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/data_stream.h"
#include "serve/http/served_model.h"
#include "serve/jobs/frame_sender.h"

namespace drystone {

// The other end of a JobClient, on the node that schedules the instance: runs the orders of one
// connection on models of this process. Answers go out on a thread of their own; a client that
// falls too far behind is let go, so the threads of the models never wait for a network.
class JobServer {
 public:
  static constexpr std::size_t kJobsMax = 1024;               // of one connection at once
  static constexpr std::size_t kWaitingBytesMax = 32u << 20;  // of answers that are not sent yet

  // The model of an instance that is ready here in this epoch; jobs hold it until they end, and may
  // let go of it on any thread, its own among them (a lease of a ModelHost may). Errors tell the
  // other node that the instance is lost.
  using Find = std::function<Result<std::shared_ptr<ServedModel>>(const std::string& instance,
                                                                  std::uint64_t epoch)>;
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
