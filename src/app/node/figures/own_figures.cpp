#include "app/node/figures/own_figures.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "app/load/load_engine.h"
#include "app/load/processors.h"
#include "app/node/figures/measure_turn.h"
#include "app/node/measure/machine_facts.h"
#include "app/node/measure/node_measure.h"
#include "app/node/measure/node_memory.h"
#include "app/node/measure/node_speed.h"
#include "app/node/measure/system_memory.h"

namespace drystone {
namespace {

constexpr std::chrono::seconds kLookEvery{5};    // at free memory and interfaces
constexpr std::chrono::minutes kFactsEvery{5};   // disks, temperatures
constexpr std::chrono::seconds kTurnWithin{30};  // for others on this machine to have measured
constexpr double kWorthTelling = 0.05;           // of free memory

}  // namespace

OwnFigures::OwnFigures(Options options, const Clock& clock, const std::atomic<bool>& stop)
    : options_(std::move(options)),
      clock_(clock),
      stop_(stop),
      threads_(threads_or_default(options_.threads)),
      again_(clock.monotonic()) {
  figures_.id = options_.self;
  figures_.name = options_.name;
  figures_.memory_id = memory_id();
  figures_.cores = static_cast<std::uint32_t>(usable_processors());
  if (options_.memory_bytes > 0) figures_.limit_bytes = options_.memory_bytes;
  read_memory();
  interfaces_changed();
  know_machine();
}

// What can be told before anything is measured.
void OwnFigures::know_machine() {
  cpu_ = cpu_name();
  const char* forced = std::getenv("DRYSTONE_ISA");
  if (const auto known = choose_isa(forced == nullptr ? "" : forced)) isa_ = *known;
  const std::string isa_name(isa_ ? to_string(*isa_) : "");
  own_.emplace(
      options_.state / "measured.json",
      MeasuredKey{.cpu = cpu_, .isa = isa_name, .version = options_.version, .threads = threads_},
      options_.measure_anew);
  figures_.measuring = isa_ && !own_->known();
  if (own_->known()) set_speed(figures_, *own_->known());
}

void OwnFigures::measure_first() {
  if (!*figures_.measuring) return;
  const MeasureTurn turn(clock_, kTurnWithin, stop_);
  take(measure([this] { return stop_.load(); }));
  figures_.measuring = false;
}

bool OwnFigures::look_at_machine() {
  const auto now = clock_.monotonic();
  if (now - memory_read_ < kLookEvery) return false;
  read_memory();
  const bool is_wired_otherwise = interfaces_changed();
  return now - facts_told_ >= kFactsEvery || is_wired_otherwise || memory_changed();
}

// Since they were looked at before: peers measure their links again, when ours are others. Ends of
// containers, which have no address of their own, come and go.
bool OwnFigures::interfaces_changed() {
  auto now = list_interfaces();
  if (!now) return false;
  std::erase_if(*now, [](const Interface& one) {
    return std::ranges::all_of(one.addresses, [](const InterfaceAddress& each) {
      return each.address.is_v6() && each.address.to_v6().is_link_local();
    });
  });
  if (*now == interfaces_) return false;
  interfaces_ = *std::move(now);
  return true;
}

void OwnFigures::read_memory() {
  memory_read_ = clock_.monotonic();
  const NodeMemory memory = node_memory();
  figures_.total_bytes = memory.total;
  figures_.reserved_bytes = reserved_bytes();
  figures_.reserve_bytes = system_reserve(memory);
  figures_.free_bytes = memory.available;
  // What is reserved and not touched yet is free in the system's eyes only.
  if (const auto attainable = attainable_memory(); attainable && memory.available) {
    const Bytes left = *attainable - std::min(*attainable, figures_.reserved_bytes);
    figures_.free_bytes = std::min(*memory.available, left);
  }
}

bool OwnFigures::memory_changed() const {
  if (figures_.reserved_bytes != told_.reserved_bytes) return true;
  if (figures_.free_bytes.has_value() != told_.free_bytes.has_value()) return true;
  if (!figures_.free_bytes) return false;
  const double is = static_cast<double>(*figures_.free_bytes),
               was = static_cast<double>(*told_.free_bytes);
  return std::abs(is - was) > kWorthTelling * std::max(was, 1.0);
}

// What an earlier time took for slow may have been disturbed.
bool OwnFigures::look_at_speed() {
  const auto before = std::exchange(processors_, processor_times());
  const auto is_free = [this] { return reserved_bytes() == 0; };
  if (!isa_ || !again_.due(clock_.monotonic())) return false;
  bool measured = false, changed = false;
  if (is_free() && were_idle(before, processors_))
    if (const MeasureTurn turn(clock_, {}, stop_); turn.is_ours()) {
      const Measured found = measure([&] { return stop_ || !is_free(); });
      // Beside what began meanwhile it would be slower than it is.
      measured = is_free();
      changed = measured && take(found);
    }
  again_.done(measured, clock_.monotonic());
  return changed;
}

Measured OwnFigures::measure(std::function<bool()> stop) {
  return measure_node({.isa = *isa_,
                       .threads = threads_,
                       .memory_bytes = figures_.free_bytes.value_or(0),
                       .stop = std::move(stop)},
                      clock_);
}

// Whether it changes what was known. What is partial at an end of the node is not kept: it would
// pass for all.
bool OwnFigures::take(const Measured& found) {
  if (stop_ || !own_->take(found)) return false;
  set_speed(figures_, *own_->known());
  return true;
}

boost::json::object OwnFigures::tell() {
  boost::json::object value = to_json(figures_);
  value["machine"] = describe_machine({.version = options_.version,
                                       .cpu = cpu_,
                                       .isa = std::string(isa_ ? to_string(*isa_) : ""),
                                       .threads = threads_,
                                       .folders = {options_.state}});
  told_ = figures_;
  facts_told_ = clock_.monotonic();
  return value;
}

}  // namespace drystone
