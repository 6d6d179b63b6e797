#include "app/node/instances/part_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "app/load/load_engine.h"
#include "app/node/measure/system_memory.h"
#include "cluster/plan/pace.h"
#include "engine/step_pipe.h"
#include "serve/peer/split/part_stages.h"
#include "serve/peer/split/start_part.h"

namespace drystone {
namespace {

// The planner must not depend on the engine, and yet know how it cuts prompts.
static_assert(kPlannedPiecesOfALane == kPiecesOfALane && kPlannedPieceRowsMin == kPieceRowsMin);

constexpr std::size_t kQueueMax = 256;                    // requests that wait at a head
constexpr std::chrono::milliseconds kCancelEvery{100};    // until a head that ends is let go
constexpr std::chrono::milliseconds kProgressEvery{100};  // at most so often it is told

}  // namespace

PartRunner::PartRunner(Options options, ModelCatalog& catalog, PeerDialer& dialer,
                       Switchboard& switchboard, const Clock& clock, Events events)
    : options_(std::move(options)),
      catalog_(catalog),
      dialer_(dialer),
      switchboard_(switchboard),
      clock_(clock),
      events_(std::move(events)),
      ledger_(options_.name, options_.memory_bytes) {}

PartRunner::~PartRunner() {
  for (auto& [instance, part] : std::exchange(current_, {})) ending_.push_back(part);
  for (const auto& part : ending_) part->let_go();
  tell_waiting();
  for (const auto& part : ending_) part->thread.join();
}

void PartRunner::load(const Placement& placement, Result<ModelSource> source) {
  reap();
  std::shared_ptr<Part> previous;
  if (const auto at = current_.find(placement.instance); at != current_.end()) {
    previous = at->second;
    if (goes_on(*previous, placement, source)) return;
    previous->hand_on();
    tell_waiting();
    ending_.push_back(previous);
  }
  auto part = std::make_shared<Part>(placement, std::move(source), std::move(previous));
  current_[placement.instance] = part;
  part->thread = std::thread([this, raw = part.get()] { run(*raw); });
}

void PartRunner::drop(const std::string& instance, const Epoch& epoch, bool may_return) {
  reap();
  const auto at = current_.find(instance);
  if (at == current_.end() || epoch_of(*at->second) > epoch) return;
  if (may_return) {
    at->second->ask_to_end();
    return tell_waiting();
  }
  {
    const std::lock_guard lock(mutex_);
    if (!at->second->ended) leaving_.insert(at->second.get());
  }
  at->second->let_go();
  tell_waiting();
  ending_.push_back(at->second);
  current_.erase(at);
}

// A whole model needs no other node: where nothing but the epoch is new, its engine and all that
// runs on it stay.
bool PartRunner::goes_on(Part& part, const Placement& placement,
                         const Result<ModelSource>& source) {
  {
    const std::lock_guard lock(mutex_);
    const Bytes bytes = placement.parts[0].bytes.total();
    if (!part.serves_whole || part.stop || !part.same_weights(placement, source, options_.self) ||
        !ledger_.keep(part.instance(), placement.epoch, bytes))
      return false;
    part.epoch = placement.epoch;
    heads_.at(part.instance()).first = placement.epoch.number;
  }
  events_.loaded(part.instance(), placement.epoch, /*kept=*/true);
  return true;
}

void PartRunner::reap() {
  for (auto it = ending_.begin(); it != ending_.end();) {
    if (!(*it)->is_done()) {
      ++it;
      continue;
    }
    (*it)->thread.join();
    it = ending_.erase(it);
  }
}

std::shared_ptr<LocalHead> PartRunner::head(const std::string& instance,
                                            std::uint64_t epoch) const {
  const std::lock_guard lock(mutex_);
  const auto at = heads_.find(instance);
  return at != heads_.end() && at->second.first == epoch ? at->second.second : nullptr;
}

Bytes PartRunner::reserved_bytes() const {
  const std::lock_guard lock(mutex_);
  return ledger_.reserved();
}

Epoch PartRunner::epoch_of(const Part& part) const {
  const std::lock_guard lock(mutex_);
  return part.epoch;
}

void PartRunner::run(Part& part) {
  if (part.previous != nullptr) {
    Part& previous = *part.previous;
    previous.wait_done();
    if (previous.same_weights(part.placement, part.source, options_.self))
      part.loaded = std::move(previous.loaded);
    previous.loaded.reset();
    part.previous.reset();
  }
  Result<void> result;
  try {
    result = live(part);
  } catch (const std::exception& failure) {  // out of memory, mostly
    result = Error(Errc::out_of_memory, fmt::format("loading failed: {}", failure.what()));
  } catch (...) {
    result = Error(Errc::io, "loading failed");
  }
  if (part.was_ready && part.loaded != nullptr) keep(part);
  if (!part.handed_on) part.loaded.reset();
  end(part);
  if (!result && !part.stop)
    events_.failed(part.instance(), epoch_of(part), result.error().message());
  part.set_done();
}

// A placement with the same part may follow soon.
void PartRunner::keep(Part& part) {
  {
    const std::lock_guard lock(mutex_);
    kept_.insert(&part);
    freed_.notify_all();  // who waits for room has it let go
  }
  part.wait_let_go(kKeptFor);
}

// Waits until what is kept of other instances, and what ends, is free.
void PartRunner::make_room(const Part& part) {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] {
    for (Part* kept : kept_) kept->let_go();
    return part.stop || (kept_.empty() && leaving_.empty());
  });
}

// Who waits for room may have been asked to end.
void PartRunner::tell_waiting() {
  const std::lock_guard lock(mutex_);
  freed_.notify_all();
}

