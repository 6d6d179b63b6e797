#include "model/synth/synth.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "compute/blocks/dequantize.h"
#include "model/quantize/quantize_model.h"
#include "model/synth/presets.h"

namespace drystone {
namespace {

// A folder of this test's own, gone with it.
class SynthTest : public testing::Test {
 protected:
  SynthTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("drystone-synth-" + std::to_string(getpid()) + "-" +
                 testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(folder_);
  }
  ~SynthTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }

  std::filesystem::path synth(const SynthModel& model, std::string_view type,
                              const std::string& name, int threads = 2) {
    ThreadPool pool(threads);
    const auto written = write_synth(model, *find_mixture(type), path(name), pool, {});
    EXPECT_TRUE(written) << written.error().message();
    return path(name);
  }

  static std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream all;
    all << in.rdbuf();
    return all.str();
  }

 private:
  std::filesystem::path folder_;
};

GgufFile open(const std::filesystem::path& path) {
  auto file = GgufFile::open(path);
  EXPECT_TRUE(file) << file.error().message();
  return std::move(file).value();
}

std::vector<float> weights_of(const GgufFile& file, std::string_view name) {
  const GgufTensor* tensor = file.find(name);
  std::vector<float> out(tensor->dims[0] * tensor->dims[1]);
  dequantize_row(tensor->type, file.data(*tensor).data(), out.data(), out.size());
  return out;
}

// Goldens name a seed instead of storing a model: the file must come out the same everywhere.
TEST_F(SynthTest, TheSameSeedGivesTheSameBytesWithAnyThreads) {
  const SynthModel& model = find_preset("tiny-qwen3")->model;
  const std::string one = bytes_of(synth(model, "Q4_K_M", "one", 1));
  EXPECT_EQ(one, bytes_of(synth(model, "Q4_K_M", "three", 3)));
  SynthModel other = model;
  other.seed = 2;
  EXPECT_NE(one, bytes_of(synth(other, "Q4_K_M", "other")));
}

// What the benchmarks and goldens run on must pass our own reader's checks, in every family.
TEST_F(SynthTest, EveryPresetIsAModelThatLoads) {
  for (const SynthPreset& preset : synth_presets()) {
    if (preset.name == "llama-1b") continue;  // the same as tiny-llama, but for its size
    const GgufFile file = open(synth(preset.model, "Q4_0", std::string(preset.name)));
    const auto program = load_program(file, 512);
    ASSERT_TRUE(program) << preset.name << ": " << program.error().message();
    EXPECT_EQ(file.metadata().strings("tokenizer.ggml.tokens")->size(), program->vocab);
    EXPECT_EQ(file.metadata().u32("general.file_type").value(), 2u);
  }
}

// Statistics that keep activations of order one: a matrix keeps the variance of its input.
TEST_F(SynthTest, WeightsHaveThePromisedSpread) {
  const GgufFile file = open(synth(find_preset("tiny-llama")->model, "F32", "model"));
  const auto spread = [&](std::string_view name) {
    double sum = 0, squares = 0;
    const auto weights = weights_of(file, name);
    for (const float w : weights) sum += w, squares += w * w;
    const double mean = sum / static_cast<double>(weights.size());
    return std::pair(mean, std::sqrt(squares / static_cast<double>(weights.size()) - mean * mean));
  };
  const auto [q_mean, q_deviation] = spread("blk.1.attn_q.weight");
  EXPECT_NEAR(q_mean, 0, 0.001);
  EXPECT_NEAR(q_deviation, 1 / 16.0, 0.001);
  const auto [norm_mean, norm_deviation] = spread("blk.0.attn_norm.weight");
  EXPECT_NEAR(norm_mean, 1, 0.03);
  EXPECT_NEAR(norm_deviation, 0.1, 0.02);
}

