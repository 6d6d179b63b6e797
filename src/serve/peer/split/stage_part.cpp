#include "serve/peer/split/stage_part.h"

namespace drystone {
namespace {

// A worker has nothing to do between requests; lost links end its wait.
constexpr std::chrono::hours kIdleWait{1};

}  // namespace

StagePart::StagePart(std::unique_ptr<PartLinks> links, LoadedPart& part)
    : links_(std::move(links)), part_(part) {
  part_.connect(links_->reducer());
  const DeviceStage& body = *part_.stages().body;
  links_->loaded({.page_tokens = body.page_tokens(),
                  .page_count = body.page_count(),
                  .kinds_agree = body.kinds_agree()});
  thread_ = std::thread([this] { run(); });
}

StagePart::~StagePart() {
  links_->stop();
  thread_.join();
  part_.connect(nullptr);
}

void StagePart::run() {
  StepInbox& inbox = links_->inbox();
  while (true) {
    auto message = inbox.next(kIdleWait);
    if (message) {
      if (auto done = take(**message); !done) {
        links_->fail(done.error());
        return;
      }
      inbox.give_back(*std::move(message));
    } else if (links_->ended()) {
      return;
    }
  }
}

Result<void> StagePart::take(StepMessage& message) {
  if (message.kind == PeerFrame::step) return run_step(message);
  return run_head(message.number, {.segments = message.segments, .hidden = message.values});
}

Result<void> StagePart::run_step(const StepMessage& step) {
  const StepOutput out =
      TRY(part_.stages().body->run({.segments = step.segments, .hidden = step.values}));
  const bool last = links_->stage() + 1 == links_->wires().stages();
  if (!last) return links_->send_on(step.number, step.layout, out.hidden);
  if (links_->stage() == 0)
    return run_head(step.number, {.segments = step.segments, .hidden = out.hidden});
  write_layout(step.segments, /*with_pages=*/false, layout_);
  return links_->send_back(step.number, layout_, out.hidden);
}

Result<void> StagePart::run_head(std::uint64_t step, const HeadInput& input) {
  if (logit_rows(input.segments) == 0) return links_->send_logits(step, {});
  const StepOutput out = TRY(part_.stages().front->head(input));
  return links_->send_logits(step, out.logits);
}

}  // namespace drystone
