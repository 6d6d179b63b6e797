#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "compute/cpu/cpu_device.h"
#include "compute/shard_program.h"
#include "engine/batcher.h"
#include "model/arch/architecture.h"
#include "model/synth/synth.h"
#include "net/forward_stream.h"
#include "net/test_memory_stream.h"
#include "serve/peer/split/start_part.h"

namespace drystone {

// For tests: a synthetic model on disk, wide enough for shards.
class TestModel {
 public:
  explicit TestModel(std::string_view type, std::uint32_t layers = 4) {
    ModelConfig config;
    config.architecture = "llama";
    config.layers = layers;
    config.d_model = 256;
    config.ff_width = 1280;
    config.heads = 16;
    config.kv_heads = 8;
    config.head_dim = 64;
    config.vocab = 512;
    config.context = 2048;
    write(config, type);
  }
  TestModel(const ModelConfig& config, std::string_view type) { write(config, type); }
  ~TestModel() { std::filesystem::remove(path_); }
  GgufFile open() const { return *GgufFile::open(path_); }

 private:
  void write(const ModelConfig& config, std::string_view type) {
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("peer-{}-{}-{}.gguf", type, config.layers, getpid());
    ThreadPool pool(1);
    const auto written = write_synth({.config = config}, *find_mixture(type), path_, pool, {});
    CHECK(written, written.error().message());
  }

  std::filesystem::path path_;
};

struct TestShape {
  std::vector<std::uint32_t> borders;               // where the second, third, ... stage begins
  std::vector<std::vector<double>> shares = {{1}};  // of the ranks of each stage; one: of all
  std::uint32_t context = 512, kv_tokens = 4096, rows_max = 64;
};

// Each part on a node of its own: "node-0" is the head.
inline Placement test_placement(const GgufFile& file, const TestShape& shape) {
  const Program program = *load_program(file, shape.context);
  const auto layers = static_cast<std::uint32_t>(program.layers.size());
  Placement placement{.instance = "test",
                      .model = "test",
                      .epoch = {.number = 1, .keeper = "node-0"},
                      .head = "node-0",
                      .shape = {.layers = layers,
                                .kv_heads = program.kv_heads,
                                .ff_width = program.ff_width,
                                .vocab = program.vocab},
                      .context = shape.context,
                      .kv_tokens = shape.kv_tokens,
                      .streams = 8,
                      .rows_max = shape.rows_max};
  std::vector<std::uint32_t> borders = {0};
  borders.insert(borders.end(), shape.borders.begin(), shape.borders.end());
  borders.push_back(layers);
  for (std::uint32_t stage = 0; stage + 1 < borders.size(); ++stage) {
    const auto& shares = shape.shares.size() == 1 ? shape.shares[0] : shape.shares[stage];
    const auto cuts = *shard_cuts(
        program, shares, [&](const TensorSpec& spec) { return file.find(spec.name)->type; });
    for (const ShardCut& cut : cuts)
      placement.parts.push_back(
          {.node = fmt::format("node-{}", placement.parts.size()),
           .stage = stage,
           .rank = cut.rank,
           .ranks = cut.ranks,
           .layers = {borders[stage], borders[stage + 1]},
           .kv_heads = {cut.kv_heads.begin, cut.kv_heads.end},
           .ff = {cut.ff.begin, cut.ff.end},
           .vocab = stage == 0 ? Span{cut.vocab.begin, cut.vocab.end} : Span{}});
  }
  const auto valid = validate(placement);
  CHECK(valid, valid.error().message());
  return placement;
}

// What streams of this process can suffer.
class TestCable {
 public:
  void add(std::shared_ptr<DataStream> end) {
    const std::lock_guard lock(mutex_);
    ends_.push_back(std::move(end));
  }
  void cut() {
    const std::lock_guard lock(mutex_);
    for (const auto& end : ends_) end->close();
  }
  std::atomic<bool> frozen = false;  // nothing that is written arrives

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<DataStream>> ends_;
};

class TestStream final : public ForwardStream {
 public:
  TestStream(std::shared_ptr<DataStream> end, std::shared_ptr<TestCable> cable)
      : ForwardStream(end), cable_(std::move(cable)) {
    cable_->add(std::move(end));
  }
  ~TestStream() override { inner().close(); }
  Result<void> write(Parts parts, StreamWait wait) override {
    if (cable_->frozen) return {};
    return inner().write(parts, wait);
  }
  Result<void> exchange(Parts parts, std::span<std::byte> into, StreamWait wait) override {
    if (cable_->frozen) return inner().read(into, wait);
    return inner().exchange(parts, into, wait);
  }
  void close() override {
    if (!cable_->frozen) inner().close();
  }

