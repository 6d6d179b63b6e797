#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "instance_scenario.h"
#include "scenario.h"

// cluster_sim --seed S | --seeds FROM..TO: runs simulated clusters, for each seed one that is about
// its members (scenario.h) and one that runs models (instance_scenario.h), and prints, for each
// seed in which an invariant broke, what broke and the command that replays it. Exit status 1 if
// any did.
namespace {

constexpr std::uint64_t kFailedSeedsMax = 10;  // then it stops

constexpr std::string_view kUsage =
    "usage: cluster_sim --seed S            one seed, with all that happened\n"
    "       cluster_sim --seeds FROM..TO    many, both included\n";

std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  for (const char c : text)
    if (c < '0' || c > '9') return std::nullopt;
  return std::strtoull(std::string(text).c_str(), nullptr, 10);
}

void print(std::uint64_t seed, const std::vector<std::string>& failures, const char* program) {
  for (const std::string& failure : failures) fmt::print("seed {}: {}\n", seed, failure);
  if (!failures.empty()) fmt::print("to replay: {} --seed {}\n", program, seed);
}

// Both clusters of a seed, one after the other.
drystone::sim::Outcome run(std::uint64_t seed, bool verbose) {
  drystone::sim::Outcome both = drystone::sim::run_scenario(seed, verbose);
  drystone::sim::Outcome models = drystone::sim::run_instances(seed);
  both.packets += models.packets;
  both.log.emplace_back("-- the cluster that runs models");
  for (std::string& sentence : models.log) both.log.push_back(std::move(sentence));
  for (std::string& failure : models.failures) both.failures.push_back(std::move(failure));
  return both;
}

int run_one(std::uint64_t seed, const char* program) {
  const drystone::sim::Outcome outcome = run(seed, /*verbose=*/true);
  for (const std::string& sentence : outcome.log) fmt::print("{}\n", sentence);
  print(seed, outcome.failures, program);
  fmt::print("{} packets, {}\n", outcome.packets,
             outcome.failures.empty() ? "all invariants held" : "an invariant broke");
  return outcome.failures.empty() ? 0 : 1;
}

int run_many(std::uint64_t from, std::uint64_t to, const char* program) {
  std::uint64_t failed = 0, packets = 0, seed = from;
  for (; seed <= to && failed < kFailedSeedsMax; ++seed) {
    const drystone::sim::Outcome outcome = run(seed, /*verbose=*/false);
    print(seed, outcome.failures, program);
    failed += outcome.failures.empty() ? 0 : 1;
    packets += outcome.packets;
  }
  fmt::print("{} seeds, {} packets, {} failed\n", seed - from, packets, failed);
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view option = argc == 3 ? argv[1] : "", value = argc == 3 ? argv[2] : "";
  if (option == "--seed") {
    if (const auto seed = number(value)) return run_one(*seed, argv[0]);
  } else if (option == "--seeds") {
    const auto dots = value.find("..");
    const auto from = number(value.substr(0, dots));
    const auto to = dots == std::string_view::npos ? from : number(value.substr(dots + 2));
    if (from && to && *from <= *to) return run_many(*from, *to, argv[0]);
  }
  fmt::print(stderr, "{}", kUsage);
  return 2;
}
