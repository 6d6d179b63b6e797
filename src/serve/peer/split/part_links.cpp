#include "serve/peer/split/part_links.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "net/wire.h"

namespace drystone {
namespace {

constexpr std::uint32_t kReadyBytes = 9;
// How often who waits looks whether it should stop.
constexpr std::chrono::milliseconds kStopPoll{50};

std::vector<std::byte> encode(const PartFigures& figures) {
  WireWriter writer;
  writer.u32(figures.page_tokens);
  writer.u32(figures.page_count);
  writer.u8(figures.kinds_agree ? 1 : 0);
  return writer.take();
}

}  // namespace

PartLinks::PartLinks(const Placement& placement, std::uint32_t part, const StepLimits& limits,
                     std::vector<WiredStream> streams, const Clock& clock, LinkOptions options,
                     OnLost on_lost)
    : placement_(placement),
      part_(part),
      wires_(placement),
      limits_(limits),
      clock_(clock),
      options_(options),
      on_lost_(std::move(on_lost)),
      // A step and its rows each, and one more of both, since buffers come back a little later.
      inbox_(2 * (limits.lanes + 1)) {
  if (is_head())
    for (std::uint32_t rank = 1; rank < wires_.ranks(0); ++rank)
      slices_.push_back(std::make_unique<StepInbox>(limits.lanes + 1));
  std::vector<DataStream*> by_rank(here().ranks, nullptr);
  for (WiredStream& wired : streams) {
    const Wire& wire = wired.wire;
    const std::uint32_t other = wire.from == part_ ? wire.to : wire.from;
    if (wire.role == StreamRole::reduce) {
      by_rank[placement_.parts[other].rank] = wired.stream.get();
      sums_.push_back(std::move(wired.stream));
      continue;
    }
    if (wire.role == StreamRole::steps && wire.from == part_) ++children_;
    links_.push_back({.wire = wire,
                      .link = std::make_unique<Link>(
                          std::move(wired.stream), clock_,
                          Link::Options{.name = fmt::format("part {} on {}", other,
                                                            placement_.parts[other].node),
                                        .payload_bytes_max = payload_max(),
                                        .timing = options_.timing})});
  }
  if (here().ranks > 1) {
    StreamReducer::Options reduce = options_.reduce;
    reduce.rank = here().rank;
    reduce.width = limits_.width;
    reduce.one_shot_bytes = placement_.one_shot_bytes;
    for (const PlacedPart& part : placement_.parts)
      if (part.stage == here().stage) {
        reduce.nodes.resize(here().ranks);
        reduce.nodes[part.rank] = part.node;
      }
    reducer_ = std::make_unique<StreamReducer>(std::move(by_rank), reduce);
  }
  for (Wired& wired : links_)
    wired.link->start(
        [this, &wired](const FrameHeader& header, Link&) { return on_frame(wired, header); },
        [this](const Error& error) { fail(error); });
  keeper_ = std::thread([this] { keep_alive(); });
}

PartLinks::~PartLinks() { stop(); }

std::uint32_t PartLinks::payload_max() const {
  // The page size is not known yet; no page holds less than one position.
  const std::uint64_t layout =
      kLayoutHeadBytes +
      std::uint64_t{limits_.rows_max} * (kLayoutSegmentBytes + 4ull * limits_.context);
  const std::uint64_t rows = 4ull * limits_.rows_max * limits_.width;
  const std::uint64_t logits = 4ull * limits_.logit_rows_max * limits_.logit_width;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(std::max(layout + rows, logits), std::uint32_t{1} << 31));
}

// ---- What comes

Result<void> PartLinks::on_frame(Wired& wired, const FrameHeader& header) {
  const bool from_us = wired.wire.from == part_;
  const bool steps = wired.wire.role == StreamRole::steps;
  const auto type = static_cast<PeerFrame>(header.type);
  if (type == PeerFrame::ready && steps && from_us) return on_ready(wired);
  if (loaded_.load(std::memory_order_acquire)) {
    if (type == PeerFrame::step && steps && !from_us) return on_step(wired, header, type);
    if (type == PeerFrame::rows && !steps && !from_us) return on_step(wired, header, type);
    if (type == PeerFrame::logits && steps && from_us && is_head() &&
        placement_.parts[wired.wire.to].stage == 0)
      return on_logits(wired, header);
  }
  return Error(Errc::corrupt, fmt::format("a frame of type {} has no place here", header.type));
}

