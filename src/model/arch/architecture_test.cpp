#include "model/arch/architecture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include "model/gguf/gguf_writer.h"

namespace drystone {
namespace {

ModelConfig small_config(const std::string& architecture) {
  return {.architecture = architecture,
          .layers = 2,
          .d_model = 64,
          .ff_width = 96,
          .heads = 4,
          .kv_heads = 2,
          .head_dim = 16,
          .vocab = 40,
          .context = 128};
}

// A file with the tensors of `config`'s program, all zero, and metadata that the test may spoil.
struct SmallFile {
  ModelConfig config;
  Metadata metadata;
  std::vector<GgufTensorToWrite> tensors;

  explicit SmallFile(const ModelConfig& given) : config(given) {
    write_config(config, metadata);
    const auto program = build_program(config, {}, 64);
    EXPECT_TRUE(program) << program.error().message();
    std::set<std::string> names;
    for (const TensorSpec& spec : program->tensors) {
      const bool vector = spec.role == TensorRole::norm || spec.role == TensorRole::bias;
      if (!names.insert(spec.name).second) continue;
      add(spec.name, vector ? std::vector<std::uint64_t>{std::uint64_t{spec.cols} * spec.file_rows}
                            : std::vector<std::uint64_t>{spec.cols, spec.file_rows});
    }
  }

  void add(const std::string& name, std::vector<std::uint64_t> dims, DType type = DType::f32) {
    std::uint64_t values = 1;
    for (const std::uint64_t dim : dims) values *= dim;
    const std::vector<std::byte> zeros(row_bytes(type, values));
    tensors.push_back(
        {name, type, std::move(dims), [zeros](const auto& sink) { return sink(zeros); }});
  }

  void remove(std::string_view name) {
    std::erase_if(tensors, [&](const GgufTensorToWrite& tensor) { return tensor.name == name; });
  }

  GgufFile open() const {
    const auto path =
        std::filesystem::path(::testing::TempDir()) /
        (std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) + ".gguf");
    const auto written = write_gguf(path, metadata, tensors);
    EXPECT_TRUE(written) << written.error().message();
    auto file = GgufFile::open(path);
    EXPECT_TRUE(file) << file.error().message();
    std::filesystem::remove(path);  // the mapping keeps it
    return *std::move(file);
  }

  Result<Program> load() const { return load_program(open(), 64); }
};

const std::vector<std::string> kFamilies = {"llama", "qwen2", "qwen3", "phi3", "gemma3"};

// What synth writes must be what the engine reads: the same program from both ways.
TEST(Architecture, WrittenConfigReadsBackInEveryFamily) {
  for (const std::string& family : kFamilies) {
    ModelConfig config = small_config(family);
    config.rope_scaling = {
        .kind = ModelConfig::RopeScaling::Kind::yarn, .factor = 4, .original_context = 32};
    config.window = 8;
    const SmallFile small(config);
    const GgufFile file = small.open();
    const auto read = read_config(file);
    ASSERT_TRUE(read) << family << ": " << read.error().message();
    const auto completed = complete_config(config);
    EXPECT_EQ(read->rope_scaling.factor, 4) << family;
    EXPECT_EQ(read->rope_scaling.original_context, 32u) << family;
    EXPECT_EQ(read->embedding_scale, completed->embedding_scale) << family;
    EXPECT_EQ(read->qkv_bias, completed->qkv_bias) << family;
    const auto program = load_program(file, 64), direct = build_program(config, {}, 64);
    ASSERT_TRUE(program) << family << ": " << program.error().message();
    ASSERT_EQ(program->tensors.size(), direct->tensors.size()) << family;
    for (std::size_t i = 0; i < direct->tensors.size(); ++i)
      EXPECT_EQ(program->tensors[i].name, direct->tensors[i].name) << family;
  }
}

// A model for ranking gives scores only with its head: a file that lost it must not load as if it
// had one, and a head without names could mean anything.
TEST(Architecture, RankingModelsHaveAHeadForTheirClasses) {
  ModelConfig config = small_config("qwen3");
  config.pooling = PoolingType::rank;
  config.classes = {"yes", "no"};
  SmallFile small(config);
  const auto read = read_config(small.open());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->pooling, PoolingType::rank);
  EXPECT_EQ(read->classes, config.classes);
  const auto program = small.load();
  ASSERT_TRUE(program) << program.error().message();
  const TensorSpec& head = program->tensors.at(static_cast<std::size_t>(program->classifier));
  EXPECT_EQ(head.name, "cls.output.weight");
  EXPECT_EQ(head.rows, 2u);
  EXPECT_EQ(head.cols, config.d_model);

  SmallFile nameless = small;
  nameless.metadata.set("qwen3.classifier.output_labels", std::string("yes"));
  EXPECT_TRUE(nameless.load().is(Errc::unsupported));
  small.remove("cls.output.weight");
  const auto headless = small.load();
  ASSERT_TRUE(headless.is(Errc::not_found));
  EXPECT_NE(headless.error().message().find("cls.output.weight"), std::string::npos);
}

