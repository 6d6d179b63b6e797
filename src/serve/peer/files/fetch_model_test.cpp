#include "serve/peer/files/fetch_model.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <thread>

#include "compute/test_reducer.h"
#include "engine/classifier.h"
#include "model/synth/presets.h"
#include "net/forward_stream.h"
#include "serve/peer/files/file_wire.h"
#include "serve/peer/files/model_identity.h"
#include "serve/peer/files/part_ranges.h"
#include "serve/peer/files/whole_files.h"
#include "serve/peer/split/test_cluster.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

class TestFolder {
 public:
  TestFolder() : path_(fs::temp_directory_path() / fmt::format("files-test-{}", getpid())) {
    fs::remove_all(path_);
  }
  ~TestFolder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  const fs::path path_;
};

// A node that may break off after some bytes.
class BreakingStream final : public ForwardStream {
 public:
  BreakingStream(std::unique_ptr<DataStream> inner, std::atomic<std::int64_t>& left)
      : ForwardStream(std::move(inner)), left_(left) {}
  Result<void> write(Parts parts, StreamWait wait) override {
    for (const auto& part : parts) left_ -= static_cast<std::int64_t>(part.size());
    if (left_ < 0) {
      close();
      return Error(Errc::io, "the cable was cut");
    }
    return inner().write(parts, wait);
  }

 private:
  std::atomic<std::int64_t>& left_;
};

// Nodes that have the model: each serves until it has written so many bytes.
class TestHolders final : public PeerDialer {
 public:
  explicit TestHolders(const GgufFile& file) {
    const auto is = identify(file);
    CHECK(is, is.error().message());
    identity = is->identity;
    const std::vector<fs::path> paths(file.files().begin(), file.files().end());
    files_ = *open_whole_files(is->files, paths);
  }
  ~TestHolders() override {
    for (std::thread& thread : threads_) thread.join();
  }

  Result<std::unique_ptr<DataStream>> dial(const std::string& node, std::chrono::nanoseconds,
                                           const std::atomic<bool>&) override {
    if (!left_.contains(node) || left_[node] < 0)
      return Error(Errc::unavailable, node + " does not answer");
    auto [here, there] = make_memory_streams();
    if (busy[node] > 0) {
      --busy[node];
      threads_.emplace_back([end = std::move(there)] { say_busy(*end); });
      return std::move(here);
    }
    threads_.emplace_back([this, node, end = std::move(there)]() mutable {
      server_.serve(std::make_unique<BreakingStream>(std::move(end), left_[node]));
    });
    return std::move(here);
  }
  void add(const std::string& node, std::int64_t bytes = std::int64_t{1} << 40) {
    left_[node] = bytes;
  }
  bool is_alive(const std::string& node) { return left_[node] >= 0; }
  ModelHolders holders() {
    ModelHolders holders{.dialer = *this, .model = "test", .identity = identity};
    for (const auto& [node, left] : left_) holders.nodes.push_back(node);
    holders.busy_pause = std::chrono::milliseconds(1);
    return holders;
  }

  std::string identity;
  std::map<std::string, int> busy;  // how often it still gives to too many others

 private:
  static void say_busy(DataStream& stream) {
    constexpr StreamWait kWait{.within = std::chrono::seconds(10)};
    FrameStream frames(stream, {.payload_bytes_max = kFileFrameMax});
    CHECK(frames.read_header(kWait));
    CHECK(frames.write({.type = static_cast<std::uint16_t>(FileFrame::failed)},
                       {encode_failed(Error(Errc::busy, "others come first"))}, kWait));
  }

  std::shared_ptr<const WholeFiles> files_;
  FileServer server_{
      [this](const std::string& wanted) -> Result<std::shared_ptr<const WholeFiles>> {
        if (wanted != identity) return Error(Errc::not_found, "this node does not have that model");
        return files_;
      }};
  std::map<std::string, std::atomic<std::int64_t>> left_;
  std::vector<std::thread> threads_;
};

