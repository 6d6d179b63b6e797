#include "app/node/measure/node_measure.h"

#include <algorithm>
#include <string>

#include "app/load/read_bandwidth.h"
#include "app/node/measure/node_speed.h"
#include "app/node/measure/product_rates.h"
#include "app/node/measure/step_measure.h"
#include "compute/cpu/cpu_device.h"

namespace drystone {
namespace {

constexpr Bytes kSweepBytes = 256 * kMiB, kBandwidthBufferMin = 64 * kMiB;

// What disturbs a machine for a moment, as programs that start do, is in one round of two: with
// one, a rate in three starts of nodes was half of what it is.
constexpr int kRounds = 2;
constexpr double kSlowRound_s = 10;  // no further round behind a longer one
constexpr int kRoundsAgain = 2;      // of steps, where they are not plausible

// Read as often as figures want memory instead of a cache.
Bytes buffer_bytes(const MeasureOptions& options) {
  return std::min(kReadBufferBytes, options.memory_bytes / 4 / kMiB * kMiB);
}

void measure_products(ProductRates& products, const std::function<bool()>& stopped,
                      Measured::Round& round) {
  constexpr std::uint32_t kTypes = 64;
  for (std::uint32_t number = 0; number < kTypes && !stopped(); ++number)
    if (const DTypeInfo* type = find_dtype(number); type != nullptr && type->computed)
      if (const Rates rates = products.of(type->type); rates.prompt)
        round[std::string(type->name)] = rates;
}

}  // namespace

Measured measure_node(const MeasureOptions& options, const Clock& clock) {
  const std::function<bool()> stopped = [&] { return options.stop && options.stop(); };
  const auto start = clock.monotonic();
  const Bytes buffer = buffer_bytes(options);
  const auto device = make_cpu_device(options.isa, options.threads);
  StepMeasure steps(*device);
  ProductRates products({.isa = options.isa,
                         .threads = options.threads,
                         .sweep_bytes = std::min(kSweepBytes, buffer)},
                        clock);
  Measured all;
  for (int round = 0; round < kRounds && !stopped(); ++round) {
    if (round > 0 && seconds(clock.monotonic() - start) > kSlowRound_s) break;
    Measured found;
    if (buffer >= kBandwidthBufferMin)
      if (const double rate = measure_read_bandwidth(options.threads, clock, buffer); rate > 0)
        found.read_bandwidth = rate;
    if (!stopped()) measure_products(products, stopped, found.rounds.emplace_back());
    if (!stopped()) found.steps = steps.measure(clock);
    all = combined(std::move(all), found);
  }
  for (int again = 0; again < kRoundsAgain && !is_plausible(all) && !stopped(); ++again)
    all = combined(std::move(all), {.steps = steps.measure(clock)});
  return all;
}

}  // namespace drystone
