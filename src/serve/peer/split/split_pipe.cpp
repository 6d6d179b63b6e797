#include "serve/peer/split/split_pipe.h"

#include <fmt/format.h>

#include <algorithm>

namespace drystone {

SplitPipe::SplitPipe(std::unique_ptr<PartLinks> links, LoadedPart& part, std::uint32_t vocab)
    : links_(std::move(links)), part_(part), vocab_(vocab) {
  part_.connect(links_->reducer());
}

SplitPipe::~SplitPipe() {
  links_->stop();
  part_.connect(nullptr);
}

Result<std::unique_ptr<SplitPipe>> SplitPipe::create(std::unique_ptr<PartLinks> links,
                                                     LoadedPart& part, std::uint32_t vocab,
                                                     const std::atomic<bool>& stop) {
  auto pipe = std::unique_ptr<SplitPipe>(new SplitPipe(std::move(links), part, vocab));
  const DeviceStage& body = *part.stages().body;
  pipe->links_->loaded({.page_tokens = body.page_tokens(),
                        .page_count = body.page_count(),
                        .kinds_agree = body.kinds_agree()});
  pipe->figures_ = TRY(pipe->links_->wait_ready(stop));
  return pipe;
}

Result<void> SplitPipe::start(const StepInput& input) {
  if (lost_) return *lost_;
  auto started = start_step(input);
  if (!started) return lose(started.error());
  return {};
}

Result<StepOutput> SplitPipe::finish() {
  if (lost_) return *lost_;
  auto finished = finish_step();
  if (!finished) return lose(finished.error());
  return finished;
}

// What is on its way never ends.
Error SplitPipe::lose(const Error& error) {
  flights_.clear();
  return lost_.emplace(links_->failed(error));
}

Result<void> SplitPipe::start_step(const StepInput& input) {
  CHECK(flights_.size() < lanes(), flights_.size());
  if (landed_.empty()) landed_.emplace_back();
  Flight& flight = flights_.emplace_back(std::move(landed_.back()));
  landed_.pop_back();
  flight.step = ++started_;
  flight.segments.assign(input.segments.begin(), input.segments.end());
  for (Segment& segment : flight.segments) segment.pages = {};

  write_layout(input.segments, /*with_pages=*/true, layout_);
  const StepOutput embedded = TRY(part_.stages().front->run(input));
  TRY(links_->send_to_ranks(flight.step, layout_, embedded.hidden));
  const StepOutput out =
      TRY(part_.stages().body->run({.segments = input.segments, .hidden = embedded.hidden}));
  if (lanes() > 1) return links_->send_on(flight.step, layout_, out.hidden);
  own_rows_ = out.hidden;
  return {};
}

Result<StepOutput> SplitPipe::finish_step() {
  CHECK(!flights_.empty());
  if (returned_ != nullptr) links_->inbox().give_back(std::move(returned_));
  landed_.push_back(std::move(flights_.front()));
  flights_.pop_front();
  const Flight& flight = landed_.back();
  std::span<const float> rows = own_rows_;
  if (lanes() > 1) {
    returned_ = TRY(links_->inbox().next(kStepWithin));
    CHECK(returned_->number == flight.step, returned_->number, flight.step);
    rows = returned_->values;
  }
  const std::size_t wanted = wanted_rows(flight.segments);
  if (rows.size() != wanted * links_->limits().width)
    return Error(Errc::corrupt,
                 fmt::format("the last stage gave {} values of {} rows", rows.size(), wanted));
  StepOutput own;
  if (wanted > 0)
    own = TRY(part_.stages().front->head({.segments = flight.segments, .hidden = rows}));
  if (links_->wires().ranks(0) == 1) return own;
  return gather(flight, own);
}

Result<StepOutput> SplitPipe::gather(const Flight& flight, const StepOutput& own) {
  const std::size_t rows = logit_rows(flight.segments);
  logits_.resize(rows * vocab_);
  const std::size_t width = rows == 0 ? 0 : own.logits.size() / rows;
  for (std::size_t row = 0; row < rows; ++row)
    std::copy_n(own.logits.begin() + row * width, width, logits_.begin() + row * vocab_);
  for (std::uint32_t rank = 1; rank < links_->wires().ranks(0); ++rank)
    TRY(add_slice(flight, rank, links_->vocab_of(rank).begin));
  return StepOutput{.logits = logits_, .hidden = own.hidden};
}

Result<void> SplitPipe::add_slice(const Flight& flight, std::uint32_t rank, std::size_t first) {
  StepInbox& slices = links_->slices(rank);
  auto slice = TRY(slices.next(kStepWithin));
  CHECK(slice->number == flight.step, slice->number, flight.step);
  const std::size_t rows = logit_rows(flight.segments), width = links_->vocab_of(rank).size();
  if (slice->values.size() != rows * width)
    return Error(Errc::corrupt, fmt::format("rank {} gave {} logits for {} rows of {}", rank,
                                            slice->values.size(), rows, width));
  for (std::size_t row = 0; row < rows; ++row)
    std::copy_n(slice->values.begin() + row * width, width, logits_.begin() + row * vocab_ + first);
  slices.give_back(std::move(slice));
  return {};
}

}  // namespace drystone
