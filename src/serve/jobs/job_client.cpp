#include "serve/jobs/job_client.h"

#include <fmt/format.h>

#include "net/frame.h"

namespace drystone {

JobClient::JobClient(std::unique_ptr<DataStream> stream, Options options)
    : ClientJobs({.instance = std::move(options.instance),
                  .epoch = options.epoch,
                  .vocab = options.vocab,
                  .width = options.width}),
      stream_(std::move(stream)),
      waits_(options.waits),
      sender_(*stream_, {.waiting_bytes_max = kWaitingBytesMax, .waits = waits_}),
      reader_([this] { read(); }) {}

JobClient::~JobClient() {
  sender_.end();
  reader_.join();
}

void JobClient::send(JobFrame type, std::uint64_t tag, std::span<const std::byte> payload) {
  sender_.send(type, tag, payload);
}

void JobClient::read() {
  FrameStream frames(*stream_, {.payload_bytes_max = JobLimits::kPayloadBytesMax});
  const auto read_one = [&]() -> Result<void> {
    const StreamWait wait{.within = waits_.silence_max};
    const FrameHeader header = TRY(frames.read_header(wait));
    const auto payload = TRY(frames.read_rest(wait));
    return take(static_cast<JobFrame>(header.type), header.flags, header.tag, payload);
  };
  Result<void> result;
  while (result) result = read_one();
  sender_.end();
  lose(Error(Errc::unavailable,
             fmt::format("the connection to the node that schedules {}, {}, is lost ({})",
                         model().instance, stream_->peer().address, result.error().message())));
}

}  // namespace drystone