TEST(Architecture, PoolingReadsBackInEveryFamily) {
  for (const std::string& family : kFamilies) {
    ModelConfig config = small_config(family);
    EXPECT_EQ(read_config(SmallFile(config).open())->pooling, std::nullopt) << family;
    config.pooling = PoolingType::mean;
    SmallFile small(config);
    EXPECT_EQ(read_config(small.open())->pooling, PoolingType::mean) << family;
    EXPECT_EQ(small.load()->classifier, kNoTensor) << family;
    small.metadata.set(family + ".pooling_type", std::int64_t{9});
    EXPECT_TRUE(small.load().is(Errc::unsupported)) << family;
  }
}

// Shard groups cut by these marks: a product of column-cut weights is a partial sum and must be
// reduced.
TEST(Architecture, ColumnCutProductsAreReducedAndNoOthers) {
  for (const std::string& family : kFamilies) {
    const auto program = build_program(small_config(family), {}, 64);
    ASSERT_TRUE(program);
    for (const LayerProgram& layer : program->layers)
      for (const Op& op : layer.ops)
        if (const auto* linear = std::get_if<LinearOp>(&op))
          for (const LinearPart& part : linear->parts) {
            const TensorSpec& weight = program->tensors[part.weight];
            EXPECT_EQ(weight.cut == TensorCut::columns, linear->reduce) << weight.name;
            EXPECT_NE(weight.cut, TensorCut::none) << weight.name;
          }
  }
}

// A fused tensor is read in slices: q, k, v must cover its rows in order, without gap or overlap.
TEST(Architecture, FusedTensorsAreCutIntoAllTheirRows) {
  const auto program = build_program(small_config("phi3"), {}, 64);
  ASSERT_TRUE(program);
  std::map<std::string, std::uint32_t> covered;
  for (const TensorSpec& spec : program->tensors) {
    EXPECT_EQ(spec.first_row, covered[spec.name]) << spec.name;
    covered[spec.name] += spec.rows;
  }
  for (const TensorSpec& spec : program->tensors)
    EXPECT_EQ(covered[spec.name], spec.file_rows) << spec.name;
  EXPECT_EQ(covered["blk.1.attn_qkv.weight"], 128u);
  EXPECT_EQ(covered["blk.1.ffn_up.weight"], 192u);
}

// Any family may come with fused q, k, v; a bias is then a slice of one vector.
TEST(Architecture, FusedQkvWithBiasLoadsInOtherFamilies) {
  ModelConfig config = small_config("qwen2");
  config.fused_qkv = true;
  const SmallFile small(config);
  const GgufFile file = small.open();
  const auto program = load_program(file, 64);
  ASSERT_TRUE(program) << program.error().message();
  const auto source = tensor_source(file);
  std::uint32_t biases = 0;
  for (const TensorSpec& spec : program->tensors) {
    const auto tensor = source->read(spec);
    ASSERT_TRUE(tensor) << tensor.error().message();
    EXPECT_EQ(tensor->bytes.size(), sizeof(float) * spec.rows * spec.cols) << spec.name;
    biases += spec.name == "blk.0.attn_qkv.bias";
  }
  EXPECT_EQ(biases, 3u);
}

// Gemma 3: five layers with a window, then one that sees everything, each with its own rotation.
TEST(Architecture, GemmaWindowsFollowThePattern) {
  ModelConfig config = small_config("gemma3");
  config.layers = 12;
  config.window = 8;
  config.rope_base = 1e6f;
  const auto program = build_program(config, {}, 64);
  ASSERT_TRUE(program);
  EXPECT_EQ(program->embedding_scale, 8.0f);
  for (std::size_t i = 0; i < 12; ++i)
    for (const Op& op : program->layers[i].ops) {
      const bool full = i % 6 == 5;
      if (const auto* attention = std::get_if<AttentionOp>(&op)) {
        EXPECT_EQ(attention->window, full ? 0u : 8u) << i;
      }
      if (const auto* rope = std::get_if<RopeOp>(&op)) {
        EXPECT_NEAR(rope->inv_freq[1], std::pow(full ? 1e6 : 1e4, -2.0 / 16), 1e-6) << i;
      }
    }
}

// Short sequences must not be rotated with the factors that stretch long ones.
TEST(Architecture, LongRopeFactorsApplyBeyondTheOriginalContext) {
  ModelConfig config = small_config("phi3");
  config.rope_scaling = {.kind = ModelConfig::RopeScaling::Kind::longrope, .original_context = 64};
  const RopeTensors rope{.factors_long = std::vector<float>(8, 4.0f),
                         .factors_short = std::vector<float>(8, 2.0f)};
  const auto first_frequency = [&](std::uint32_t context) {
    const auto program = build_program(config, rope, context);
    for (const Op& op : program->layers[0].ops)
      if (const auto* one = std::get_if<RopeOp>(&op)) return one->inv_freq[0];
    return 0.0f;
  };
  EXPECT_EQ(first_frequency(64), 0.5f);
  EXPECT_EQ(first_frequency(65), 0.25f);
}