// A node without the model, and others that have it.
struct Fetching {
  explicit Fetching(const GgufFile& whole) : nodes(whole) {}
  Result<SparseCopy> headers() { return fetch_headers(nodes.holders(), folder / "copy", stop); }
  Result<void> ranges(SparseCopy& copy, std::span<const FileRange> ranges) {
    return fetch_ranges(nodes.holders(), copy, ranges, [this](double now) { done = now; }, stop);
  }

  const TestFolder folder;
  const std::atomic<bool> stop = false;
  TestHolders nodes;
  double done = 0;
};

Bytes bytes_on_disk(const fs::path& path) {
  struct stat status{};
  ::stat(path.c_str(), &status);
  return static_cast<Bytes>(status.st_blocks) * 512;
}

// What loading reads of a file.
class RecordingSource final : public TensorSource {
 public:
  RecordingSource(const GgufFile& file, const GgufFile& should)
      : source_(tensor_source(file)), should_(tensor_source(should)) {}
  Result<Tensor> read(const TensorSpec& spec) override {
    const auto is = source_->read(spec), should = should_->read(spec);
    CHECK(is && should);
    EXPECT_TRUE(std::ranges::equal(is->bytes, should->bytes)) << spec.name;
    ++tensors;
    return is;
  }
  Result<DType> type(const TensorSpec& spec) override { return source_->type(spec); }
  Result<void> release(const TensorSpec& spec) override {
    TRY(should_->release(spec));
    return source_->release(spec);
  }
  int tensors = 0;

 private:
  const std::unique_ptr<TensorSource> source_, should_;
};

// As load_part does, with another source.
int load_and_compare(const Placement& placement, std::uint32_t part, const GgufFile& file,
                     const GgufFile& whole) {
  const auto device = make_cpu_device(*choose_isa(""), 1);
  const PlacedPart& here = placement.parts[part];
  const auto program = part_program(placement, part, file);
  CHECK(program, program.error().message());
  RecordingSource source(file, whole);
  TestReducerGroup group(here.ranks);
  const auto body = device->load(program->program,
                                 {.layers = {here.layers.begin, here.layers.end},
                                  .embed = false,
                                  .head = HeadPlace::none,
                                  .reducer = here.ranks > 1 ? &group.rank(here.rank) : nullptr,
                                  .batch_tokens_max = 16},
                                 source);
  EXPECT_TRUE(body);
  if (here.stage == 0) {
    EXPECT_TRUE(device->load(program->program,
                             {.layers = {0, 0}, .embed = here.rank == 0, .head = HeadPlace::apart},
                             source));
  }
  return source.tensors;
}

// The promise: a part that is not on this disk comes from a peer, and no more than that.
TEST(FetchModel, PartsLoadFromTheRangesThatWereFetched) {
  const TestModel model("Q4_0");
  const GgufFile whole = model.open();
  for (const TestShape& shape : {TestShape{.borders = {1, 3}}, TestShape{.shares = {{1, 1}}},
                                 TestShape{.borders = {2}, .shares = {{1, 1}, {1, 2}}}}) {
    const Placement placement = test_placement(whole, shape);
    for (std::uint32_t part = 0; part < placement.parts.size(); ++part) {
      Fetching fetching(whole);
      fetching.nodes.add("node-a");
      auto copy = fetching.headers();
      ASSERT_TRUE(copy) << copy.error().message();
      const auto file = GgufFile::open(copy->path(0));
      ASSERT_TRUE(file) << file.error().message();
      const auto ranges = part_ranges(placement, part, *file);
      ASSERT_TRUE(ranges) << ranges.error().message();
      const auto fetched = fetching.ranges(*copy, *ranges);
      ASSERT_TRUE(fetched) << fetched.error().message();
      EXPECT_EQ(fetching.done, 1);
      EXPECT_GT(load_and_compare(placement, part, *file, whole), 0);
      EXPECT_LT(bytes_on_disk(copy->path(0)), whole.file_bytes() * 9 / 10);
    }
  }
}

