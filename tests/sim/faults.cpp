#include "faults.h"

#include <fmt/format.h>

namespace drystone::sim {
namespace {

Time random_time(Rng& rng, Time from, Time to) {
  return from + Time(rng.below((to - from).count()));
}

std::string cut_for(Network& network, std::size_t from, std::size_t to, Time duration) {
  network.cut(from, to, true);
  network.at(network.now() + duration, [&network, from, to] { network.cut(from, to, false); });
  return fmt::format("cut {}->{}", from, to);
}

std::string partition(Network& network, Time duration) {
  std::string words = "partition:";
  std::vector<bool> side;
  for (std::size_t i = 0; i < network.machines(); ++i) {
    side.push_back(network.rng().below(2) == 0);
    words += side[i] ? " a" : " b";
  }
  for (std::size_t from = 0; from < side.size(); ++from)
    for (std::size_t to = 0; to < side.size(); ++to)
      if (side[from] != side[to]) (void)cut_for(network, from, to, duration);
  return words;
}

std::string slow_machine(Network& network, Time extra, Time duration) {
  const std::size_t machine = network.rng().below(network.machines());
  network.slow(machine, extra);
  network.at(network.now() + duration, [&network, machine] { network.slow(machine, {}); });
  return fmt::format("machine {} is slow by {} ms", machine, extra / milliseconds(1));
}

}  // namespace

std::string random_fault(Network& network) {
  Rng& rng = network.rng();
  const Time duration = random_time(rng, milliseconds(200), seconds(8));
  const std::size_t machine = rng.below(network.machines());
  switch (rng.below(7)) {
    case 0:
      return partition(network, duration);
    case 1: {
      std::string words;
      for (std::uint64_t i = rng.below(4) + 1; i > 0; --i)
        words += cut_for(network, rng.below(network.machines()), rng.below(network.machines()),
                         duration) +
                 " ";
      return words;
    }
    case 2: {  // a cable is pulled
      for (std::size_t other = 0; other < network.machines(); ++other) {
        (void)cut_for(network, machine, other, duration);
        (void)cut_for(network, other, machine, duration);
      }
      return fmt::format("machine {} is cut off", machine);
    }
    case 3:
      network.freeze(machine, true);
      network.at(network.now() + duration, [&network, machine] { network.freeze(machine, false); });
      return fmt::format("machine {} is frozen", machine);
    case 4:
      return slow_machine(network, random_time(rng, milliseconds(10), seconds(3)), duration);
    case 5:
      network.weather.loss = rng.uniform_double() * 0.4;
      network.weather.doubled = rng.uniform_double() * 0.3;
      network.at(network.now() + duration,
                 [&network] { network.weather.loss = network.weather.doubled = 0; });
      return fmt::format("{:.0f}% are lost", network.weather.loss * 100);
    default:
      network.weather.delay_max = random_time(rng, milliseconds(20), milliseconds(1500));
      network.at(network.now() + duration,
                 [&network] { network.weather.delay_max = milliseconds(20); });
      return fmt::format("delays up to {} ms", network.weather.delay_max / milliseconds(1));
  }
}

std::string random_slowness(Network& network) {
  Rng& rng = network.rng();
  network.weather.loss = rng.uniform_double() * 0.05;
  return slow_machine(network, random_time(rng, milliseconds(0), milliseconds(880)),
                      random_time(rng, seconds(1), seconds(8)));
}

std::string random_one_way_cuts(Network& network, std::size_t hub) {
  Rng& rng = network.rng();
  std::string words;
  for (std::uint64_t i = rng.below(4) + 1; i > 0; --i) {
    const std::size_t from = rng.below(network.machines()), to = rng.below(network.machines());
    if (from != hub && to != hub)
      words += cut_for(network, from, to, random_time(rng, seconds(1), seconds(10))) + " ";
  }
  return words;
}

}  // namespace drystone::sim
