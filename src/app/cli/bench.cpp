#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/engine_flags.h"
#include "app/load/open_model.h"
#include "app/load/read_bandwidth.h"
#include "app/progress_bar.h"
#include "base/clock.h"
#include "base/rng.h"
#include "engine/batcher.h"

namespace drystone {
namespace {

namespace json = boost::json;

struct BenchOptions {
  EngineFlags engine;
  std::optional<std::uint32_t> prompt_wanted, generate_wanted;
  std::uint32_t prompt = 512, generate = 64, repeat = 5, streams = 1;
  bool as_json = false;
};

struct Figures {
  std::string device;
  std::vector<double> prefill_tok_s, decode_tok_s, both_tok_s;
  double load_s = 0;
  Bytes file_bytes = 0, bytes_per_token = 0, peak_rss_bytes = 0;
  double read_bandwidth = 0;  // bytes per second
  StageMemory memory;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// What one decoded token reads of the file: every weight, but of the embedding one row unless it is
// the output too.
Bytes decode_bytes(const GgufFile& file) {
  const bool tied = file.find("output.weight") == nullptr;
  Bytes total = 0;
  for (const GgufTensor& tensor : file.tensors())
    if (tied || tensor.name != "token_embd.weight") total += tensor.bytes;
  return total;
}

Bytes peak_rss() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return static_cast<Bytes>(usage.ru_maxrss);
#else
  return static_cast<Bytes>(usage.ru_maxrss) * kKiB;
#endif
}

// Random tokens: other ones each time, so that no part of an earlier prompt can be used again.
std::vector<TokenId> random_tokens(Rng& rng, std::uint32_t count, std::uint32_t vocab) {
  std::vector<TokenId> ids(count);
  for (TokenId& id : ids) id = static_cast<TokenId>(rng.below(vocab));
  return ids;
}

Result<GenerateResult> generate(Engine& engine, std::vector<TokenId> prompt, std::uint32_t tokens) {
  GenerateRequest request{.prompt = std::move(prompt), .tokens_max = tokens, .ignore_eos = true};
  request.sampling.temperature = 0;
  return engine.generate(request, [](const Delta&) {}, {});
}

Result<void> measure_prefill(Engine& engine, const BenchOptions& options, Rng& rng,
                             Figures& figures) {
  const GenerateResult result =
      TRY(generate(engine, random_tokens(rng, options.prompt, engine.vocab()), 1));
  figures.prefill_tok_s.push_back(result.prompt_tokens / std::max(result.prefill_s, 1e-9));
  return {};
}

// From an empty context, as llama-bench does. The first token comes from the prefill of the
// one-token prompt.
Result<void> measure_decode(Engine& engine, const BenchOptions& options, Rng& rng,
                            Figures& figures) {
  const GenerateResult result =
      TRY(generate(engine, random_tokens(rng, 1, engine.vocab()), options.generate + 1));
  figures.decode_tok_s.push_back((result.completion_tokens - 1) / std::max(result.decode_s, 1e-9));
  return {};
}

// All streams at once: prompts first, then all decode together. Prefill is over with the last
// stream's first token; decoding is measured from there until the first stream ends.
Result<void> measure_streams(Engine& engine, const BenchOptions& options, Rng& rng,
                             Figures& figures) {
  const SystemClock clock;
  Batcher& batcher = engine.batcher();
  std::vector<Result<GenerateResult>> results;
  const auto start = clock.monotonic();
  for (std::uint32_t i = 0; i < options.streams; ++i) {
    GenerateRequest request{.prompt = random_tokens(rng, options.prompt, engine.vocab()),
                            .tokens_max = options.generate,
                            .ignore_eos = true};
    request.sampling.temperature = 0;
    TRY(batcher.submit(
        {.client = {},
         .request = std::move(request),
         .on_delta = [](const Delta&) {},
         .on_done = [&](Result<GenerateResult> done) { results.push_back(std::move(done)); }}));
  }
  struct Mark {
    double at_s;
    std::uint64_t tokens;
  };
  std::vector<Mark> marks;
  const std::uint64_t before = batcher.counts().generated_tokens;
  while (batcher.step())
    marks.push_back(
        {seconds(clock.monotonic() - start), batcher.counts().generated_tokens - before});
  double all_write_s = 0, first_end_s = marks.back().at_s;
  for (const auto& result : results) {
    if (!result) return result.error();
    const double first_token_s = result->queue_s + result->prefill_s;
    all_write_s = std::max(all_write_s, first_token_s);
    first_end_s = std::min(first_end_s, first_token_s + result->decode_s);
  }
  // The steps that ended by then.
  const auto mark = [&](double at_s) {
    return *std::ranges::prev(std::ranges::upper_bound(marks, at_s + 1e-3, {}, &Mark::at_s));
  };
  const Mark from = mark(all_write_s), to = mark(first_end_s);
  const double prompt_tokens = double{1} * options.streams * options.prompt;
  figures.prefill_tok_s.push_back(prompt_tokens / all_write_s);
  if (to.at_s > from.at_s)
    figures.decode_tok_s.push_back(static_cast<double>(to.tokens - from.tokens) /
                                   (to.at_s - from.at_s));
  figures.both_tok_s.push_back((prompt_tokens + static_cast<double>(marks.back().tokens)) /
                               marks.back().at_s);
  return {};
}

Result<void> measure_once(Engine& engine, const BenchOptions& options, Rng& rng, Figures& figures) {
  if (options.streams > 1) return measure_streams(engine, options, rng, figures);
  if (options.prompt > 0) TRY(measure_prefill(engine, options, rng, figures));
  if (options.generate > 0) TRY(measure_decode(engine, options, rng, figures));
  return {};
}

// Lengths that nobody asked for give way to a small context; those asked for are refused where they
// do not fit. The prompt is followed by one token, decoding begins behind one and another.
Result<void> fit_lengths(BenchOptions& options, std::uint32_t model_context) {
  const std::uint32_t context =
      options.engine.context == 0 ? model_context : options.engine.context;
  const auto fit = [&](const char* flag, const auto& wanted, std::uint32_t& length,
                       std::uint32_t besides) -> Result<void> {
    const std::uint32_t most = context - std::min(context, besides);
    if (wanted && *wanted > most)
      return Error(Errc::invalid_argument,
                   fmt::format("{} {} does not fit: the context has {} tokens (the model is made "
                               "for {}), so it can be at most {}",
                               flag, *wanted, context, model_context, most));
    length = wanted.value_or(std::min(length, most));
    return {};
  };
  const bool alone = options.streams == 1;  // prompt and decoding are measured apart
  TRY(fit("--prompt", options.prompt_wanted, options.prompt, 1));
  TRY(fit("--generate", options.generate_wanted, options.generate, alone ? 2 : options.prompt));
  if (!alone && (options.prompt == 0 || options.generate < 2))
    return Error(Errc::invalid_argument,
                 fmt::format("--streams needs a prompt and at least 2 tokens to decode, not {} "
                             "and {}",
                             options.prompt, options.generate));
  const std::uint32_t needed =
      alone ? std::max(options.prompt, options.generate) + 2 : options.prompt + options.generate;
  if (options.engine.context == 0) options.engine.context = std::min(model_context, needed);
  options.engine.sequences_max = options.streams;
  options.engine.queue_max = options.streams;
  // A stream's last page is held whole.
  constexpr std::uint32_t kPageMax = 128;
  options.engine.kv_tokens = alone ? 0 : options.streams * (options.engine.context + kPageMax);
  options.engine.stall = 0;
  return {};
}

Result<std::uint32_t> context_of(const GgufFile& file) {
  const std::string architecture = TRY(file.metadata().string("general.architecture")).value_or("");
  return TRY(file.metadata().u32(architecture + ".context_length")).value_or(0);
}

Result<Figures> measure(BenchOptions& options) {
  const SystemClock clock;
  Figures figures;
  {
    const GgufFile file = TRY(open_model(options.engine.model));
    figures.file_bytes = file.file_bytes();
    figures.bytes_per_token = decode_bytes(file);
    TRY(fit_lengths(options, TRY(context_of(file))));
  }
  // A token is a pass over the weights here.
  options.engine.speculate = false;
  const auto start = clock.monotonic();
  LoadedEngine loaded = TRY(load_engine(options.engine, progress_bar("loading")));
  figures.load_s = seconds(clock.monotonic() - start);
  figures.device = loaded.device->name();
  figures.memory = loaded.engine->memory();
  Rng rng(1);
  const auto progress = progress_bar("measuring");
  Figures warm_up;
  TRY(measure_once(*loaded.engine, options, rng, warm_up));
  for (std::uint32_t i = 0; i < options.repeat; ++i) {
    if (progress) progress((i + 1.0) / (options.repeat + 1.0));
    TRY(measure_once(*loaded.engine, options, rng, figures));
  }
  if (progress) progress(1);
  figures.peak_rss_bytes = peak_rss();  // before the buffer of the bandwidth
  loaded.engine.reset();                // It uses the device.
  loaded.device.reset();
  figures.read_bandwidth =
      measure_read_bandwidth(threads_or_default(options.engine.threads), clock);
  return figures;
}

// Weights are read once for all streams.
double decode_gb_s(const BenchOptions& options, const Figures& figures) {
  return median(figures.decode_tok_s) / options.streams *
         static_cast<double>(figures.bytes_per_token) / 1e9;
}

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

void print_json(const BenchOptions& options, const Figures& figures) {
  const double read = decode_gb_s(options, figures);
  const json::object out = {
      {"model", options.engine.model},
      {"device", figures.device},
      {"threads", threads_or_default(options.engine.threads)},
      {"prompt", options.prompt},
      {"generate", options.generate},
      {"streams", options.streams},
      {"repeat", options.repeat},
      {"prefill_tok_s", median(figures.prefill_tok_s)},
      {"decode_tok_s", median(figures.decode_tok_s)},
      {"both_tok_s", figures.both_tok_s.empty() ? json::value() : median(figures.both_tok_s)},
      {"load_s", figures.load_s},
      {"load_bytes_s", static_cast<double>(figures.file_bytes) / figures.load_s},
      {"peak_rss_bytes", figures.peak_rss_bytes},
      {"read_bandwidth_gb_s", figures.read_bandwidth / 1e9},
      {"decode_gb_s", read},
      {"decode_percent_of_bandwidth", percent(read, figures.read_bandwidth / 1e9)},
      {"bytes_per_token", figures.bytes_per_token},
      {"file_bytes", figures.file_bytes},
      {"weights_bytes", figures.memory.weights},
      {"kv_bytes", figures.memory.kv},
      {"working_bytes", figures.memory.working},
      {"prefill_runs_tok_s", json::value_from(figures.prefill_tok_s)},
      {"decode_runs_tok_s", json::value_from(figures.decode_tok_s)}};
  // json::serialize writes every double in scientific notation.
  std::string separator = "{";
  for (const auto& [key, value] : out) {
    const double* number = value.if_double();
    fmt::print("{}\"{}\":{}", std::exchange(separator, ","), std::string_view(key),
               number != nullptr ? fmt::format("{:.6g}", *number) : json::serialize(value));
  }
  fmt::print("}}\n");
}

void print_text(const BenchOptions& options, const Figures& figures) {
  const double read = decode_gb_s(options, figures);
  fmt::print("{} on {}\n", model_name(options.engine.model), figures.device);
  if (options.prompt > 0)
    fmt::print("prefill  {:8.1f} tok/s  {} tokens\n", median(figures.prefill_tok_s),
               options.prompt);
  if (options.generate > 0)
    fmt::print(
        "decode   {:8.1f} tok/s  {} tokens; {:.1f} GB/s, {:.0f}% of the {:.1f} GB/s that can be "
        "read\n",
        median(figures.decode_tok_s), options.generate, read,
        percent(read, figures.read_bandwidth / 1e9), figures.read_bandwidth / 1e9);
  if (!figures.both_tok_s.empty())
    fmt::print("both     {:8.1f} tok/s  {} streams\n", median(figures.both_tok_s), options.streams);
  fmt::print(
      "load     {:8.2f} s      {} at {}/s\n", figures.load_s, format_bytes(figures.file_bytes),
      format_bytes(static_cast<Bytes>(static_cast<double>(figures.file_bytes) / figures.load_s)));
  fmt::print("memory   {:>8} peak; weights {}, KV {}, working {}\n",
             format_bytes(figures.peak_rss_bytes), format_bytes(figures.memory.weights),
             format_bytes(figures.memory.kv), format_bytes(figures.memory.working));
  fmt::print("medians of {}\n", options.repeat);
}

Result<void> bench(BenchOptions options) {
  const Figures figures = TRY(measure(options));
  options.as_json ? print_json(options, figures) : print_text(options, figures);
  return {};
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Measure speed and memory");
  add_engine_flags(*command, options->engine);
  command->add_option("--prompt", options->prompt_wanted, "Tokens of the prompt to read [512]")
      ->check(CLI::Range(0u, 1u << 20).description(""))
      ->type_name("N");
  command->add_option("--generate", options->generate_wanted, "Tokens to decode [64]")
      ->check(CLI::Range(0u, 1u << 20).description(""))
      ->type_name("N");
  command->add_option("--streams", options->streams, "Requests at once [1]")
      ->check(CLI::Range(1u, 256u).description(""))
      ->type_name("N");
  command->add_option("--repeat", options->repeat, "Measurements; the medians are shown [5]")
      ->check(CLI::Range(1u, 1000u).description(""))
      ->type_name("N");
  command->add_flag("--json", options->as_json, "Print one JSON object");
  command->footer("Example:\n  drystone bench pebble --prompt 128 --generate 64 --repeat 3");
  command->callback([options, &exit_code] { exit_code = finish("bench", bench(*options)); });
}

}  // namespace drystone
