#include "app/node/part_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <limits>
#include <utility>

#include "app/load/load_engine.h"
#include "app/node/system_memory.h"
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

struct PartRunner::Part {
  Part(const Placement& placed, Result<ModelSource> from, std::shared_ptr<Part> before)
      : placement(placed), source(std::move(from)), previous(std::move(before)) {}

  const Placement placement;
  Result<ModelSource> source;
  std::shared_ptr<Part> previous;  // of the same instance: ends first
  std::atomic<bool> stop = false;  // asked to end
  std::thread thread;

  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;        // everything is free again
  bool head_freed = false;  // of a head: its engine is gone

  const std::string& instance() const { return placement.instance; }
  const Epoch& epoch() const { return placement.epoch; }
  void set(bool& flag) {
    // Under the lock: who waits may be the last to need this part.
    const std::lock_guard lock(mutex);
    flag = true;
    changed.notify_all();
  }
  void ask_to_end() {
    const std::lock_guard lock(mutex);
    stop = true;
    changed.notify_all();
  }
  void wait_done() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
  }
};

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
  for (const auto& part : ending_) part->ask_to_end();
  for (const auto& part : ending_) part->thread.join();
}

void PartRunner::load(const Placement& placement, Result<ModelSource> source) {
  reap();
  std::shared_ptr<Part> previous;
  if (const auto at = current_.find(placement.instance); at != current_.end()) {
    previous = at->second;
    previous->ask_to_end();
    ending_.push_back(previous);
  }
  auto part = std::make_shared<Part>(placement, std::move(source), std::move(previous));
  current_[placement.instance] = part;
  part->thread = std::thread([this, raw = part.get()] { run(*raw); });
}

void PartRunner::drop(const std::string& instance, const Epoch& epoch) {
  reap();
  const auto at = current_.find(instance);
  if (at == current_.end() || at->second->epoch() > epoch) return;
  at->second->ask_to_end();
  ending_.push_back(at->second);
  current_.erase(at);
}

void PartRunner::reap() {
  for (auto it = ending_.begin(); it != ending_.end();) {
    bool done = false;
    {
      const std::lock_guard lock((*it)->mutex);
      done = (*it)->done;
    }
    if (!done) {
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

void PartRunner::run(Part& part) {
  if (part.previous != nullptr) {
    part.previous->wait_done();
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
  end(part);
  if (!result && !part.stop)
    events_.failed(part.instance(), part.epoch(), result.error().message());
  part.set(part.done);
}

// Everything that the part holds is free when this returns.
Result<void> PartRunner::live(Part& part) {
  if (part.stop) return {};
  const Placement& placement = part.placement;
  const auto found = placement.index_of(options_.self);
  CHECK(found, placement.instance, options_.self);
  const std::uint32_t index = *found;
  {
    Bytes capacity = options_.memory_bytes;
    if (const auto attainable = attainable_memory(); attainable)
      capacity = capacity == 0 ? *attainable : std::min(capacity, *attainable);
    const std::lock_guard lock(mutex_);
    ledger_.set_capacity(capacity == 0 ? std::numeric_limits<Bytes>::max() : capacity);
    TRY(ledger_.reserve(part.instance(), part.epoch(), placement.parts[index].bytes.total()));
  }
  const ModelSource source = TRY(std::move(part.source));

  // A file that comes from elsewhere is the first half of the way.
  double fetched = 0;
  auto told = clock_.monotonic() - kProgressEvery;
  const auto tell = [&](double done) {
    const auto now = clock_.monotonic();
    if (part.stop || (done < 1 && now - told < kProgressEvery)) return;
    told = now;
    events_.progress(part.instance(), part.epoch(), done);
  };
  const auto open = [&] {
    const auto fetching = [&](double done) {
      fetched = 0.5;
      tell(done / 2);
    };
    return catalog_.open(source, placement, index, fetching, part.stop);
  };
  auto device = TRY(make_device(options_.threads));
  const auto progress = [&](double done) { tell(fetched + done * (1 - fetched)); };

  if (placement.parts.size() == 1) {
    GgufFile file = TRY(open());
    if (part.stop) return {};
    auto engine = TRY(Engine::load(std::move(file), *device,
                                   {.context = placement.context,
                                    .kv_tokens = placement.kv_tokens,
                                    .sequences_max = sequences_max(placement),
                                    .queue_max = kQueueMax,
                                    .kv_type = kv_type(placement.kv_format),
                                    .batch_tokens_max = placement.rows_max,
                                    .progress = progress}));
    return serve_head(part, std::move(device), std::move(engine));
  }
  const PartNode node{.self = options_.self,
                      .device = *device,
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
    return serve_head(part, std::move(device), std::move(engine));
  }
  const auto worker = TRY(start_worker(node, placement, header, std::move(options), part.stop));
  events_.loaded(part.instance(), part.epoch());
  wait_for_end(part);
  return {};
}

Result<void> PartRunner::serve_head(Part& part, std::unique_ptr<Device> device,
                                    std::unique_ptr<Engine> engine) {
  // Jobs of other nodes and the queue behind our own clients hold it as well.
  auto head = last_release_.elsewhere(std::make_shared<LocalHead>(
      std::move(device), std::move(engine), clock_, [&part] { part.set(part.head_freed); }));
  {
    const std::lock_guard lock(mutex_);
    heads_[part.instance()] = {part.epoch().number, head};
  }
  events_.loaded(part.instance(), part.epoch());
  wait_for_end(part);
  {
    const std::lock_guard lock(mutex_);
    heads_.erase(part.instance());
  }
  // Who holds it for a job has the job ended, also one that still came.
  const std::weak_ptr<LocalHead> held = head;
  head.reset();
  std::unique_lock lock(part.mutex);
  while (!part.head_freed) {
    lock.unlock();
    if (const auto last = held.lock()) last->jobs().cancel_all();
    lock.lock();
    part.changed.wait_for(lock, kCancelEvery, [&] { return part.head_freed; });
  }
  return {};
}

void PartRunner::wait_for_end(Part& part) {
  std::unique_lock lock(part.mutex);
  part.changed.wait(lock, [&] { return part.stop.load(); });
}

// Without the others it is of no use: its memory is free again before the next epoch is placed.
void PartRunner::lose(Part& part, const Error& error) {
  if (part.stop) return;
  events_.failed(part.instance(), part.epoch(), error.message());
  part.ask_to_end();
}

void PartRunner::end(Part& part) {
  const std::lock_guard lock(mutex_);
  ledger_.release(part.instance(), part.epoch());
}

}  // namespace drystone
