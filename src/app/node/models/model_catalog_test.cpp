#include "app/node/models/model_catalog.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "app/load/open_model.h"
#include "app/node/state/kept_text.h"
#include "net/test_memory_stream.h"
#include "serve/peer/split/test_cluster.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

// Two nodes: what one has, the other can fetch.
class TwoNodes final : public PeerDialer {
 public:
  TwoNodes() : folder_(fs::temp_directory_path() / fmt::format("catalog-test-{}", getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "models/below");
    owner = open_catalog(
        {.state = folder_ / "owner", .folders = {folder_ / "models"}, .self = "owner"});
    other = open_catalog({.state = folder_ / "other", .self = "other", .dialer = this});
  }
  ~TwoNodes() override {
    for (std::thread& thread : threads_) thread.join();
    fs::remove_all(folder_);
  }
  Result<std::unique_ptr<DataStream>> dial(const std::string& node, std::chrono::nanoseconds,
                                           const std::atomic<bool>&) override {
    if (node != "owner") return Error(Errc::unavailable, "unknown node " + node);
    auto [here, there] = make_memory_streams();
    threads_.emplace_back(
        [this, end = std::move(there)]() mutable { server_.serve(std::move(end)); });
    return std::move(here);
  }

  fs::path folder() const { return folder_; }
  std::unique_ptr<ModelCatalog> owner, other;

 private:
  const fs::path folder_;
  FileServer server_{[this](const std::string& identity) { return owner->whole_files(identity); }};
  std::vector<std::thread> threads_;
};

// A name that a person typed once is known for ever after, wherever the file was.
TEST(ModelCatalog, FindsByPathByNameAndAgainAfterARestart) {
  TwoNodes nodes;
  const TestModel model("Q4_0");
  const fs::path file = nodes.folder() / "models/below/stone-q4.gguf";
  fs::copy(model.open().files()[0], file);
  const auto by_name = nodes.owner->find("stone-q4");
  ASSERT_TRUE(by_name) << by_name.error().message();
  EXPECT_EQ(by_name->source.model, "stone-q4");
  EXPECT_EQ(by_name->source.path, file.string());
  EXPECT_EQ(by_name->source.holders, std::vector<std::string>{"owner"});
  EXPECT_EQ(by_name->figures.layers.size(), 4u);
  const auto by_path = nodes.owner->find(file.string());
  ASSERT_TRUE(by_path);
  EXPECT_EQ(by_path->source.identity, by_name->source.identity);
  const auto next_life = open_catalog({.state = nodes.folder() / "owner", .self = "owner"});
  EXPECT_TRUE(next_life->find("stone-q4"));
  EXPECT_TRUE(next_life->whole_files(by_name->source.identity));
  const auto missing = next_life->find("moss");
  ASSERT_TRUE(missing.is(Errc::not_found));
  EXPECT_NE(missing.error().message().find("moss"), std::string::npos);
  const auto folder = nodes.owner->find((nodes.folder() / "models").string());
  ASSERT_TRUE(folder.is(Errc::invalid_argument));
  EXPECT_NE(folder.error().message().find("models is a folder"), std::string::npos)
      << folder.error().message();
}

TEST(ModelCatalog, OpensWhatAnotherNodeHas) {
  TwoNodes nodes;
  const TestModel model("Q8_0");
  const GgufFile whole = model.open();
  const fs::path file = nodes.folder() / "models/stone.gguf";
  fs::copy(whole.files()[0], file);
  auto found = nodes.owner->find("stone");
  ASSERT_TRUE(found) << found.error().message();
  found->source.path = "";  // another machine has another disk
  const Placement placement = test_placement(whole, {.borders = {2}});
  const std::atomic<bool> stop = false;
  const auto header = nodes.other->open_header(found->source, stop);
  ASSERT_TRUE(header) << header.error().message();
  EXPECT_EQ(header->tensors().size(), whole.tensors().size());
  double done = 0;
  const auto part =
      nodes.other->open(found->source, placement, 1, [&](double now) { done = now; }, stop);
  ASSERT_TRUE(part) << part.error().message();
  EXPECT_EQ(done, 1);
  const GgufTensor* last = part->find("blk.3.ffn_down.weight");
  ASSERT_NE(last, nullptr);
  EXPECT_TRUE(std::ranges::equal(part->data(*last), whole.data(*whole.find(last->name))));
  // A copy is no whole file, and is not given on as one.
  EXPECT_FALSE(nodes.other->whole_files(found->source.identity));
  // The holder is gone: what is here is enough.
  found->source.holders = {"nobody"};
  EXPECT_TRUE(nodes.other->open(found->source, placement, 1, nullptr, stop));
  EXPECT_TRUE(nodes.other->open(found->source, placement, 0, nullptr, stop).is(Errc::unavailable));
}

// On one machine, and on a shared disk, nothing is copied.
TEST(ModelCatalog, TakesThePublishedPathWhereItIsTheSameModel) {
  TwoNodes nodes;
  const TestModel model("Q8_0");
  const fs::path file = nodes.folder() / "models/stone.gguf";
  fs::copy(model.open().files()[0], file);
  auto found = nodes.owner->find("stone");
  ASSERT_TRUE(found);
  const std::atomic<bool> stop = false;
  const auto opened = nodes.other->open_header(found->source, stop);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->name(), file.string());
  EXPECT_FALSE(fs::exists(nodes.folder() / "other/files"));
  // Another model at the same path is not taken for it.
  fs::remove(file);
  const TestModel another("Q4_0");
  fs::copy(another.open().files()[0], file);
  EXPECT_FALSE(nodes.other->open_header(found->source, stop));
}

TEST(ModelCatalog, PebbleIsEverywhere) {
  if (!open_model(kDemoModelName)) GTEST_SKIP() << "not in this build";
  TwoNodes nodes;
  const auto found = nodes.owner->find(kDemoModelName);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->source.model, kDemoModelName);
  const std::atomic<bool> stop = false;
  EXPECT_TRUE(nodes.other->open_header(found->source, stop));
  EXPECT_TRUE(nodes.owner->whole_files(found->source.identity));
}

TEST(KeptText, IsReadAsItWasWritten) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("kept-text-{}", getpid());
  EXPECT_FALSE(*read_kept_text(folder / "a", 10));
  ASSERT_TRUE(keep_text(folder / "a", "12345"));
  EXPECT_EQ(**read_kept_text(folder / "a", 10), "12345");
  EXPECT_TRUE(read_kept_text(folder / "a", 4).is(Errc::limit));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace drystone