// The node that a client asks ranks with the model's own head, also where it has no part of it.
TEST(FetchModel, EveryNodeHasTheHeadForRanking) {
  ModelConfig config = find_preset("tiny-qwen3")->model.config;
  config.pooling = PoolingType::rank;
  config.classes = {"yes", "no"};
  const TestModel model(config, "Q8_0");
  const GgufFile whole = model.open();
  Fetching fetching(whole);
  fetching.nodes.add("node-a");
  auto copy = fetching.headers();
  ASSERT_TRUE(copy) << copy.error().message();
  const auto file = GgufFile::open(copy->path(0));
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_TRUE(fetching.ranges(*copy, program_ranges(*file)));
  const auto here = Classifier::of(*file), there = Classifier::of(whole);
  ASSERT_TRUE(here && *here != nullptr && there);
  const std::vector<float> hidden(config.d_model, 0.5f);
  EXPECT_EQ((*here)->probabilities(hidden), (*there)->probabilities(hidden));
  EXPECT_NE((*here)->probabilities(hidden)[0], 0.5f);  // which zeros would give
}

// One model, all of which is wanted.
class FetchModelTest : public testing::Test {
 protected:
  // Some of the whole file.
  std::int64_t bytes(double part) const {
    return static_cast<std::int64_t>(part * static_cast<double>(whole_.file_bytes()));
  }
  static std::vector<FileRange> all(const SparseCopy& copy) {
    return {{0, {0, copy.files()[0].size}}};
  }

  const TestModel model_{"Q8_0"};
  const GgufFile whole_ = model_.open();
  Fetching fetching_{whole_};
  TestHolders& nodes_ = fetching_.nodes;
};

// A node may be unplugged in the midst of giving: another one goes on from there.
TEST_F(FetchModelTest, GoesOnWithAnotherHolder) {
  nodes_.add("node-a", bytes(0.33));
  nodes_.add("node-b", bytes(0.33));
  nodes_.add("node-c");
  auto copy = fetching_.headers();
  ASSERT_TRUE(copy) << copy.error().message();
  const auto fetched = fetching_.ranges(*copy, all(*copy));
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_FALSE(nodes_.is_alive("node-a"));
  EXPECT_FALSE(nodes_.is_alive("node-b"));
  // The next life of the process finds it.
  const auto again = SparseCopy::open(fetching_.folder / "copy");
  ASSERT_TRUE(again && *again);
  EXPECT_TRUE((*again)->missing(all(**again)).empty());
  std::ifstream is((*again)->path(0), std::ios::binary);
  std::ifstream should(whole_.files()[0], std::ios::binary);
  EXPECT_TRUE(std::equal(std::istreambuf_iterator<char>(is), std::istreambuf_iterator<char>(),
                         std::istreambuf_iterator<char>(should), std::istreambuf_iterator<char>()));
}

// What came before everybody was gone is not asked for again.
TEST_F(FetchModelTest, KeepsWhatCameWhenAllHoldersAreLost) {
  nodes_.add("node-a", bytes(0.5));
  Bytes left = 0;
  {
    auto copy = fetching_.headers();
    ASSERT_TRUE(copy) << copy.error().message();
    const auto fetched = fetching_.ranges(*copy, all(*copy));
    EXPECT_TRUE(fetched.is(Errc::unavailable));
    EXPECT_NE(fetched.error().message().find("node-a"), std::string::npos);
    for (const FileRange& range : copy->missing(all(*copy))) left += range.bytes.size();
    EXPECT_LT(left, whole_.file_bytes() * 2 / 3);
    // Room that was taken for what did not come was given back.
    EXPECT_LT(bytes_on_disk(copy->path(0)), whole_.file_bytes() * 3 / 4);
  }
  nodes_.add("node-b", static_cast<std::int64_t>(left + 64 * kKiB));
  auto copy = fetching_.headers();
  ASSERT_TRUE(copy) << copy.error().message();
  const auto fetched = fetching_.ranges(*copy, all(*copy));
  EXPECT_TRUE(fetched) << fetched.error().message();
}

