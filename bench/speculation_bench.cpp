// What guessing ahead brings where an answer copies its prompt, and what it costs where it does
// not: one stream, and several. No model at hand copies as a trained one does when it edits code,
// so the logits of a real pass over the model are overruled: the answer is the prompt with one
// token in
// `--edit` replaced. Everything else, passes with guessed rows above all, is as in earnest. Prints
// rows of CSV: model, what, streams, tokens per second without and with guessing (medians), ratio.
//
//   speculation_bench MODEL.gguf [--prompt 512] [--generate 256] [--edit 16] [--streams 8]
//                     [--threads N] [--repeat 5]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "compute/cpu/cpu_device.h"
#include "engine/batcher.h"
#include "engine/engine.h"

namespace drystone {
namespace {

struct Options {
  std::string model;
  std::uint32_t prompt = 512, generate = 256, edit = 16, streams = 8, repeat = 5;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
};

// A stage whose most likely token after position p is text[p + 1], while there is a text.
class CopyingStage final : public DeviceStage {
 public:
  CopyingStage(std::unique_ptr<DeviceStage> stage, const std::vector<TokenId>& text)
      : stage_(std::move(stage)), text_(text) {}

  Result<StepOutput> run(const StepInput& input) override {
    StepOutput out = TRY(stage_->run(input));
    if (text_.empty()) return out;
    logits_.assign(out.logits.begin(), out.logits.end());
    std::vector<std::size_t> positions;  // of the rows with logits
    for (const Segment& segment : input.segments) {
      const std::size_t end = std::size_t{segment.position} + segment.rows;
      if (segment.output == RowOutput::last_logits) positions.push_back(end - 1);
      if (segment.output != RowOutput::all_logits) continue;
      for (std::size_t at = segment.position; at < end; ++at) positions.push_back(at);
    }
    for (std::size_t row = 0; row < positions.size(); ++row)
      if (positions[row] + 1 < text_.size())
        logits_[logits_.size() / positions.size() * row +
                static_cast<std::size_t>(text_[positions[row] + 1])] = 1e9f;
    out.logits = logits_;
    return out;
  }
  Result<StepOutput> head(const HeadInput& input) override { return stage_->head(input); }
  bool kinds_agree() const override { return stage_->kinds_agree(); }
  std::uint32_t page_tokens() const override { return stage_->page_tokens(); }
  std::uint32_t page_count() const override { return stage_->page_count(); }
  Bytes page_bytes() const override { return stage_->page_bytes(); }
  void read_page(std::uint32_t page, std::span<std::byte> out) const override {
    stage_->read_page(page, out);
  }
  void write_page(std::uint32_t page, std::span<const std::byte> bytes) override {
    stage_->write_page(page, bytes);
  }
  StageMemory memory() const override { return stage_->memory(); }

 private:
  std::unique_ptr<DeviceStage> stage_;
  const std::vector<TokenId>& text_;
  std::vector<float> logits_;
};

class CopyingDevice final : public Device {
 public:
  explicit CopyingDevice(std::unique_ptr<Device> device) : device_(std::move(device)) {}
  std::string name() const override { return device_->name(); }
  StageMemory estimate(const Program& program, const StageOptions& options,
                       const std::function<DType(const TensorSpec&)>& type_of) const override {
    return device_->estimate(program, options, type_of);
  }
  Result<std::unique_ptr<DeviceStage>> load(const Program& program, const StageOptions& options,
                                            TensorSource& source) override {
    return std::unique_ptr<DeviceStage>(
        std::make_unique<CopyingStage>(TRY(device_->load(program, options, source)), text));
  }

  std::vector<TokenId> text;  // empty: the model's own logits

