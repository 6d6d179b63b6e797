#include "serve/peer/split/step_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace drystone {
namespace {

constexpr StepLimits kLimits{.width = 8,
                             .context = 256,
                             .rows_max = 64,
                             .logit_rows_max = 16,
                             .page_tokens = 64,
                             .page_count = 10};

StepMessage written(std::span<const Segment> segments, PeerFrame kind = PeerFrame::step) {
  StepMessage message{.kind = kind};
  write_layout(segments, kind == PeerFrame::step, message.layout);
  return message;
}

bool refused(std::span<const Segment> segments) {
  StepMessage message = written(segments);
  return parse_layout(kLimits, message).is(Errc::corrupt);
}

TEST(StepLayout, ReadsWhatWasWritten) {
  const std::uint32_t first[] = {3, 9}, second[] = {0};
  const Segment segments[] = {{.rows = 1,
                               .position = 70,
                               .kind = RowKind::generated,
                               .pages = first,
                               .output = RowOutput::all_logits},
                              {.rows = 5,
                               .position = 0,
                               .kind = RowKind::prompt,
                               .pages = second,
                               .output = RowOutput::last_hidden}};
  for (const PeerFrame kind : {PeerFrame::step, PeerFrame::rows}) {
    StepMessage message = written(segments, kind);
    EXPECT_EQ(*layout_bytes(std::span(message.layout).first(kLayoutHeadBytes), kLimits),
              message.layout.size());
    ASSERT_TRUE(parse_layout(kLimits, message));
    ASSERT_EQ(message.segments.size(), 2u);
    EXPECT_EQ(message.segments[0].position, 70u);
    EXPECT_EQ(message.segments[1].output, RowOutput::last_hidden);
    EXPECT_EQ(rows_behind(kind, message.segments), kind == PeerFrame::step ? 6u : 2u);
    if (kind == PeerFrame::step) {
      EXPECT_TRUE(std::ranges::equal(message.segments[0].pages, first));
      EXPECT_TRUE(std::ranges::equal(message.segments[1].pages, second));
    }
  }
}

// A device trusts its step: whatever would make it read or write elsewhere must not reach it.
TEST(StepLayout, RefusesWhatADeviceCouldNotStand) {
  const std::uint32_t pages[] = {0, 1, 2, 3}, far[] = {10};
  const Segment good{
      .rows = 2, .position = 62, .kind = RowKind::prompt, .pages = std::span(pages).first(1)};
  EXPECT_FALSE(refused({&good, 1}));
  Segment bad = good;
  bad.rows = 3;  // one row beyond its pages
  EXPECT_TRUE(refused({&bad, 1}));
  bad = good;
  bad.rows = 0;
  EXPECT_TRUE(refused({&bad, 1}));
  bad = good;
  bad.pages = far;
  EXPECT_TRUE(refused({&bad, 1}));
  bad = {.rows = 2, .position = 255, .kind = RowKind::prompt, .pages = pages};
  EXPECT_TRUE(refused({&bad, 1}));
  bad = {.rows = 2, .position = 0xffffffff, .kind = RowKind::prompt, .pages = pages};
  EXPECT_TRUE(refused({&bad, 1}));
  bad = {.rows = 17,
         .position = 0,
         .kind = RowKind::prompt,
         .pages = pages,
         .output = RowOutput::all_logits};
  EXPECT_TRUE(refused({&bad, 1}));
  const Segment prompt_first[] = {
      good, {.rows = 1, .position = 0, .kind = RowKind::generated, .pages = pages}};
  EXPECT_TRUE(refused(prompt_first));
  const std::vector<Segment> many(33, good);  // 66 rows
  EXPECT_TRUE(refused(many));
  EXPECT_TRUE(refused({}));
}

TEST(StepLayout, RefusesEveryCutAndEveryCount) {
  const std::uint32_t pages[] = {1, 2};
  const Segment segment{.rows = 3, .position = 100, .kind = RowKind::prompt, .pages = pages};
  const StepMessage whole = written({&segment, 1});
  for (std::size_t size = 0; size < whole.layout.size(); ++size) {
    StepMessage message = whole;
    message.layout.resize(size);
    EXPECT_TRUE(parse_layout(kLimits, message).is(Errc::corrupt)) << size;
  }
  for (const std::size_t at : {0u, 4u}) {
    StepMessage message = whole;
    const std::uint32_t huge = 0xfffffff0;
    std::memcpy(message.layout.data() + at, &huge, sizeof huge);
    EXPECT_TRUE(parse_layout(kLimits, message).is(Errc::corrupt)) << at;
  }
}

}  // namespace
}  // namespace drystone
