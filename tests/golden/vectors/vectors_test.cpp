#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <future>
#include <iterator>
#include <map>

#include "compute/cpu/cpu_device.h"
#include "model/synth/presets.h"
#include "serve/engine_model.h"

namespace drystone {
namespace {

namespace json = boost::json;

const std::filesystem::path kFolder = DRYSTONE_SOURCE_DIR "/tests/golden/vectors";

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Golden {
  std::string name;
  json::value json;
  std::string text(const char* key) const { return std::string(json.at(key).as_string()); }
  bool ranks() const { return text("pooling") == "rank"; }
  bool exact() const { return text("type") == "f32"; }
};

std::vector<Golden> read_goldens() {
  std::vector<Golden> goldens;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (entry.path().extension() == ".json")
      goldens.push_back({entry.path().stem().string(), json::parse(contents(entry.path()))});
  return goldens;
}

// The model of a golden, served on one instruction set.
class Served {
 public:
  Served(const Golden& golden, Isa isa)
      : path_(std::filesystem::path(::testing::TempDir()) /
              fmt::format("{}-{}.gguf", golden.name, getpid())),
        device_(make_cpu_device(isa, 1)) {
    SynthModel model = find_preset(golden.text("preset"))->model;
    const std::map<std::string, PoolingType> types = {
        {"mean", PoolingType::mean}, {"last", PoolingType::last}, {"rank", PoolingType::rank}};
    model.config.pooling = types.at(golden.text("pooling"));
    if (golden.ranks()) model.config.classes = {"yes", "no"};
    model.seed = static_cast<std::uint64_t>(golden.json.at("seed").as_int64());
    ThreadPool pool(2);
    const auto written = write_synth(model, *find_mixture(golden.text("type")), path_, pool, {});
    CHECK(written, written.error().message());
    auto engine =
        Engine::load(*GgufFile::open(path_), *device_,
                     {.context = 256, .sequences_max = 4, .queue_max = 64, .kv_type = KvType::f32});
    CHECK(engine, engine.error().message());
    engine_ = *std::move(engine);
    model_ = make_engine_model(*engine_, clock_);
  }
  ~Served() {
    model_.reset();
    engine_.reset();
    std::filesystem::remove(path_);
  }

  std::int64_t crc32() const {
    const std::string bytes = contents(path_);
    boost::crc_32_type crc;
    crc.process_bytes(bytes.data(), bytes.size());
    return crc.checksum();
  }
  const ServedModel& model() const { return *model_; }

  std::vector<float> hidden(std::vector<TokenId> prompt, Pooling pooling) {
    std::promise<std::vector<float>> hidden;
    const auto id = model_->jobs().submit(
        {.request = {.prompt = std::move(prompt), .pooling = pooling},
         .on_delta = [](const Delta&) {},
         .on_done =
             [&](const Result<GenerateResult>& result) {
               hidden.set_value(result ? result->hidden : std::vector<float>());
             }});
    CHECK(id, id.error().message());
    return hidden.get_future().get();
  }

 private:
  std::filesystem::path path_;
  SystemClock clock_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ServedModel> model_;
};

void compare_vectors(const Golden& golden, Served& served) {
  const auto pooling = served.model().pooling();
  ASSERT_TRUE(pooling) << pooling.error().message();
  for (const auto& text : golden.json.at("texts").as_array()) {
    const auto& expected = text.at("vector").as_array();
    const auto ours = unit_vector(
        served.hidden(served.model().text_prompt(text.at("text").as_string()), *pooling),
        served.model().width());
    ASSERT_EQ(ours.size(), expected.size());
    double cosine = 0, largest = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const auto value = expected[i].to_number<double>();
      cosine += ours[i] * value;
      largest = std::max(largest, std::abs(ours[i] - value));
    }
    SCOPED_TRACE(fmt::format("1 - cosine {:.2e}, largest difference {:.2e}", 1 - cosine, largest));
    EXPECT_GT(cosine, golden.exact() ? 1 - 1e-6 : 0.999);
    if (golden.exact()) {
      EXPECT_LT(largest, 1e-6);
    }
  }
}

void compare_scores(const Golden& golden, Served& served) {
  const auto& documents = golden.json.at("documents").as_array();
  const auto& scores = golden.json.at("scores").as_array();
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::string document(documents[i].as_string());
    const auto prompt = served.model().rank_prompt(golden.text("query"), document);
    ASSERT_TRUE(prompt) << prompt.error().message();
    const float score = served.model().relevance(served.hidden(*prompt, Pooling::last));
    const double difference = std::abs(score - scores[i].to_number<double>());
    SCOPED_TRACE(fmt::format("document {}: score {}, differs by {:.2e}", i, score, difference));
    if (document.find("<|im_end|>") != std::string::npos) {
      EXPECT_GT(difference, 1e-3);
    } else {
      EXPECT_LT(difference, golden.exact() ? 1e-6 : 5e-3);
    }
  }
}

// People compare vectors that one program made with those of another: the same file, the same text,
// the same direction.
TEST(Vectors, AgreeWithTheReference) {
  const auto goldens = read_goldens();
  ASSERT_GE(goldens.size(), 6u);
  for (const Golden& golden : goldens)
    for (const Isa isa : testable_isas()) {
      SCOPED_TRACE(golden.name + " on " + std::string(to_string(isa)));
      Served served(golden, isa);
      ASSERT_EQ(served.crc32(), golden.json.at("crc32").as_int64())
          << "synth writes another model than the golden was made for: run make.sh";
      EXPECT_EQ(served.model().writes(), !golden.ranks());
      if (golden.ranks())
        compare_scores(golden, served);
      else
        compare_vectors(golden, served);
    }
}

}  // namespace
}  // namespace drystone
