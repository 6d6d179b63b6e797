#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <cmath>
#include <fstream>
#include <iterator>

#include "compute/cpu/cpu_device.h"
#include "engine/engine.h"
#include "golden_file.h"
#include "model/synth/presets.h"

namespace drystone {
namespace {

const std::filesystem::path kFolder = DRYSTONE_SOURCE_DIR "/tests/golden/numerics";

// A synthetic model on disk while the test needs it.
class SynthFile {
 public:
  SynthFile(std::string_view preset, std::string_view type, std::uint64_t seed)
      : path_(std::filesystem::path(::testing::TempDir()) /
              fmt::format("{}-{}-{}.gguf", preset, type, getpid())) {
    const SynthPreset* found = find_preset(preset);
    const Mixture* mixture = find_mixture(type);
    CHECK(found != nullptr && mixture != nullptr, preset, type);
    SynthModel model = found->model;
    model.seed = seed;
    ThreadPool pool(2);
    const auto written = write_synth(model, *mixture, path_, pool, {});
    EXPECT_TRUE(written) << written.error().message();
  }
  ~SynthFile() { std::filesystem::remove(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::uint32_t crc32_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

struct Loaded {
  std::unique_ptr<Device> device;
  std::unique_ptr<Engine> engine;
};

Loaded load(const SynthFile& file, Isa isa, int threads, EngineOptions options) {
  Loaded loaded{.device = make_cpu_device(isa, threads)};
  auto opened = GgufFile::open(file.path());
  CHECK(opened, opened.error().message());
  auto engine = Engine::load(*std::move(opened), *loaded.device, std::move(options));
  CHECK(engine, engine.error().message());
  loaded.engine = *std::move(engine);
  return loaded;
}

std::vector<float> all_logits(Engine& engine, std::span<const TokenId> ids) {
  std::vector<float> rows;
  const auto result = engine.logits(ids, [&](std::span<const float> chunk) {
    rows.insert(rows.end(), chunk.begin(), chunk.end());
    return Result<void>{};
  });
  CHECK(result, result.error().message());
  return rows;
}

std::vector<Sampled> greedy(Engine& engine, std::vector<TokenId> prompt, std::uint32_t tokens) {
  std::vector<Sampled> sampled;
  const auto result =
      engine.generate({.prompt = std::move(prompt),
                       .tokens_max = tokens,
                       .sampling = {.temperature = 0},
                       .ignore_eos = true,
                       .top_logprobs = 3},
                      [&](const Delta& delta) {
                        sampled.insert(sampled.end(), delta.tokens.begin(), delta.tokens.end());
                      },
                      {});
  CHECK(result, result.error().message());
  return sampled;
}

struct Difference {
  double largest = 0;  // relative to the standard deviation of the golden's logits
  std::uint32_t position = 0, token = 0;
  double mean_kl = 0;  // of our distribution from the golden's
};

double log_sum_exp(std::span<const float> logits) {
  const double max = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - max);
  return max + std::log(sum);
}

double standard_deviation(std::span<const float> values) {
  double sum = 0, squares = 0;
  for (const float value : values) sum += value, squares += double{value} * value;
  const double mean = sum / static_cast<double>(values.size());
  return std::sqrt(squares / static_cast<double>(values.size()) - mean * mean);
}

Difference compare(const GoldenFile& golden, std::span<const float> rows) {
  Difference difference;
  const double deviation = standard_deviation(golden.logits);
  for (std::size_t i = 0; i < golden.positions.size(); ++i) {
    const auto expected = std::span(golden.logits).subspan(i * golden.vocab, golden.vocab);
    const auto ours = rows.subspan(std::size_t{golden.positions[i]} * golden.vocab, golden.vocab);
    const double expected_norm = log_sum_exp(expected), our_norm = log_sum_exp(ours);
    for (std::uint32_t t = 0; t < golden.vocab; ++t) {
      const double relative = std::abs(ours[t] - expected[t]) / deviation;
      if (!(relative <= difference.largest))
        difference.largest = relative, difference.position = golden.positions[i],
        difference.token = t;
      const double logprob = expected[t] - expected_norm;
      difference.mean_kl +=
          std::exp(logprob) * (logprob - (ours[t] - our_norm)) / double(golden.positions.size());
    }
  }
  return difference;
}

// llama.cpp is what people compare with: the same file must give the same answers.
TEST(Numerics, LogitsAgreeWithTheReference) {
  const auto goldens = read_goldens(kFolder);
  ASSERT_GE(goldens.size(), 20u);
  for (const GoldenFile& golden : goldens) {
    const SynthFile file(golden.preset, golden.type, golden.seed);
    ASSERT_EQ(crc32_of(file.path()), golden.crc32)
        << golden.name << ": synth writes another model than the golden was made for: run make.sh";
    const auto context = static_cast<std::uint32_t>(golden.prompt.size()) + 8;
    for (const Isa isa : testable_isas()) {
      Loaded loaded = load(file, isa, 1, {.context = context, .kv_type = KvType::f32});
      const Difference difference = compare(golden, all_logits(*loaded.engine, golden.prompt));
      const std::string where = fmt::format(
          "{} on {}: largest difference {:.2e} of the deviation, at position {}, "
          "token {}; mean KL {:.2e}",
          golden.name, to_string(isa), difference.largest, difference.position, difference.token,
          difference.mean_kl);
      SCOPED_TRACE(where);
      // Orders of sums differ; gemma3 comes nearest the limit, and over all rows of its prompt it
      // is above (README.md: so are llama.cpp's own builds among each other).
      if (golden.type == "f32") {
        EXPECT_LT(difference.largest, 1e-3);
      }
      EXPECT_LT(difference.mean_kl, 5e-3);
    }
  }
}

// A wrong rotation beyond the prompt, or a wrong cache row, shows only while decoding.
TEST(Numerics, GreedyDecodingAgreesWithTheReference) {
  int compared = 0;
  for (const GoldenFile& golden : read_goldens(kFolder)) {
    if (golden.greedy.empty()) continue;
    const SynthFile file(golden.preset, golden.type, golden.seed);
    const auto tokens = static_cast<std::uint32_t>(golden.greedy.size());
    const auto context = static_cast<std::uint32_t>(golden.prompt.size()) + tokens + 8;
    for (const Isa isa : testable_isas()) {
      Loaded loaded = load(file, isa, 1, {.context = context, .kv_type = KvType::f32});
      std::vector<TokenId> ids;
      for (const Sampled& token : greedy(*loaded.engine, golden.prompt, tokens))
        ids.push_back(token.id);
      EXPECT_EQ(ids, golden.greedy) << golden.name << " on " << to_string(isa);
      ++compared;
    }
  }
  EXPECT_GE(compared, 7);
}

// Bits of prompt rows and of generated rows, by every type's kernels: a request alone, in pieces,
// on any number of threads (design.md, decision 12).
TEST(Numerics, BitsDoNotDependOnThreadsOrChunksForAnyType) {
  std::vector<TokenId> prompt(21);
  for (std::size_t i = 0; i < prompt.size(); ++i)
    prompt[i] = static_cast<TokenId>(i * 37 % 509 + 3);
  for (const std::string_view type :
       {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k_m", "q4_k_m",
        "q5_k_m", "q6_k", "iq4_nl", "iq4_xs", "mxfp4"}) {
    const SynthFile file("tiny-llama", type, 7);
    for (const Isa isa : testable_isas()) {
      std::vector<float> expected_rows;
      std::vector<Sampled> expected_answer;
      for (const auto& [threads, chunk] : {std::pair{1, 512u}, {2, 5u}, {8, 20u}}) {
        Loaded loaded = load(file, isa, threads, {.context = 64, .batch_tokens_max = chunk});
        const std::vector<float> rows = all_logits(*loaded.engine, prompt);
        const std::vector<Sampled> answer = greedy(*loaded.engine, prompt, 4);
        SCOPED_TRACE(fmt::format("{} on {}, {} threads, chunks of {}", type, to_string(isa),
                                 threads, chunk));
        if (expected_rows.empty()) expected_rows = rows, expected_answer = answer;
        EXPECT_TRUE(rows == expected_rows);
        ASSERT_EQ(answer.size(), expected_answer.size());
        for (std::size_t i = 0; i < answer.size(); ++i)
          for (std::size_t k = 0; k < answer[i].top.size(); ++k) {
            EXPECT_EQ(answer[i].top[k].id, expected_answer[i].top[k].id);
            EXPECT_EQ(answer[i].top[k].logprob, expected_answer[i].top[k].logprob);
          }
      }
    }
  }
}

}  // namespace
}  // namespace drystone