// Weights of another model would answer nonsense.
TEST_F(FetchModelTest, RefusesAnotherModel) {
  nodes_.add("node-a");
  const fs::path folder = fetching_.folder / "copy";
  ModelHolders holders = nodes_.holders();
  holders.identity[0] = holders.identity[0] == '0' ? '1' : '0';
  EXPECT_TRUE(fetch_headers(holders, folder, fetching_.stop).is(Errc::unavailable));
  EXPECT_FALSE(fs::exists(folder));
  holders.nodes.clear();
  EXPECT_TRUE(fetch_headers(holders, folder, fetching_.stop).is(Errc::unavailable));
}

// Seventeen nodes load a model that one has: the last one waits, and does not bring the others
// down.
TEST_F(FetchModelTest, WaitsForABusyHolder) {
  nodes_.add("node-a");
  nodes_.add("node-b", -1);   // gone
  nodes_.busy["node-a"] = 5;  // more often than a broken one is asked
  auto copy = fetching_.headers();
  ASSERT_TRUE(copy) << copy.error().message();
  nodes_.busy["node-a"] = 5;
  const auto fetched = fetching_.ranges(*copy, all(*copy));
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_TRUE(copy->missing(all(*copy)).empty());
}

TEST_F(FetchModelTest, WaitingForABusyHolderCanBeStopped) {
  nodes_.add("node-a");
  nodes_.busy["node-a"] = 1'000'000;
  ModelHolders holders = nodes_.holders();
  holders.busy_pause = std::chrono::hours(1);
  std::atomic<bool> stop = false;
  std::jthread stopper([&] { stop = true; });
  EXPECT_TRUE(fetch_headers(holders, fetching_.folder / "copy", stop).is(Errc::cancelled));
}

// Who comes when all places are taken gets one although nobody has finished.
TEST_F(FetchModelTest, HoldersServeInTurns) {
  nodes_.add("node-a");
  const auto open = [&] {
    return FileSession::open(nodes_, "node-a", nodes_.identity, fetching_.stop);
  };
  std::vector<std::unique_ptr<FileSession>> sessions;
  for (int i = 0; i < FileServer::kSessionsMax; ++i) {
    auto session = open();
    ASSERT_TRUE(session) << session.error().message();
    sessions.push_back(*std::move(session));
  }
  const std::vector<FileRange> whole = {{0, {0, sessions[0]->files()[0].size}}};
  Bytes came = 0;
  const auto read_turn = [&](FileSession& session) -> Result<void> {
    for (came = 0; came < 2 * FileServer::kTurnBytes;)
      TRY(session.read(
          whole,
          [&](const FileRange&, std::span<const std::byte> bytes) {
            came += bytes.size();
            return Result<void>();
          },
          fetching_.stop));
    return {};
  };
  EXPECT_TRUE(read_turn(*sessions[0])) << "nobody waits";
  EXPECT_TRUE(open().is(Errc::busy));
  EXPECT_TRUE(read_turn(*sessions[1]).is(Errc::busy));
  EXPECT_GE(came, FileServer::kTurnBytes);
  EXPECT_LT(came, FileServer::kTurnBytes + kReadsInFlightMax * kReadBytesMax);
  EXPECT_TRUE(read_turn(*sessions[2])) << "one makes room for one";
}

// Nor may a holder give another one of the same sizes and header in its place.
TEST_F(FetchModelTest, RefusesTensorsOfAnotherModel) {
  nodes_.add("node-a");
  nodes_.identity[0] = nodes_.identity[0] == '0' ? '1' : '0';  // that of a model trained anew
  const auto copy = fetching_.headers();
  ASSERT_TRUE(copy.is(Errc::corrupt)) << copy.error().message();
  EXPECT_NE(copy.error().message().find("it gave another model"), std::string::npos)
      << copy.error().message();
  EXPECT_FALSE(fs::exists(fetching_.folder / "copy"));
}