struct Hostile {
  std::string key;  // below the architecture
  MetadataValue value;
  Errc code = Errc::corrupt;
};

// Figures of a file are multiplied and allocated by: each must be refused by name before that.
TEST(Architecture, HostileFiguresAreRefusedByName) {
  const std::int64_t huge = 4000000000;
  const std::vector<Hostile> cases = {
      {"block_count", std::int64_t{0}},
      {"block_count", huge},
      {"block_count", std::string("two")},
      {"context_length", std::int64_t{0}},
      {"context_length", huge},
      {"embedding_length", std::int64_t{0}},
      {"embedding_length", huge},
      {"feed_forward_length", std::int64_t{0}},
      {"feed_forward_length", huge},
      {"feed_forward_length", MetadataArray(std::vector<std::int64_t>{96, 64}), Errc::unsupported},
      {"feed_forward_length", MetadataArray(std::vector<std::int64_t>{96})},
      {"attention.head_count", std::int64_t{0}},
      {"attention.head_count", std::int64_t{3}},
      {"attention.head_count", huge},
      {"attention.head_count_kv", std::int64_t{3}},
      {"attention.head_count_kv", std::int64_t{8}},
      {"attention.key_length", std::int64_t{0}, Errc::unsupported},
      {"attention.value_length", std::int64_t{8}, Errc::unsupported},
      {"rope.dimension_count", std::int64_t{15}},
      {"rope.dimension_count", std::int64_t{18}},
      {"rope.freq_base", 0.0},
      {"rope.freq_base", std::numeric_limits<double>::quiet_NaN()},
      {"rope.freq_base", std::numeric_limits<double>::infinity()},
      {"rope.scaling.factor", -1.0},
      {"rope.scaling.type", std::string("spiral"), Errc::unsupported},
      {"attention.layer_norm_rms_epsilon", -1.0},
      {"attention.layer_norm_rms_epsilon", std::string("small")},
      {"expert_count", std::int64_t{8}, Errc::unsupported},
      {"attention.causal", false, Errc::unsupported},
  };
  for (const Hostile& hostile : cases) {
    SmallFile small(small_config("llama"));
    small.metadata.set("llama." + hostile.key, hostile.value);
    const auto program = small.load();
    ASSERT_FALSE(program) << hostile.key;
    EXPECT_EQ(program.error().code(), hostile.code)
        << hostile.key << ": " << program.error().message();
    const auto dot = hostile.key.rfind('.');
    const std::string named = hostile.key.substr(dot == std::string::npos ? 0 : dot + 1);
    const bool by_pair =
        hostile.key == "attention.head_count_kv" || hostile.key == "attention.key_length";
    EXPECT_NE(program.error().message().find(by_pair ? "attention." : named), std::string::npos)
        << hostile.key << ": " << program.error().message();
  }
}

TEST(Architecture, UnknownArchitectureIsRefusedWithTheKnownOnes) {
  SmallFile small(small_config("llama"));
  small.metadata.set("general.architecture", std::string("mamba"));
  const auto program = small.load();
  ASSERT_TRUE(program.is(Errc::unsupported));
  EXPECT_NE(program.error().message().find("mamba"), std::string::npos);
  EXPECT_NE(program.error().message().find("gemma3, llama, phi3, qwen2, qwen3"), std::string::npos);
}

// Leaving a tensor out of the computation would give plausible nonsense instead of an error.
TEST(Architecture, TensorsMissingMisshapenOrLeftOverAreRefusedByName) {
  const auto expect_refused = [](const SmallFile& small, std::string_view name, Errc code) {
    const auto program = small.load();
    ASSERT_FALSE(program) << name;
    EXPECT_EQ(program.error().code(), code) << program.error().message();
    EXPECT_NE(program.error().message().find(name), std::string::npos) << program.error().message();
  };
  SmallFile missing(small_config("llama"));
  missing.remove("blk.1.ffn_down.weight");
  expect_refused(missing, "blk.1.ffn_down.weight", Errc::not_found);

  SmallFile misshapen(small_config("llama"));
  misshapen.remove("blk.0.attn_k.weight");
  misshapen.add("blk.0.attn_k.weight", {64, 33});
  expect_refused(misshapen, "blk.0.attn_k.weight", Errc::corrupt);

  SmallFile uncomputed(small_config("llama"));
  uncomputed.remove("blk.0.attn_k.weight");
  uncomputed.add("blk.0.attn_k.weight", {64, 32}, DType::i8);
  expect_refused(uncomputed, "blk.0.attn_k.weight", Errc::unsupported);

  SmallFile left_over(small_config("llama"));
  left_over.add("blk.0.attn_sinks.weight", {4});
  expect_refused(left_over, "blk.0.attn_sinks.weight", Errc::unsupported);

  SmallFile factors(small_config("llama"));
  factors.add("rope_freqs.weight", {7});
  expect_refused(factors, "rope_freqs.weight", Errc::corrupt);
}

}  // namespace
}  // namespace drystone
