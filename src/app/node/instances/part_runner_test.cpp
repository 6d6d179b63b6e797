#include "app/node/instances/part_runner.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "app/node/instances/test_nodes.h"
#include "cluster/plan/planner.h"

namespace drystone {
namespace {

using std::chrono::seconds;

constexpr Bytes kPlenty = 2 * kGiB;

// Streams between the parts of this process.
class Boards final : public PeerDialer {
 public:
  void add(const std::string& node, Switchboard& board) { boards_[node] = &board; }
  Result<std::unique_ptr<DataStream>> dial(const std::string& node, std::chrono::nanoseconds,
                                           const std::atomic<bool>&) override {
    auto [here, there] = make_memory_streams();
    const std::lock_guard lock(mutex_);
    doors_.emplace_back([&board = *boards_.at(node), stream = std::move(there)]() mutable {
      board.accept(std::move(stream));
    });
    return std::move(here);
  }

 private:
  std::map<std::string, Switchboard*> boards_;
  std::mutex mutex_;
  std::vector<std::jthread> doors_;
};

// A node's parts, and what is told of them.
class PartNodeUnderTest {
 public:
  PartNodeUnderTest(const std::string& id, Bytes memory, Boards& boards, const Clock& clock)
      : board_(clock),
        catalog(id),
        runner({.self = id, .name = id, .threads = 1, .memory_bytes = memory}, catalog, boards,
               board_, clock,
               {.progress = [](const std::string&, const Epoch&, double) {},
                .loaded = [this](const std::string& instance, const Epoch&,
                                 bool) { tell(instance, "loaded"); },
                .failed = [this](const std::string& instance, const Epoch&,
                                 const std::string& error) { tell(instance, error); },
                .lost = [this](const std::string& instance, const Epoch&,
                               const std::string& error) { tell(instance, error); }}) {
    boards.add(id, board_);
  }
  ~PartNodeUnderTest() { board_.close(); }

  // What is told next of the instance.
  std::string next(const std::string& instance) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, seconds(20), [&] { return told_.contains(instance); }))
      return "nothing";
    return told_.extract(instance).mapped();
  }

 private:
  void tell(const std::string& instance, const std::string& what) {
    const std::lock_guard lock(mutex_);
    told_[instance] = what;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> told_;  // by instance
  Switchboard board_;

 public:
  TestCatalog catalog;
  PartRunner runner;
};

class PartRunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!open_model(kDemoModelName)) GTEST_SKIP() << "this build has no pebble";
    split = place("pebble", 2, {"a", "b"});
    whole = place("other", 1, {"a"});
    const Bytes part = split.parts[*split.index_of("a")].bytes.total();
    // Room for each of them, not for both.
    memory = whole.parts[0].bytes.total() + part / 2;
    ASSERT_LE(part, memory);
  }
  static Placement place(const std::string& instance, std::uint32_t stages,
                         const std::vector<std::string>& ids) {
    std::vector<NodeFigures> nodes;
    for (const std::string& id : ids)
      nodes.push_back({.id = id, .name = id, .free_bytes = kPlenty});
    const Plan planned =
        plan(TestCatalog::figures(), nodes, {},
             {.instance = instance, .context = 512, .stages = stages, .head = "a"});
    CHECK(!planned.offers.empty(), planned.error->message());
    Placement placement = planned.offers[0].placements[0];
    placement.epoch = {.number = 1, .keeper = "a"};
    return placement;
  }
  static ModelSource source(const std::string& model) {
    return {.model = model, .identity = model, .path = kDemoModelName, .holders = {"a", "b"}};
  }
  void load_split() {
    for (PartNodeUnderTest* node : {a.get(), b.get()}) node->runner.load(split, source("pebble"));
    ASSERT_EQ(a->next("pebble"), "loaded");
    ASSERT_EQ(b->next("pebble"), "loaded");
  }
  void start() {
    a = std::make_unique<PartNodeUnderTest>("a", memory, boards, clock);
    b = std::make_unique<PartNodeUnderTest>("b", kPlenty, boards, clock);
  }

  SystemClock clock;
  Placement split, whole;
  Bytes memory = 0;
  Boards boards;
  std::unique_ptr<PartNodeUnderTest> a, b;
};

// Weights that wait for their next epoch must not keep a model out for half a minute.
TEST_F(PartRunnerTest, WhatIsKeptMakesRoomForAnotherModel) {
  start();
  load_split();
  const Bytes part = a->runner.reserved_bytes();
  b->runner.drop("pebble", split.epoch, /*may_return=*/false);
  ASSERT_NE(a->next("pebble"), "loaded") << "it has lost the other part";
  ASSERT_EQ(a->runner.reserved_bytes(), part) << "its weights are kept";
  std::string told;
  const auto asked = clock.monotonic();
  // At first the part that was lost may still be ending.
  while (told != "loaded" && clock.monotonic() - asked < seconds(10)) {
    ++whole.epoch.number;
    a->runner.load(whole, source("other"));
    told = a->next("other");
  }
  EXPECT_EQ(told, "loaded");
  EXPECT_EQ(a->runner.reserved_bytes(), whole.parts[0].bytes.total());
}

TEST_F(PartRunnerTest, WhatServesMakesNoRoom) {
  start();
  load_split();
  const Bytes part = a->runner.reserved_bytes();
  a->runner.load(whole, source("other"));
  EXPECT_NE(a->next("other"), "loaded");
  EXPECT_EQ(a->runner.reserved_bytes(), part);
  EXPECT_NE(a->runner.head("pebble", split.epoch.number), nullptr);
}

}  // namespace
}  // namespace drystone
