// Speed of the matrix products alone, per type and instruction set: bytes of weights per second for
// one generated row, multiply-adds per second for several and for many prompt rows.
//
//   matmul_bench [--threads N] [--rows N] [--outputs N] [--cols N] [--isa NAME] [--type NAME]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <string>

#include "compute/cpu/matmul.h"
#include "compute/cpu/random_weights.h"

using namespace drystone;

namespace {

double median_seconds(int repeats, auto&& work) {
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    times.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::nth_element(times, times.begin() + repeats / 2);
  return times[repeats / 2];
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options = {{"--threads", "2"},    {"--rows", "512"},
                                                {"--outputs", "8192"}, {"--cols", "2048"},
                                                {"--isa", ""},         {"--type", ""}};
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  const auto number = [&](const char* name) {
    return static_cast<std::uint32_t>(std::stoul(options[name]));
  };
  const std::uint32_t outputs = number("--outputs"), cols = number("--cols"),
                      rows = number("--rows");
  ThreadPool pool(static_cast<int>(number("--threads")));
  Rng rng(1);
  std::vector<float> x(std::size_t{rows} * cols), out(std::size_t{rows} * outputs);
  for (auto& value : x) value = rng.normal();

  constexpr std::uint32_t kCounts[] = {4, 8, 12, 16, 24, 32};  // generated rows
  fmt::print("{} x {}, {} threads; 1 row GB/s, others GMAC/s\n{:8} {:12} {:>6}", outputs, cols,
             pool.threads(), "type", "isa", "1 row");
  for (const std::uint32_t count : kCounts) fmt::print(" {:>6}", fmt::format("{} gen", count));
  fmt::print(" {:>10}\n", fmt::format("{} prompt", rows));
  for (const char* name :
       {"q4_0", "q4_k", "q6_k", "q8_0", "f16", "q5_0", "q5_k", "q3_k", "q2_k", "iq4_xs", "mxfp4"}) {
    if (!options["--type"].empty() && options["--type"] != name) continue;
    const DType type = find_dtype(std::string_view(name))->type;
    const auto source = random_weights(type, std::size_t{outputs} * cols, rng);
    // Several copies, so that one-row products come from memory and not from a cache.
    std::vector<PackedMatrix> copies;
    for (int i = 0; i < 24; ++i)
      copies.push_back(*PackedMatrix::pack(pool, type, outputs, cols, source));
    for (const Isa isa : available_isas()) {
      if (options["--isa"].empty() ? isa == Isa::portable : options["--isa"] != to_string(isa))
        continue;
      Activations activations(isa, pool.threads(), rows, cols);
      const auto run = [&](const PackedMatrix& weight) {
        const MatmulPart part{.weight = &weight, .out = out.data(), .out_stride = outputs};
        matmul(pool, activations, std::span(&part, 1));
      };
      // All copies once, with rows of requests that are writing.
      const auto generated = [&](std::uint32_t count) {
        activations.prepare(pool, x.data(), count, count, cols, std::span(&type, 1));
        return median_seconds(7, [&] {
          for (const auto& copy : copies) run(copy);
        });
      };
      const double all = generated(1);
      const auto multiply_adds = [&](std::uint32_t count) {
        const double done = static_cast<double>(copies.size()) * outputs * cols * count;
        return rows >= count ? done / generated(count) / 1e9 : 0;
      };
      fmt::print("{:8} {:12} {:6.1f}", name, to_string(isa),
                 static_cast<double>(copies.size() * copies[0].bytes()) / all / 1e9);
      for (const std::uint32_t count : kCounts) fmt::print(" {:6.0f}", multiply_adds(count));
      activations.prepare(pool, x.data(), rows, 0, cols, std::span(&type, 1));
      const double many = median_seconds(7, [&] { run(copies[0]); });
      fmt::print(" {:10.0f}\n", double{1} * outputs * cols * rows / many / 1e9);
    }
  }
}