 private:
  const std::shared_ptr<TestCable> cable_;
};

// All parts of a placement as threads of this process.
class TestCluster final : public PeerDialer {
 public:
  TestCluster(const TestModel& model, Placement placement, LinkOptions links = {})
      : placement_(std::move(placement)) {
    for (const PlacedPart& part : placement_.parts)
      switchboards_[part.node] = std::make_unique<Switchboard>(clock_);
    for (std::size_t i = 0; i < placement_.parts.size(); ++i)
      parts_.push_back(std::make_unique<LoadedPart>(make_cpu_device(*choose_isa(""), 1)));
    begin(model, links, nullptr);
  }

  // The next epoch, of parts that stay in memory: no file but its header may be read.
  void begin_next_epoch(const TestModel& model) {
    engine_.reset();
    workers_.clear();
    ++placement_.epoch.number;
    begin(model, {}, []() -> Result<GgufFile> { CHECK(false, "weights are read again"); });
  }

  Engine& engine() { return *engine_; }
  // Of the streams that a node dials.
  TestCable& cable(std::string_view from, std::string_view to) {
    return *cables_.at({std::string(from), std::string(to)});
  }
  // Waits until the part is lost; false: not within `within`.
  bool wait_lost(std::size_t part, std::chrono::nanoseconds within) {
    std::unique_lock lock(mutex_);
    return lost_.wait_for(lock, within, [&] { return losses_[part].has_value(); });
  }
  std::string loss(std::size_t part) {
    const std::lock_guard lock(mutex_);
    return losses_[part].value_or("");
  }

  Result<std::unique_ptr<DataStream>> dial(const std::string& node, std::chrono::nanoseconds,
                                           const std::atomic<bool>&) override {
    auto [here, there] = make_memory_streams(StreamReducer::kUnreadBytesMax);
    auto cable = std::make_shared<TestCable>();
    {
      const std::lock_guard lock(mutex_);
      auto& known = cables_[{dialing_, node}];
      if (known != nullptr) cable = known;
      known = cable;
    }
    const std::lock_guard lock(mutex_);
    doors_.emplace_back([&board = *switchboards_.at(node),
                         stream = std::make_unique<TestStream>(std::move(there), cable)]() mutable {
      board.accept(std::move(stream));
    });
    return std::unique_ptr<DataStream>(std::make_unique<TestStream>(std::move(here), cable));
  }

 private:
  void begin(const TestModel& model, const LinkOptions& links,
             const std::function<Result<GgufFile>()>& open) {
    workers_.resize(placement_.parts.size());
    losses_.assign(placement_.parts.size(), std::nullopt);
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < placement_.parts.size(); ++i)
      threads.emplace_back([&, i] {
        const GgufFile file = model.open();
        auto worker = start_worker(node(i), placement_, file, options(i, links, open), stop_);
        CHECK(worker, worker.error().message());
        workers_[i] = *std::move(worker);
      });
    auto engine = start_head(node(0), placement_, model.open(), options(0, links, open),
                             {.queue_max = 64}, stop_);
    CHECK(engine, engine.error().message());
    engine_ = *std::move(engine);
  }
  PartNode node(std::size_t i) {
    dialing_ = placement_.parts[i].node;
    return {.self = placement_.parts[i].node,
            .part = *parts_[i],
            .dialer = *this,
            .switchboard = *switchboards_.at(placement_.parts[i].node),
            .clock = clock_};
  }
  PartOptions options(std::size_t i, const LinkOptions& links,
                      const std::function<Result<GgufFile>()>& open) {
    return {.links = links, .open = open, .on_lost = [this, i](const Error& error) {
              {
                const std::lock_guard lock(mutex_);
                losses_[i] = error.message();
              }
              lost_.notify_all();
            }};
  }

  static thread_local inline std::string dialing_;  // the node of this thread
  Placement placement_;
  SystemClock clock_;
  std::map<std::string, std::unique_ptr<Switchboard>> switchboards_;
  std::vector<std::unique_ptr<LoadedPart>> parts_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;  // of what follows
  std::condition_variable lost_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<TestCable>> cables_;
  std::vector<std::optional<std::string>> losses_;
  std::vector<std::unique_ptr<StagePart>> workers_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::jthread> doors_;  // a stream each, until it has said what it is
};

}  // namespace drystone
