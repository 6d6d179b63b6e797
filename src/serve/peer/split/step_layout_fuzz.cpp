// The first byte chooses the kind of frame, the rest is a layout. One that is taken holds what a
// device relies on, and is written as it was read.
#include <cstdint>

#include "serve/peer/split/step_layout.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  constexpr StepLimits kLimits{.width = 8,
                               .context = 256,
                               .rows_max = 32,
                               .logit_rows_max = 8,
                               .page_tokens = 16,
                               .page_count = 40};
  if (size < 1) return 0;
  StepMessage message{.kind = data[0] % 2 == 0 ? PeerFrame::step : PeerFrame::rows};
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  message.layout.assign(bytes.begin(), bytes.end());
  if (!parse_layout(kLimits, message)) return 0;
  const bool steps = message.kind == PeerFrame::step;
  CHECK(rows_behind(PeerFrame::step, message.segments) <= kLimits.rows_max);
  for (const Segment& segment : message.segments) {
    if (!steps) continue;
    CHECK(segment.position + segment.rows <= segment.pages.size() * kLimits.page_tokens);
    for (const std::uint32_t page : segment.pages) CHECK(page < kLimits.page_count);
  }
  std::vector<std::byte> again;
  write_layout(message.segments, /*with_pages=*/true, again);
  CHECK(again == message.layout);
  return 0;
}