Result<void> PartLinks::on_ready(const Wired& wired) {
  std::array<std::byte, kReadyBytes> bytes;
  TRY(wired.link->read(bytes));
  WireReader reader(bytes);
  PartFigures figures{.page_tokens = reader.u32(), .page_count = reader.u32()};
  const std::uint8_t agree = reader.u8();
  if (agree > 1) reader.refuse("neither yes nor no");
  figures.kinds_agree = agree == 1;
  TRY(reader.finish());
  {
    const std::lock_guard lock(mutex_);
    if (!ready_.emplace(wired.wire.to, figures).second)
      return Error(Errc::corrupt, "a part is ready twice");
  }
  changed_.notify_all();
  tell_ready();
  return {};
}

Result<void> PartLinks::on_step(Wired& wired, const FrameHeader& header, PeerFrame kind) {
  if (header.tag != ++wired.steps)
    return Error(Errc::corrupt, fmt::format("step {} where {} is next", header.tag, wired.steps));
  if (header.flags > static_cast<std::uint16_t>(RowFormat::q8))
    return Error(Errc::corrupt, fmt::format("rows of format {}", header.flags));
  const auto format = static_cast<RowFormat>(header.flags);
  Link& link = *wired.link;
  auto message = TRY(inbox_.empty());
  message->kind = kind;
  message->number = header.tag;
  message->layout.resize(kLayoutHeadBytes);
  TRY(link.read(message->layout));
  const std::size_t layout = TRY(layout_bytes(message->layout, limits_));
  if (layout - kLayoutHeadBytes > link.payload_left())
    return Error(Errc::corrupt, "a step that ends within its layout");
  message->layout.resize(layout);
  TRY(link.read(std::span(message->layout).subspan(kLayoutHeadBytes)));
  TRY(parse_layout(limits_, *message));
  const std::size_t rows = rows_behind(kind, message->segments);
  const std::size_t bytes = rows * row_bytes(format, limits_.width);
  if (link.payload_left() != bytes)
    return Error(Errc::corrupt, fmt::format("a step of {} rows with {} bytes of them, expected {}",
                                            rows, link.payload_left(), bytes));
  message->values.resize(rows * limits_.width);
  if (format == RowFormat::f32) {
    TRY(link.read(std::as_writable_bytes(std::span(message->values))));
  } else {
    message->encoded.resize(bytes);
    TRY(link.read(message->encoded));
    decode_rows(format, message->encoded, limits_.width, message->values);
  }
  inbox_.put(std::move(message));
  return {};
}

Result<void> PartLinks::on_logits(Wired& wired, const FrameHeader& header) {
  if (header.tag != ++wired.steps)
    return Error(Errc::corrupt, fmt::format("logits of step {}, not {}", header.tag, wired.steps));
  const PlacedPart& from = placement_.parts[wired.wire.to];
  Link& link = *wired.link;
  const std::size_t row = std::size_t{from.vocab.size()} * 4;
  if (link.payload_left() % row != 0 || link.payload_left() / row > limits_.logit_rows_max)
    return Error(Errc::corrupt, fmt::format("logits of {} bytes, {} a row, {} rows at most",
                                            link.payload_left(), row, limits_.logit_rows_max));
  auto message = TRY(slices(from.rank).empty());
  message->kind = PeerFrame::logits;
  message->number = header.tag;
  message->values.resize(link.payload_left() / 4);
  TRY(link.read(std::as_writable_bytes(std::span(message->values))));
  slices(from.rank).put(std::move(message));
  return {};
}

// ---- Readiness

void PartLinks::loaded(const PartFigures& figures) {
  limits_.page_tokens = figures.page_tokens;
  limits_.page_count = figures.page_count;
  loaded_.store(true, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    own_ = figures;
  }
  changed_.notify_all();
  tell_ready();
}

namespace {

Result<PartFigures> least(PartFigures figures, const std::map<std::uint32_t, PartFigures>& others) {
  for (const auto& [part, other] : others) {
    if (other.page_tokens != figures.page_tokens)
      return Error(Errc::unsupported, fmt::format("part {} has pages of {} tokens, others of {}",
                                                  part, other.page_tokens, figures.page_tokens));
    figures.page_count = std::min(figures.page_count, other.page_count);
    figures.kinds_agree &= other.kinds_agree;
  }
  return figures;
}

}  // namespace

