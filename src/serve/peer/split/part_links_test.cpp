#include "serve/peer/split/part_links.h"

#include <gtest/gtest.h>

#include <future>

#include "net/frame.h"
#include "net/test_memory_stream.h"

namespace drystone {
namespace {

using std::chrono::seconds;

constexpr StepLimits kLimits{
    .width = 4, .context = 128, .rows_max = 8, .logit_rows_max = 4, .logit_width = 10, .lanes = 2};

Placement two_stages() {
  return {.instance = "test",
          .parts = {{.node = "head", .stage = 0, .vocab = {0, 10}}, {.node = "last", .stage = 1}}};
}

// The last of two stages, with a head that says whatever a test wants.
struct Part {
  explicit Part(LinkTiming timing = {}) {
    std::vector<WiredStream> streams;
    for (const Wire& wire : Wires(placement).of(1)) {
      auto [ours, theirs] = make_memory_streams();
      streams.push_back({wire, std::move(ours)});
      (wire.role == StreamRole::steps ? steps : rows) = std::move(theirs);
    }
    links = std::make_unique<PartLinks>(
        placement, 1, kLimits, std::move(streams), clock, LinkOptions{.timing = timing},
        [this](const Error& error) { lost.set_value(error.message()); });
  }

  void load() {
    links->loaded({.page_tokens = 64, .page_count = 4, .kinds_agree = true});
    FrameStream frames(*steps, {.payload_bytes_max = 1000});
    FrameHeader header;
    do header = *frames.read_header({.within = seconds(5)});
    while (header.type == static_cast<std::uint16_t>(PeerFrame::keep));
    EXPECT_EQ(header.type, static_cast<std::uint16_t>(PeerFrame::ready));
  }

  void send(const FrameHeader& header, std::span<const std::byte> payload = {}) {
    FrameStream frames(*steps, {.payload_bytes_max = 1 << 30});
    EXPECT_TRUE(frames.write(header, {payload}, {.within = seconds(5)}));
  }

  // Why the part ended; "" if it goes on.
  std::string why() {
    auto ended = lost.get_future();
    return ended.wait_for(seconds(5)) == std::future_status::ready ? ended.get() : "";
  }

  const Placement placement = two_stages();
  SystemClock clock;
  std::promise<std::string> lost;
  std::unique_ptr<DataStream> steps, rows;  // the head's ends
  std::unique_ptr<PartLinks> links;
};

// A step of one row, with its hidden values.
std::vector<std::byte> step_payload(std::uint32_t page = 1, std::size_t values = 4) {
  const std::uint32_t pages[] = {page};
  const Segment segment{.rows = 1, .position = 3, .kind = RowKind::generated, .pages = pages};
  std::vector<std::byte> payload;
  write_layout({&segment, 1}, /*with_pages=*/true, payload);
  const std::vector<float> hidden(values, 1.5f);
  const auto bytes = std::as_bytes(std::span(hidden));
  payload.insert(payload.end(), bytes.begin(), bytes.end());
  return payload;
}

FrameHeader step_header(std::uint64_t number) {
  return {.type = static_cast<std::uint16_t>(PeerFrame::step), .tag = number};
}

TEST(PartLinks, HandsOverStepsInTheirOrder) {
  Part part;
  part.load();
  for (std::uint64_t number = 1; number < 10; ++number) {
    part.send(step_header(number), step_payload());
    auto message = part.links->inbox().next(seconds(5));
    ASSERT_TRUE(message) << message.error().message();
    EXPECT_EQ((*message)->number, number);
    EXPECT_EQ((*message)->segments[0].pages[0], 1u);
    EXPECT_EQ((*message)->values, std::vector<float>(4, 1.5f));
    part.links->inbox().give_back(*std::move(message));
  }
}

// Whatever a head that is broken or hostile sends: the part ends and says why, the process lives.
TEST(PartLinks, FramesOutOfPlaceEndThePart) {
  using Send = std::function<void(Part&)>;
  const std::vector<std::pair<std::string, Send>> cases = {
      {"no place", [](Part& part) { part.send({.type = 99}); }},
      {"no place",
       [](Part& part) {
         part.send({.type = static_cast<std::uint16_t>(PeerFrame::logits), .tag = 1});
       }},
      {"no place",
       [](Part& part) { part.send({.type = static_cast<std::uint16_t>(PeerFrame::ready)}); }},
      {"step 2 where 1", [](Part& part) { part.send(step_header(2), step_payload()); }},
      {"page that is not there", [](Part& part) { part.send(step_header(1), step_payload(4)); }},
      {"with 12 bytes", [](Part& part) { part.send(step_header(1), step_payload(1, 3)); }},
      {"with 20 bytes", [](Part& part) { part.send(step_header(1), step_payload(1, 5)); }},
      {"frame ends", [](Part& part) { part.send(step_header(1), std::vector<std::byte>(7)); }},
      {"0 segments", [](Part& part) { part.send(step_header(1), std::vector<std::byte>(100)); }},
      {"format",
       [](Part& part) {
         FrameHeader header = step_header(1);
         header.flags = 3;
         part.send(header, step_payload());
       }},
      {"1048576",
       [](Part& part) {
         FrameHeader header = step_header(1);
         header.payload_bytes = 1 << 20;
         EXPECT_TRUE(part.steps->write(encode(header), {.within = seconds(5)}));
       }},
      {"part 0 on head",
       [](Part& part) {
         const std::vector<std::byte> zeroes(64);
         EXPECT_TRUE(part.steps->write(zeroes, {.within = seconds(5)}));
       }},
      {"more than 6 frames",
       [](Part& part) {
         for (std::uint64_t number = 1; number < 8; ++number)
           part.send(step_header(number), step_payload());
       }},
      {"ended its part", [](Part& part) { part.steps->close(); }},
      {"ended its part", [](Part& part) { part.rows->close(); }},
  };
  for (const auto& [reason, send] : cases) {
    Part part;
    part.load();
    send(part);
    EXPECT_NE(part.why().find(reason), std::string::npos) << reason;
    EXPECT_TRUE(part.links->ended());
    EXPECT_TRUE(part.links->inbox().next(seconds(5)).is(Errc::unavailable));
  }
}

TEST(PartLinks, AStepBeforeThePartIsReadyIsRefused) {
  Part part;
  part.send(step_header(1), step_payload());
  EXPECT_NE(part.why().find("no place"), std::string::npos);
}

// Loading takes minutes: nothing but signs of life goes to and fro, and they are enough.
TEST(PartLinks, WhoIsSilentIsLostAndWhoLivesIsNot) {
  const LinkTiming timing{.keep_every = std::chrono::milliseconds(20),
                          .silence_max = std::chrono::milliseconds(300)};
  Part part(timing);
  // Until it is heard for the first time the other side may take its time.
  FrameStream frames(*part.steps, {.payload_bytes_max = 1000});
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(frames.read_header({.within = seconds(5)})->type,
              static_cast<std::uint16_t>(PeerFrame::keep));
  EXPECT_FALSE(part.links->ended());
  part.send({.type = static_cast<std::uint16_t>(PeerFrame::keep)});
  EXPECT_NE(part.why().find("silent"), std::string::npos);
}

}  // namespace
}  // namespace drystone
