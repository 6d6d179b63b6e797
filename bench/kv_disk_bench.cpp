// What the second tier of the prefix cache is worth: the time until a prompt is read when it has to
// be computed, is in memory, or was evicted and comes back from the file; and what storing costs
// those who evict. Prints rows of CSV: model, KV type, tokens, what, seconds (median), least, most,
// times as fast as computing.
//
//   kv_disk_bench MODEL.gguf [--tokens 2048] [--kv f16|q8_0|f32] [--dir /var/tmp] [--size-mib 4096]
//                 [--threads N] [--repeat 5]
//
// As root it also empties the system's own cache of files, so that pages really come from the disk.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <thread>

#include "base/rng.h"
#include "compute/cpu/cpu_device.h"
#include "engine/batch_thread.h"
#include "engine/engine.h"

namespace drystone {
namespace {

struct Options {
  std::string model, kv = "f16", folder = "/var/tmp";
  std::uint32_t tokens = 2048, repeat = 5;
  std::uint64_t size_mib = 4096;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
};

struct Prompts {
  Rng rng{1};
  std::uint32_t tokens, vocab;
  std::vector<TokenId> next() {
    std::vector<TokenId> ids(tokens + 1);  // the last one is computed always
    for (TokenId& id : ids) id = static_cast<TokenId>(rng.below(vocab));
    return ids;
  }
};

struct Times {
  std::vector<double> compute, memory, tier, disk, evicting;
};

GenerateResult read(Batcher& batcher, std::vector<TokenId> prompt) {
  std::promise<GenerateResult> promise;
  const auto id = batcher.submit({.request = {.prompt = std::move(prompt),
                                              .tokens_max = 1,
                                              .sampling = {.temperature = 0},
                                              .ignore_eos = true},
                                  .on_done = [&](Result<GenerateResult> result) {
                                    CHECK(result, result.error().message());
                                    promise.set_value(*result);
                                  }});
  CHECK(id, id.error().message());
  return promise.get_future().get();
}

// How long reading took; CHECKs that it came from where it should.
double seconds_of(const GenerateResult& result, bool cached) {
  CHECK(cached == (result.cached_tokens > result.prompt_tokens / 2), result.cached_tokens,
        result.prompt_tokens);
  return result.prefill_s;
}

void settle() { std::this_thread::sleep_for(std::chrono::seconds(1)); }

bool drop_system_cache() {
  ::sync();
  const int file = ::open("/proc/sys/vm/drop_caches", O_WRONLY);
  const bool dropped = file >= 0 && ::write(file, "3", 1) == 1;
  if (file >= 0) ::close(file);
  return dropped;
}

Result<std::unique_ptr<Engine>> load(const Options& options, Device& device, bool tier) {
  const KvType kv = options.kv == "q8_0"  ? KvType::q8_0
                    : options.kv == "f32" ? KvType::f32
                                          : KvType::f16;
  const std::uint32_t context = options.tokens + 64;
  return Engine::load(TRY(GgufFile::open(options.model)), device,
                      {.context = context,
                       .kv_contexts = 4,
                       .sequences_max = 4,
                       .queue_max = 4,
                       .kv_type = kv,
                       .kv_disk_folder = options.folder,
                       .kv_disk_bytes = tier ? options.size_mib * kMiB : 0});
}

// Other prompts until nothing of an earlier one is in memory.
void evict(Batcher& batcher, Prompts& prompts, Times& times) {
  for (int i = 0; i < 5; ++i) {
    const double took_s = seconds_of(read(batcher, prompts.next()), false);
    if (i > 0) times.evicting.push_back(took_s);
  }
  settle();
}

Result<Times> measure(const Options& options, Device& device, bool tier) {
  const auto engine = TRY(load(options, device, tier));
  Batcher& batcher = engine->batcher();
  const BatchThread thread(batcher);
  Prompts prompts{.tokens = options.tokens, .vocab = engine->vocab()};
  Times times;
  read(batcher, prompts.next());  // warm-up
  for (std::uint32_t i = 0; i < options.repeat; ++i) {
    const auto prompt = prompts.next();
    times.compute.push_back(seconds_of(read(batcher, prompt), false));
    times.memory.push_back(seconds_of(read(batcher, prompt), true));
    settle();
    evict(batcher, prompts, times);
    if (!tier) continue;
    times.tier.push_back(seconds_of(read(batcher, prompt), true));
    settle();
    evict(batcher, prompts, times);
    if (drop_system_cache()) times.disk.push_back(seconds_of(read(batcher, prompt), true));
  }
  if (const auto counts = batcher.counts().tier)
    fmt::print(stderr, "{} pages of {}: stored {}, restored {}, dropped {}, failed {}\n",
               counts->slots, format_bytes(counts->page_bytes), counts->stored, counts->restored,
               counts->dropped, counts->failed);
  return times;
}

void print(const Options& options, std::string_view what, std::vector<double> times,
           double compute_s) {
  if (times.empty()) return;
  std::ranges::sort(times);
  const double median = times[times.size() / 2];
  fmt::print("{},{},{},{},{:.4f},{:.4f},{:.4f},{:.2f}\n",
             std::filesystem::path(options.model).stem().string(), options.kv, options.tokens, what,
             median, times.front(), times.back(), compute_s / median);
}

Result<void> run(const Options& options) {
  const auto device = make_cpu_device(TRY(choose_isa("")), options.threads);
  const Times without = TRY(measure(options, *device, false));
  const Times with = TRY(measure(options, *device, true));
  std::vector<double> compute = without.compute;
  std::ranges::sort(compute);
  const double compute_s = compute[compute.size() / 2];
  fmt::print("model,kv,tokens,what,seconds,least,most,times_computing\n");
  print(options, "computed", without.compute, compute_s);
  print(options, "computed while others are evicted (no tier)", without.evicting, compute_s);
  print(options, "computed while others are stored", with.evicting, compute_s);
  print(options, "from memory", with.memory, compute_s);
  print(options, "from the file (in the system's cache)", with.tier, compute_s);
  print(options, "from the file (on the disk)", with.disk, compute_s);
  return {};
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) {
  drystone::Options options;
  CLI::App app("The second tier of the prefix cache, measured");
  app.add_option("MODEL", options.model)->required();
  app.add_option("--tokens", options.tokens);
  app.add_option("--kv", options.kv)->check(CLI::IsMember({"f16", "q8_0", "f32"}));
  app.add_option("--dir", options.folder);
  app.add_option("--size-mib", options.size_mib);
  app.add_option("--threads", options.threads);
  app.add_option("--repeat", options.repeat)->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  const auto result = drystone::run(options);
  if (!result) fmt::print(stderr, "kv_disk_bench: {}\n", result.error().message());
  return result ? 0 : 1;
}
