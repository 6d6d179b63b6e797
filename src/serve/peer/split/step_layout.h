#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "compute/device.h"
#include "serve/peer/split/stream_name.h"

namespace drystone {

// What the steps of an instance keep to: the same on all its parts.
struct StepLimits {
  std::uint32_t width = 0;           // d_model
  std::uint32_t context = 0;         // positions of a sequence
  std::uint32_t rows_max = 0;        // of a step
  std::uint32_t logit_rows_max = 0;  // of a step
  std::uint32_t logit_width = 0;     // of the rank with most rows of the output matrix
  std::uint32_t lanes = 1;           // steps on their way at once
  std::uint32_t page_tokens = 0;
  std::uint32_t page_count = 0;

  std::uint32_t pages_of_a_sequence() const { return (context + page_tokens - 1) / page_tokens; }
};

// A frame of a step, step by step of its way the same object: once its buffers have grown they
// stay.
struct StepMessage {
  PeerFrame kind = PeerFrame::step;  // step, rows or logits
  std::uint64_t number = 0;          // of the step, from 1
  std::vector<std::byte> layout;     // segments and pages as they came: passed on like this
  std::vector<Segment> segments;     // of `layout`; pages point into `pages`
  std::vector<std::uint32_t> pages;
  std::vector<float> values;       // f32 [rows, width], or logits [rows, the rank's width]
  std::vector<std::byte> encoded;  // scratch
};

// A layout: u32 segments, u32 pages, then 16 bytes for each segment, then all page tables, u32
// each.
constexpr std::size_t kLayoutHeadBytes = 8, kLayoutSegmentBytes = 16;

// Replaces `out`. Without pages for rows on their way back: nobody looks at them.
void write_layout(std::span<const Segment> segments, bool with_pages, std::vector<std::byte>& out);

// The whole size of a layout that begins with these kLayoutHeadBytes. Errors: corrupt (more than
// the limits allow).
Result<std::size_t> layout_bytes(std::span<const std::byte> head, const StepLimits& limits);

// Fills segments and pages of `message` from its layout, and checks all that a device relies on:
// the order of kinds, and for steps that page tables reach as far as positions, and stay in the
// cache. Errors: corrupt. The message is of no use then.
Result<void> parse_layout(const StepLimits& limits, StepMessage& message);

// Rows that a frame of this kind has behind its layout.
std::uint32_t rows_behind(PeerFrame kind, std::span<const Segment> segments);

}  // namespace drystone