Result<void> PartRunner::reserve(const Part& part, Bytes bytes) {
  Bytes capacity = options_.memory_bytes;
  if (const auto attainable = attainable_memory(); attainable)
    capacity = capacity == 0 ? *attainable : std::min(capacity, *attainable);
  const auto try_once = [&]() -> Result<void> {
    const std::lock_guard lock(mutex_);
    if (part.loaded != nullptr && ledger_.keep(part.instance(), part.epoch, bytes)) return {};
    ledger_.set_capacity(capacity == 0 ? std::numeric_limits<Bytes>::max() : capacity);
    return ledger_.reserve(part.instance(), part.epoch, bytes);
  };
  auto reserved = try_once();
  if (reserved || !reserved.is(Errc::out_of_memory)) return reserved;
  make_room(part);
  return try_once();
}

// All but part.loaded is free when this returns.
Result<void> PartRunner::live(Part& part) {
  if (part.stop) return {};
  const Placement& placement = part.placement;
  const auto found = placement.index_of(options_.self);
  CHECK(found, placement.instance, options_.self);
  const std::uint32_t index = *found;
  TRY(reserve(part, placement.parts[index].bytes.total()));
  const ModelSource source = TRY(part.source);

  // A file that comes from elsewhere is the first half of the way.
  double fetched = 0;
  auto told = clock_.monotonic() - kProgressEvery;
  const auto tell = [&](double done) {
    const auto now = clock_.monotonic();
    if (part.stop || (done < 1 && now - told < kProgressEvery)) return;
    told = now;
    events_.progress(part.instance(), placement.epoch, done);
  };
  const auto open = [&] {
    const auto fetching = [&](double done) {
      fetched = 0.5;
      tell(done / 2);
    };
    return catalog_.open(source, placement, index, fetching, part.stop);
  };
  const auto progress = [&](double done) { tell(fetched + done * (1 - fetched)); };

  if (placement.parts.size() == 1) return serve_whole(part, TRY(open()), progress);
  if (part.loaded == nullptr)
    part.loaded = std::make_unique<LoadedPart>(TRY(make_device(options_.threads)));
  part.kept = part.loaded->is_loaded();
  const PartNode node{.self = options_.self,
                      .part = *part.loaded,
                      .dialer = dialer_,
                      .switchboard = switchboard_,
                      .clock = clock_};
  GgufFile header = TRY(catalog_.open_header(source, part.stop));
  PartOptions options{.open = open,
                      .progress = progress,
                      .on_lost = [this, &part](const Error& error) { lose(part, error); }};
  if (index == 0) {
    auto engine = TRY(start_head(node, placement, std::move(header), std::move(options),
                                 {.queue_max = kQueueMax}, part.stop));
    return serve_head(part, nullptr, std::move(engine));
  }
  const auto worker = TRY(start_worker(node, placement, header, std::move(options), part.stop));
  ready(part);
  part.wait_stop();
  return {};
}

Result<void> PartRunner::serve_whole(Part& part, GgufFile file,
                                     const std::function<void(double)>& progress) {
  if (part.stop) return {};
  const Placement& placement = part.placement;
  auto device = TRY(make_device(options_.threads));
  auto engine = TRY(Engine::load(std::move(file), *device,
                                 {.context = placement.context,
                                  .kv_tokens = placement.kv_tokens,
                                  .sequences_max = sequences_max(placement),
                                  .queue_max = kQueueMax,
                                  .kv_type = kv_type(placement.kv_format),
                                  .batch_tokens_max = placement.rows_max,
                                  .progress = progress,
                                  .stop = &part.stop}));
  return serve_head(part, std::move(device), std::move(engine));
}

// The device is null where it is part.loaded's.
Result<void> PartRunner::serve_head(Part& part, std::unique_ptr<Device> device,
                                    std::unique_ptr<Engine> engine) {
  const bool whole = part.loaded == nullptr;
  // Jobs of other nodes and the queue behind our own clients hold it as well.
  auto head = last_release_.elsewhere(std::make_shared<LocalHead>(
      std::move(device), std::move(engine), clock_, [&part] { part.set_head_freed(); }));
  {
    const std::lock_guard lock(mutex_);
    heads_[part.instance()] = {part.epoch.number, head};
    part.serves_whole = whole;
  }
  ready(part);
  part.wait_stop();
  {
    const std::lock_guard lock(mutex_);
    part.serves_whole = false;
    heads_.erase(part.instance());
  }
  // Who holds it for a job has the job ended, also one that still came.
  const std::weak_ptr<LocalHead> held = head;
  head.reset();
  while (!part.head_freed) {
    if (const auto last = held.lock()) last->jobs().cancel_all();
    part.wait_head_freed(kCancelEvery);
  }
  return {};
}

void PartRunner::ready(Part& part) {
  part.was_ready = true;
  events_.loaded(part.instance(), part.placement.epoch, part.kept);
}

// Without the others it does nothing; its weights are kept for the next epoch.
void PartRunner::lose(Part& part, const Error& error) {
  if (part.stop) return;
  events_.lost(part.instance(), epoch_of(part), error.message());
  part.ask_to_end();
}

void PartRunner::end(Part& part) {
  const std::lock_guard lock(mutex_);
  // The memory of what is handed on stays reserved until the next part has reserved its own.
  if (!part.handed_on) ledger_.release(part.instance(), part.epoch);
  part.ended = true;
  kept_.erase(&part);
  leaving_.erase(&part);
  freed_.notify_all();
}

}  // namespace drystone