void PartLinks::tell_ready() {
  Result<PartFigures> all = PartFigures{};
  {
    const std::lock_guard lock(mutex_);
    if (is_head() || told_ || !own_ || ready_.size() < children_) return;
    told_ = true;
    all = least(*own_, ready_);
  }
  if (!all) {
    fail(all.error());
    return;
  }
  if (auto sent = to_parent()->send(PeerFrame::ready, 0, 0, {encode(*all)}); !sent)
    fail(sent.error());
}

Result<PartFigures> PartLinks::wait_ready(const std::atomic<bool>& stop) {
  CHECK(is_head());
  std::unique_lock lock(mutex_);
  while (!lost_ && !(own_ && ready_.size() == children_)) {
    if (stop) return Error(Errc::cancelled, "loading was stopped");
    changed_.wait_for(lock, kStopPoll);
  }
  if (lost_) return *lost_;
  return least(*own_, ready_);
}

// ---- What goes

Link* PartLinks::to_parent() {
  for (Wired& wired : links_)
    if (wired.wire.role == StreamRole::steps && wired.wire.to == part_) return wired.link.get();
  CHECK(false, part_);
  return nullptr;
}

Result<void> PartLinks::send(const Send& how, std::uint64_t step, std::span<const std::byte> layout,
                             std::span<const float> hidden) {
  std::span<const std::byte> rows;
  for (Wired& wired : links_) {
    if (wired.wire.role != how.role || wired.wire.from != part_ ||
        (placement_.parts[wired.wire.to].stage == 0) != how.to_first_stage)
      continue;
    if (rows.empty()) rows = encode_rows(how.rows, hidden, limits_.width, scratch_);
    auto sent =
        wired.link->send(how.kind, static_cast<std::uint16_t>(how.rows), step, {layout, rows});
    if (!sent) return failed(sent.error());
  }
  return {};
}

// In f32, since the head itself goes on with these very rows.
Result<void> PartLinks::send_to_ranks(std::uint64_t step, std::span<const std::byte> layout,
                                      std::span<const float> hidden) {
  return send({.kind = PeerFrame::step,
               .role = StreamRole::steps,
               .to_first_stage = true,
               .rows = RowFormat::f32},
              step, layout, hidden);
}

Result<void> PartLinks::send_on(std::uint64_t step, std::span<const std::byte> layout,
                                std::span<const float> hidden) {
  return send({.kind = PeerFrame::step,
               .role = StreamRole::steps,
               .to_first_stage = false,
               .rows = placement_.row_format},
              step, layout, hidden);
}

Result<void> PartLinks::send_back(std::uint64_t step, std::span<const std::byte> layout,
                                  std::span<const float> hidden) {
  return send({.kind = PeerFrame::rows,
               .role = StreamRole::rows,
               .to_first_stage = true,
               .rows = placement_.row_format},
              step, layout, hidden);
}

Result<void> PartLinks::send_logits(std::uint64_t step, std::span<const float> logits) {
  auto sent = to_parent()->send(PeerFrame::logits, 0, step, {std::as_bytes(logits)});
  if (!sent) return failed(sent.error());
  return {};
}

// ---- The end

void PartLinks::close_all(const Error& error) {
  inbox_.close(error);
  for (const auto& slices : slices_) slices->close(error);
  for (const Wired& wired : links_) wired.link->close();
  for (const auto& stream : sums_) stream->close();
  changed_.notify_all();
}

void PartLinks::fail(const Error& error) {
  std::optional<Error> lost;
  {
    const std::lock_guard lock(mutex_);
    if (lost_) return;
    lost = lost_ = Error(Errc::unavailable, error.message());
  }
  close_all(*lost);
  if (on_lost_) on_lost_(*lost);
}

Error PartLinks::failed(const Error& error) {
  fail(error);
  const std::lock_guard lock(mutex_);
  return *lost_;
}

bool PartLinks::ended() const {
  const std::lock_guard lock(mutex_);
  return lost_.has_value();
}

void PartLinks::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (!lost_) lost_ = Error(Errc::unavailable, "this part was stopped");
  }
  close_all(*lost_);
  if (keeper_.joinable()) keeper_.join();
  for (Wired& wired : links_) wired.link->join();
}

void PartLinks::keep_alive() {
  std::unique_lock lock(mutex_);
  while (!stopping_ && !lost_) {
    changed_.wait_for(lock, options_.timing.keep_every / 2, [&] { return stopping_ || lost_; });
    if (stopping_ || lost_) return;
    lock.unlock();
    for (Wired& wired : links_)
      if (auto kept = wired.link->keep(); !kept) fail(kept.error());
    lock.lock();
  }
}

}  // namespace drystone