// A copy that a crash, or somebody's hand, has broken is made anew.
TEST_F(FetchModelTest, ABrokenCopyIsMadeAnew) {
  nodes_.add("node-a");
  ASSERT_TRUE(fetching_.headers());
  std::ofstream(fetching_.folder / "copy" / "presence") << "nonsense";
  const auto copy = fetching_.headers();
  ASSERT_TRUE(copy) << copy.error().message();
  fs::remove(copy->path(0));
  ASSERT_TRUE(fetching_.headers());
}

TEST(SparseCopy, SaysHowMuchRoomIsMissing) {
  const TestFolder folder;
  const ModelFiles files = {{"huge.gguf", kModelFileMax / 8, 10}};
  auto copy = SparseCopy::create(folder / "copy", "abc", files);
  if (!copy) GTEST_SKIP() << copy.error().message();  // a disk that takes no large files
  const auto reserved = copy->reserve(std::vector<FileRange>{{0, {0, kModelFileMax / 8}}});
  ASSERT_TRUE(reserved.is(Errc::io));
  EXPECT_NE(reserved.error().message().find("8.00 TiB"), std::string::npos)
      << reserved.error().message();
  EXPECT_LT(bytes_on_disk(copy->path(0)), kMiB);
}

// A process that is killed while it fetches must not find its own room missing in its next life.
TEST(SparseCopy, GivesBackWhatAKilledProcessHadReserved) {
  const TestFolder folder;
  constexpr Bytes kSize = 16 * kMiB;
  const std::vector<std::byte> bytes(64 * kKiB, std::byte{7});
  const FileRange there = {0, {kSize / 2 + 100, kSize / 2 + 100 + bytes.size()}};
  const std::vector<FileRange> all = {{0, {0, kSize}}};
  {
    auto copy = SparseCopy::create(folder / "copy", "abc", {{"a.gguf", kSize, 10}});
    ASSERT_TRUE(copy) << copy.error().message();
    ASSERT_TRUE(copy->reserve(all));
    if (bytes_on_disk(copy->path(0)) < kSize) GTEST_SKIP() << "a disk that reserves nothing";
    ASSERT_TRUE(copy->write(there, bytes));
    ASSERT_TRUE(copy->commit());
  }
  auto copy = SparseCopy::open(folder / "copy");
  ASSERT_TRUE(copy && *copy);
  EXPECT_LT(bytes_on_disk((*copy)->path(0)), kMiB);
  std::ifstream file((*copy)->path(0), std::ios::binary);
  file.seekg(static_cast<std::streamoff>(there.bytes.begin));
  std::string kept(bytes.size(), '\0');
  ASSERT_TRUE(file.read(kept.data(), static_cast<std::streamsize>(kept.size())));
  EXPECT_EQ(kept, std::string(bytes.size(), '\7'));
  EXPECT_TRUE((*copy)->reserve((*copy)->missing(all)));
  EXPECT_GE(bytes_on_disk((*copy)->path(0)), kSize);
}

TEST(FileWire, MessagesAreReadAsTheyWereWritten) {
  const ModelFiles files = {{"a.gguf", 1000, 10}, {"b.gguf", 2000, 2000}};
  EXPECT_EQ(*decode_files(encode(files)), files);
  EXPECT_EQ(*decode_open(encode_open("ab12")), "ab12");
  const FileRead read{.file = 1, .offset = Bytes{1} << 40, .bytes = kReadBytesMax};
  EXPECT_EQ(*decode_read(encode(read)), read);
  EXPECT_FALSE(decode_read(encode(FileRead{.bytes = kReadBytesMax + 1})));
  EXPECT_FALSE(decode_read(encode(FileRead{.bytes = 0})));
  EXPECT_FALSE(decode_files(encode(ModelFiles{{"../a", 10, 1}})));
  const Error error = decode_failed(encode_failed(Error(Errc::not_found, "no such model")));
  EXPECT_EQ(error.code(), Errc::not_found);
  EXPECT_EQ(error.message(), "no such model");
}

}  // namespace
}  // namespace drystone