TEST_F(SynthTest, ImpossibleFiguresAreRefusedByName) {
  ThreadPool pool(1);
  SynthModel model = find_preset("tiny-llama")->model;
  model.config.vocab = 100;
  const auto small = write_synth(model, *find_mixture("F16"), path("small"), pool, {});
  ASSERT_TRUE(small.is(Errc::invalid_argument));
  EXPECT_NE(small.error().message().find("vocabulary of 100"), std::string::npos);
  model = find_preset("tiny-llama")->model;
  model.config.kv_heads = 3;
  const auto heads = write_synth(model, *find_mixture("F16"), path("heads"), pool, {});
  ASSERT_TRUE(heads.is(Errc::invalid_argument));
  EXPECT_NE(heads.error().message().find("3 KV heads"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path("heads")));
}

struct Bound {
  const char* type;
  double error;  // relative rms error of all matrices together
};

// Quantizing a file is the job of many; the errors must stay what each type's bits allow, mixtures
// included.
TEST_F(SynthTest, QuantizedModelsStayWithinTheErrorOfTheirType) {
  const GgufFile source = open(synth(find_preset("tiny-llama")->model, "F32", "source"));
  constexpr Bound kBounds[] = {
      {"F16", 0.00025}, {"BF16", 0.0018},  {"Q8_0", 0.0058},  {"Q4_0", 0.090},   {"Q4_1", 0.081},
      {"Q5_0", 0.045},  {"Q5_1", 0.040},   {"Q2_K", 0.28},    {"Q3_K_S", 0.16},  {"Q3_K_M", 0.15},
      {"Q3_K_L", 0.14}, {"Q4_K_S", 0.074}, {"Q4_K_M", 0.072}, {"Q5_K_S", 0.038}, {"Q5_K_M", 0.037},
      {"Q6_K", 0.019},  {"IQ4_NL", 0.079}, {"IQ4_XS", 0.080}, {"MXFP4", 0.118},
  };
  ThreadPool pool(2);
  for (const Bound& bound : kBounds) {
    const auto done =
        quantize_model(source, *find_mixture(bound.type), path("quantized"), pool, {});
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(done->requantized, 0u);
    const GgufFile file = open(path("quantized"));
    ASSERT_TRUE(load_program(file, 512)) << bound.type;
    double error = 0, energy = 0;
    for (const GgufTensor& tensor : source.tensors()) {
      if (tensor.n_dims < 2) {
        EXPECT_EQ(file.find(tensor.name)->type, DType::f32);
        continue;
      }
      const auto before = weights_of(source, tensor.name), after = weights_of(file, tensor.name);
      double scale = 0,
             difference =
                 0;  // per tensor, so that the embedding's larger weights do not hide the others
      for (std::size_t i = 0; i < before.size(); ++i) {
        scale += before[i] * before[i];
        difference += (before[i] - after[i]) * (before[i] - after[i]);
      }
      error += difference / scale;
      energy += 1;
    }
    EXPECT_LE(std::sqrt(error / energy), bound.error) << bound.type;
    EXPECT_GE(std::sqrt(error / energy), 0.7 * bound.error)
        << bound.type << ": is the bound stale?";
  }
}

// Synthetic files of a type are the quantized synthetic f32 file: one golden serves both ways of
// making it.
TEST_F(SynthTest, AQuantizedFileEqualsTheOneWrittenInThatType) {
  const SynthModel& model = find_preset("tiny-gemma3")->model;
  const GgufFile source = open(synth(model, "F32", "source"));
  ThreadPool pool(2);
  ASSERT_TRUE(quantize_model(source, *find_mixture("Q5_K_M"), path("quantized"), pool, {}));
  EXPECT_EQ(bytes_of(path("quantized")), bytes_of(synth(model, "Q5_K_M", "direct")));
}

TEST_F(SynthTest, RequantizingIsCountedAndSameTypesAreCopied) {
  const GgufFile q8 = open(synth(find_preset("tiny-llama")->model, "Q8_0", "q8"));
  ThreadPool pool(2);
  const auto again = quantize_model(q8, *find_mixture("Q8_0"), path("again"), pool, {});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->requantized, 0u);
  EXPECT_EQ(bytes_of(path("again")), bytes_of(path("q8")));
  const auto q4 = quantize_model(q8, *find_mixture("Q4_0"), path("q4"), pool, {});
  ASSERT_TRUE(q4);
  EXPECT_EQ(q4->requantized, 16u);
}

}  // namespace
}  // namespace drystone
