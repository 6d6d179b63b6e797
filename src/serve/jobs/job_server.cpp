#include "serve/jobs/job_server.h"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <utility>

#include "net/frame.h"

namespace drystone {

// Lives on with jobs that are still to end.
struct JobServer::Shared final : ServerJobs {
  Shared(std::unique_ptr<DataStream> connection, Find find, const Options& options)
      : ServerJobs(std::move(find)),
        stream(std::move(connection)),
        waits(options.waits),
        sender(*stream, {.waiting_bytes_max = options.waiting_bytes_max,
                         .waits = options.waits,
                         .look = [this] { tell_positions(); }}) {}

  void send(JobFrame type, std::uint64_t tag, std::span<const std::byte> payload,
            std::uint16_t flags) override {
    sender.send(type, tag, payload, flags);
  }

  // Constraints of this connection, one after the other, on a thread that comes with the first.
  void beside(std::function<void()> work) override {
    if (!compiler) compiler.emplace(1);
    boost::asio::post(*compiler, std::move(work));
  }

  const std::unique_ptr<DataStream> stream;
  const JobWaits waits;
  std::optional<boost::asio::thread_pool> compiler;  // of the thread that reads
  FrameSender sender;                                // last: its thread uses the rest
};

JobServer::JobServer(std::unique_ptr<DataStream> stream, Find find, Options options)
    : shared_(std::make_shared<Shared>(std::move(stream), std::move(find), options)) {}
JobServer::~JobServer() {
  close();
  shared_->cancel_all();
}
void JobServer::close() { shared_->sender.end(); }

Result<void> JobServer::serve() {
  FrameStream frames(*shared_->stream, {.payload_bytes_max = JobLimits::kPayloadBytesMax});
  const auto serve_one = [&]() -> Result<void> {
    const StreamWait wait{.within = shared_->waits.silence_max};
    const FrameHeader header = TRY(frames.read_header(wait));
    const auto payload = TRY(frames.read_rest(wait));
    return shared_->take(static_cast<JobFrame>(header.type), header.tag, payload);
  };
  Result<void> result;
  while (result) result = serve_one();
  close();
  shared_->cancel_all();
  if (shared_->compiler) shared_->compiler->join();
  return result;
}

}  // namespace drystone
