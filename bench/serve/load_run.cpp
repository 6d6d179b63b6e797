#include "bench/serve/load_run.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cmath>
#include <deque>

namespace drystone {
namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr std::size_t kRunningTokens = 16;  // of each stream before the foreign prompt comes
constexpr std::size_t kAfterTokens = 32;    // and after it
// A client that was refused waits, as clients do, instead of asking as fast as it can.
constexpr std::chrono::milliseconds kRefusedPause{50};

class LoadRun {
 public:
  LoadRun(const Workload& work, const LoadTarget& target, const Clock& clock)
      : work_(work), target_(target), clock_(clock) {}

  LoadRecord run();

 private:
  awaitable<void> closed_client();
  awaitable<void> open_arrivals();
  awaitable<void> foreign_client();
  awaitable<void> converse(Conversation conversation, std::size_t again_events = 0);
  awaitable<void> pause(std::chrono::microseconds length);
  bool more() const {
    if (work_.conversations > 0) return next_ < own_conversations();
    return seconds(clock_.monotonic()) - start_s_ < work_.duration_s;
  }
  std::uint64_t own_conversations() const { return work_.conversations - (work_.foreign ? 1 : 0); }
  // Each stream that goes on has so many events since `from_s`.
  bool streams_have(std::size_t events, double from_s) const;

  const Workload& work_;
  const LoadTarget& target_;
  const Clock& clock_;
  asio::io_context loop_;
  std::uint64_t next_ = 0;
  double start_s_ = 0;
  bool foreign_done_ = false;
  std::deque<Exchange> exchanges_;  // stable while they run
};

awaitable<void> LoadRun::pause(std::chrono::microseconds length) {
  asio::steady_timer timer(loop_);
  timer.expires_after(length);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

awaitable<void> LoadRun::converse(Conversation conversation, std::size_t again_events) {
  Rng seeds(conversation.seed);
  Prompt prompt(work_.prompts);
  if (conversation.system > 0)
    prompt.add_system(conversation.system, Rng(conversation.system_seed));
  for (const Turn& turn : conversation.turns) {
    prompt.add_user(turn.input, Rng(seeds.next()));
    const bool keep_text = conversation.turns.size() > 1;
    Exchange& record = exchanges_.emplace_back();
    record.foreign = conversation.foreign;
    record.again = again_events > 0;
    std::function<bool()> stop = [this] { return foreign_done_; };
    if (record.foreign) stop = [] { return false; };
    if (record.again) stop = [&] { return record.chunk_times_s.size() >= again_events; };
    co_await exchange(target_, make_request(prompt, turn, seeds.next(), keep_text), clock_,
                      std::move(stop), record);
    if (!record.ok()) {
      co_await pause(kRefusedPause);
      co_return;
    }
    if (keep_text) prompt.add_assistant(record.text, turn.output, Rng(seeds.next()));
    record.text.clear();
  }
}

awaitable<void> LoadRun::closed_client() {
  while (more()) co_await converse(work_.conversation(next_++));
}

awaitable<void> LoadRun::open_arrivals() {
  Rng rng(work_.conversation(0).seed);
  while (more()) {
    const double gap_s = -std::log(1 - rng.uniform_double()) / work_.rate;
    co_await pause(std::chrono::microseconds(static_cast<std::int64_t>(gap_s * 1e6)));
    asio::co_spawn(loop_, converse(work_.conversation(next_++)), asio::detached);
  }
}

bool LoadRun::streams_have(std::size_t events, double from_s) const {
  return exchanges_.size() >= work_.clients &&
         std::ranges::all_of(exchanges_, [&](const Exchange& one) {
           const auto since = std::ranges::upper_bound(one.chunk_times_s, from_s);
           return one.foreign || one.end_s > 0 || !one.ok() ||
                  static_cast<std::size_t>(one.chunk_times_s.end() - since) >= events;
         });
}

awaitable<void> LoadRun::foreign_client() {
  while (!streams_have(kRunningTokens, 0)) co_await pause(std::chrono::milliseconds(1));
  co_await converse(work_.conversation(own_conversations()));
  const double done_s = seconds(clock_.monotonic());
  std::size_t events = 0;
  for (const Exchange& one : exchanges_)
    if (!one.foreign) events = std::max(events, one.chunk_times_s.size());
  while (!streams_have(kAfterTokens, done_s)) co_await pause(std::chrono::milliseconds(1));
  foreign_done_ = true;
  while (std::ranges::any_of(exchanges_, [](const Exchange& one) { return one.end_s < 0; }))
    co_await pause(std::chrono::milliseconds(1));
  // What the same tokens take without it.
  for (std::uint64_t i = 0; events > 0 && i < own_conversations(); ++i)
    asio::co_spawn(loop_, converse(work_.conversation(i), events), asio::detached);
}

LoadRecord LoadRun::run() {
  start_s_ = seconds(clock_.monotonic());
  if (work_.rate > 0)
    asio::co_spawn(loop_, open_arrivals(), asio::detached);
  else
    for (std::uint32_t i = 0; i < work_.clients; ++i)
      asio::co_spawn(loop_, closed_client(), asio::detached);
  if (work_.foreign) asio::co_spawn(loop_, foreign_client(), asio::detached);
  loop_.run();
  LoadRecord record{.exchanges = {std::make_move_iterator(exchanges_.begin()),
                                  std::make_move_iterator(exchanges_.end())}};
  double end_s = start_s_;
  for (const Exchange& one : record.exchanges) end_s = std::max(end_s, one.end_s);
  record.wall_s = end_s - start_s_;
  return record;
}

}  // namespace

LoadRecord run_load(const Workload& work, const LoadTarget& target, const Clock& clock) {
  return LoadRun(work, target, clock).run();
}

}  // namespace drystone
