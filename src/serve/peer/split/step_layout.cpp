#include "serve/peer/split/step_layout.h"

#include <fmt/format.h>

#include <cstring>

#include "net/wire.h"

namespace drystone {
namespace {

constexpr std::uint8_t kKindMax = static_cast<std::uint8_t>(RowKind::generated);
constexpr std::uint8_t kOutputMax = static_cast<std::uint8_t>(RowOutput::all_hidden);

template <typename T>
void put(std::byte*& to, T value) {
  std::memcpy(to, &value, sizeof value);
  to += sizeof value;
}

Error refused(std::size_t segment, std::string_view why) {
  return Error(Errc::corrupt, fmt::format("segment {} of a step: {}", segment, why));
}

Result<void> check_segment(const Segment& segment, std::size_t index, const StepLimits& limits,
                           bool with_pages) {
  if (segment.rows == 0 || segment.rows > limits.rows_max) return refused(index, "its rows");
  if (!with_pages) return {};
  const std::uint64_t end = std::uint64_t{segment.position} + segment.rows;
  if (end > limits.context) return refused(index, "positions beyond the context");
  if (segment.pages.size() > limits.pages_of_a_sequence() ||
      segment.pages.size() * std::uint64_t{limits.page_tokens} < end)
    return refused(index, "the length of its page table");
  for (const std::uint32_t page : segment.pages)
    if (page >= limits.page_count) return refused(index, "a page that is not there");
  return {};
}

}  // namespace

void write_layout(std::span<const Segment> segments, bool with_pages, std::vector<std::byte>& out) {
  std::size_t pages = 0;
  if (with_pages)
    for (const Segment& segment : segments) pages += segment.pages.size();
  out.resize(kLayoutHeadBytes + segments.size() * kLayoutSegmentBytes + pages * 4);
  std::byte* to = out.data();
  put(to, static_cast<std::uint32_t>(segments.size()));
  put(to, static_cast<std::uint32_t>(pages));
  for (const Segment& segment : segments) {
    put(to, segment.rows);
    put(to, segment.position);
    put(to, with_pages ? static_cast<std::uint32_t>(segment.pages.size()) : 0u);
    put(to, static_cast<std::uint8_t>(segment.kind));
    put(to, static_cast<std::uint8_t>(segment.output));
    put(to, std::uint16_t{0});
  }
  if (with_pages)
    for (const Segment& segment : segments)
      if (!segment.pages.empty()) {
        std::memcpy(to, segment.pages.data(), segment.pages.size_bytes());
        to += segment.pages.size_bytes();
      }
}

Result<std::size_t> layout_bytes(std::span<const std::byte> head, const StepLimits& limits) {
  WireReader reader(head);
  const std::uint32_t segments = reader.u32(), pages = reader.u32();
  TRY(reader.finish());
  if (segments == 0 || segments > limits.rows_max ||
      pages > std::uint64_t{segments} * limits.pages_of_a_sequence())
    return Error(Errc::corrupt,
                 fmt::format("a step of {} segments and {} pages in their tables, at most {} and "
                             "{} each are allowed",
                             segments, pages, limits.rows_max, limits.pages_of_a_sequence()));
  return kLayoutHeadBytes + segments * kLayoutSegmentBytes + std::size_t{pages} * 4;
}

Result<void> parse_layout(const StepLimits& limits, StepMessage& message) {
  const bool with_pages = message.kind == PeerFrame::step;
  const std::span layout(message.layout);
  const auto head = layout.first(std::min(layout.size(), kLayoutHeadBytes));
  if (TRY(layout_bytes(head, limits)) != layout.size())
    return Error(Errc::corrupt, fmt::format("a step's layout of {} bytes", layout.size()));
  WireReader reader(layout);
  const std::uint32_t segments = reader.u32(), pages = reader.u32();
  message.segments.clear();
  message.pages.resize(pages);
  WireReader tables(layout.subspan(kLayoutHeadBytes + segments * kLayoutSegmentBytes));
  tables.copy(std::as_writable_bytes(std::span(message.pages)));
  TRY(tables.finish());
  std::size_t page = 0;
  std::uint64_t rows = 0;
  bool prompts = false;
  for (std::size_t i = 0; i < segments; ++i) {
    Segment& segment = message.segments.emplace_back();
    segment.rows = reader.u32();
    segment.position = reader.u32();
    const std::uint32_t count = reader.u32();
    const std::uint8_t kind = reader.u8(), output = reader.u8();
    if (reader.u16() != 0 || kind > kKindMax || output > kOutputMax || !reader.ok())
      return refused(i, "its kind or output");
    segment.kind = static_cast<RowKind>(kind);
    segment.output = static_cast<RowOutput>(output);
    if (count > message.pages.size() - page) return refused(i, "the length of its page table");
    segment.pages = std::span(message.pages).subspan(page, count);
    page += count;
    TRY(check_segment(segment, i, limits, with_pages));
    if (prompts && segment.kind == RowKind::generated)
      return refused(i, "generated rows behind prompt rows");
    prompts |= segment.kind == RowKind::prompt;
    rows += segment.rows;
  }
  if (page != message.pages.size() || rows > limits.rows_max)
    return Error(Errc::corrupt, fmt::format("a step of {} rows, at most {}; {} pages of {} used",
                                            rows, limits.rows_max, page, message.pages.size()));
  if (logit_rows(message.segments) > limits.logit_rows_max)
    return Error(Errc::corrupt, fmt::format("a step with {} rows of logits, at most {}",
                                            logit_rows(message.segments), limits.logit_rows_max));
  return {};
}

std::uint32_t rows_behind(PeerFrame kind, std::span<const Segment> segments) {
  if (kind == PeerFrame::rows) return wanted_rows(segments);
  std::uint32_t rows = 0;
  for (const Segment& segment : segments) rows += segment.rows;
  return rows;
}

}  // namespace drystone
