#include "serve/peer/probe/link_probe.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "net/frame.h"
#include "net/test_memory_stream.h"
#include "serve/peer/probe/probe_wire.h"

namespace drystone {
namespace {

class Peer {
 public:
  Peer() {
    auto [here, there] = make_memory_streams();
    stream = std::move(here);
    thread_ =
        std::thread([this, end = std::move(there)] { result = answer_probe(*end, clock, gate); });
  }
  ~Peer() {
    if (thread_.joinable()) join();
  }
  void join() {
    stream->close();
    thread_.join();
  }
  void say(ProbeFrame type, std::uint64_t tag) {
    FrameStream frames(*stream, {.payload_bytes_max = 0});
    EXPECT_TRUE(frames.write({.type = static_cast<std::uint16_t>(type), .tag = tag}, {},
                             {.within = std::chrono::seconds(5)}));
  }

  SystemClock clock;
  ProbeGate gate;
  std::unique_ptr<DataStream> stream;
  std::optional<Result<void>> result;

 private:
  std::thread thread_;
};

TEST(LinkProbe, MeasuresAllFigures) {
  Peer peer;
  const auto figures = probe_link(*peer.stream, peer.clock);
  ASSERT_TRUE(figures) << figures.error().message();
  EXPECT_GT(figures->round_trip_s, 0);
  EXPECT_LT(figures->round_trip_s, 0.1);
  EXPECT_GT(figures->exchange_s, 0);
  EXPECT_LT(figures->exchange_s, 0.1);
  EXPECT_GT(figures->bandwidth, 1e6);
  EXPECT_GT(figures->bandwidth_back, 1e6);
  peer.join();
  EXPECT_TRUE(*peer.result) << peer.result->error().message();
}

// Two measurements at a time would measure each other.
TEST(LinkProbe, IsToldWhenAnotherOneRuns) {
  Peer peer;
  const ProbeGate::Pass pass(peer.gate);
  EXPECT_TRUE(probe_link(*peer.stream, peer.clock).is(Errc::limit));
}

// Who speaks another version is told so: it would ask again and again for one that is busy.
TEST(LinkProbe, RefusesAnotherVersionByItsName) {
  Peer peer;
  FrameStream frames(*peer.stream, {.payload_bytes_max = 0});
  peer.say(ProbeFrame::hello, kProbeVersion + 1);
  const auto header = frames.read_header({.within = std::chrono::seconds(5)});
  ASSERT_TRUE(header) << header.error().message();
  EXPECT_EQ(header->type, static_cast<std::uint16_t>(ProbeFrame::version));
  EXPECT_EQ(header->tag, kProbeVersion);
}

// A member that wants to keep this node busy can do so for moments only.
TEST(LinkProbe, RefusesWhatIsOutOfBounds) {
  for (const auto& [type, tag] : {std::pair{ProbeFrame::send, kProbeBytesMax + 1},
                                  {ProbeFrame::receive, Bytes{1}},
                                  {ProbeFrame::exchange, kExchangeRoundsMax + 1},
                                  {ProbeFrame::took, Bytes{0}}}) {
    Peer peer;
    peer.say(ProbeFrame::hello, kProbeVersion);
    peer.say(type, tag);
    std::byte byte[FrameHeader::kBytes];  // of `ready`
    EXPECT_TRUE(peer.stream->read(byte, {.within = std::chrono::seconds(5)}));
    peer.join();
    EXPECT_FALSE(*peer.result) << static_cast<int>(type);
  }
}

}  // namespace
}  // namespace drystone