 private:
  std::unique_ptr<Device> device_;
};

std::vector<TokenId> random_ids(Rng& rng, std::uint32_t count, std::uint32_t vocab) {
  std::vector<TokenId> ids(count);
  for (TokenId& id : ids) id = static_cast<TokenId>(rng.below(vocab));
  return ids;
}

// Decoded tokens per second of all streams, from the first one's first token to the last one's end.
double decode_tok_s(Engine& engine, const std::vector<std::vector<TokenId>>& prompts,
                    std::uint32_t tokens) {
  Batcher& batcher = engine.batcher();
  double first_s = 1e9, last_s = 0;
  for (const auto& prompt : prompts) {
    GenerateRequest request{.prompt = prompt, .tokens_max = tokens, .ignore_eos = true};
    request.sampling.temperature = 0;
    const auto id = batcher.submit({.client = {},
                                    .request = std::move(request),
                                    .on_delta = [](const Delta&) {},
                                    .on_done =
                                        [&](Result<GenerateResult> result) {
                                          CHECK(result, result.error().message());
                                          const double first = result->queue_s + result->prefill_s;
                                          first_s = std::min(first_s, first);
                                          last_s = std::max(last_s, first + result->decode_s);
                                        }});
    CHECK(id, id.error().message());
  }
  while (batcher.step()) {
  }
  return static_cast<double>(prompts.size() * tokens) / (last_s - first_s);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

Result<void> measure(const Options& options) {
  CopyingDevice device(make_cpu_device(TRY(choose_isa("")), options.threads));
  // Both are loaded, and asked in turn.
  std::unique_ptr<Engine> engines[2];
  const std::uint32_t context = options.prompt + options.generate + 64;
  for (const bool speculate : {false, true})
    engines[speculate] = TRY(Engine::load(TRY(GgufFile::open(options.model)), device,
                                          {.context = context,
                                           .kv_contexts = options.streams + 1,
                                           .sequences_max = options.streams,
                                           .queue_max = options.streams,
                                           .speculate = speculate,
                                           .stall = 0}));
  const std::uint32_t vocab = engines[0]->vocab();
  Rng rng(1);
  const auto report = [&](std::string_view what, std::uint32_t streams, bool copies) {
    std::vector<double> tok_s[2];
    for (std::uint32_t i = 0; i <= options.repeat; ++i) {
      const std::vector<TokenId> prompt = random_ids(rng, options.prompt, vocab);
      std::vector<std::vector<TokenId>> prompts(streams, prompt);
      device.text.clear();
      if (copies) {
        device.text = prompt;
        for (std::uint32_t k = 0; k < options.generate; ++k)
          device.text.push_back(k % options.edit == options.edit - 1
                                    ? static_cast<TokenId>(rng.below(vocab))
                                    : prompt[k % options.prompt]);
      } else {
        for (auto& other : prompts) other = random_ids(rng, options.prompt, vocab);
      }
      for (const bool speculate : {false, true}) {
        const double got = decode_tok_s(*engines[speculate], prompts, options.generate);
        if (i > 0) tok_s[speculate].push_back(got);  // the first round warms up
      }
    }
    const double off = median(tok_s[0]), on = median(tok_s[1]);
    fmt::print("{},{},{},{:.1f},{:.1f},{:.2f}\n",
               std::filesystem::path(options.model).stem().string(), what, streams, off, on,
               on / off);
  };
  fmt::print("model,answer,streams,without_tok_s,with_tok_s,ratio\n");
  report("copies", 1, true);
  report("new", 1, false);
  report("copies", options.streams, true);
  report("new", options.streams, false);
  return {};
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) {
  drystone::Options options;
  CLI::App app("What guessing ahead brings and costs");
  app.add_option("MODEL", options.model)->required();
  app.add_option("--prompt", options.prompt);
  app.add_option("--generate", options.generate);
  app.add_option("--edit", options.edit)->check(CLI::PositiveNumber);
  app.add_option("--streams", options.streams)->check(CLI::Range(1, 64));
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 1024));
  app.add_option("--repeat", options.repeat)->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  const auto done = drystone::measure(options);
  if (!done) fmt::print(stderr, "speculation_bench: {}\n", done.error().message());
  return done ? 0 : 1;
}
