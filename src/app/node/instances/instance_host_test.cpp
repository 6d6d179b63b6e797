// Several nodes in this process: real cores and engines, a network that a test can cut.
#include "app/node/instances/instance_host.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "app/load/load_engine.h"
#include "app/node/instances/test_nodes.h"
#include "serve/engine_model.h"

namespace drystone {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Bytes kPlenty = 2 * kGiB;

// An answer on its way.
struct Asked {
  std::mutex mutex;
  std::condition_variable changed;
  std::string text;
  std::optional<Result<GenerateResult>> result;

  bool wait(std::chrono::seconds within, const std::function<bool()>& done) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, within, done);
  }
  // The whole answer; what went wrong, else.
  std::string whole() {
    if (!wait(seconds(60), [&] { return result.has_value(); })) return "no end: " + text;
    return *result ? text : result->error().message();
  }
  bool wait_text(std::size_t bytes) {
    return wait(seconds(30), [&] { return text.size() >= bytes; });
  }
};

template <typename Answer>
Result<Answer> finish(const InstanceHost::Steps<Answer>& steps) {
  while (true) {
    if (auto answer = steps()) return *std::move(answer);
    std::this_thread::sleep_for(milliseconds(10));
  }
}

class InstanceHostTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!open_model(kDemoModelName)) GTEST_SKIP() << "this build has no pebble";
  }
  void TearDown() override {
    for (auto& node : nodes) node->kill();
  }

  void start(std::size_t count, Bytes free_bytes = kPlenty) {
    for (std::size_t i = 0; i < count; ++i) {
      nodes.push_back(std::make_unique<TestNode>(network, i + 1, clock));
      if (i == 0)
        nodes[0]->found();
      else
        nodes[i]->join(*nodes[0], "n" + std::to_string(i + 1));
    }
    for (auto& node : nodes) {
      node->measured_within = measured_within;
      node->begin(free_bytes);
    }
  }
  static DesiredInstance wish(std::optional<std::uint32_t> stages,
                              std::optional<std::uint32_t> shards = std::nullopt) {
    return {.context = 512, .streams = 2, .stages = stages, .shards = shards};
  }
  // Asked again while nodes do not know of each other's figures yet.
  std::string load(TestNode& node, const DesiredInstance& desired) {
    std::string why;
    for (int i = 0; i < 100; ++i) {
      const auto loaded = finish(node.instances->load(kDemoModelName, desired));
      if (loaded) return "";
      why = loaded.error().message();
      std::this_thread::sleep_for(milliseconds(100));
    }
    return why;
  }
  // The instance as this node sees it, when it is as wanted; null: it never was.
  json::value wait_for(TestNode& node, const std::function<bool(const json::object&)>& wanted) {
    for (int i = 0; i < 400; ++i) {
      const auto all = node.instances->instances();
      if (all)
        for (const json::value& one : *all)
          if (wanted(one.as_object())) return one;
      std::this_thread::sleep_for(milliseconds(50));
    }
    return nullptr;
  }
  json::value wait_ready(TestNode& node, std::int64_t epoch_min = 1) {
    return wait_for(node, [&](const json::object& one) {
      return one.at("state") == "ready" && one.at("epoch").to_number<std::int64_t>() >= epoch_min;
    });
  }
  std::unique_ptr<Asked> ask(TestNode& node, std::uint32_t tokens = 200) {
    auto asked = std::make_unique<Asked>();
    std::optional<HeldModel> held;
    for (int i = 0; i < 200 && !held; ++i) {
      if (auto found = node.models->find(kDemoModelName)) held = *found;
      if (!held) std::this_thread::sleep_for(milliseconds(50));
    }
    if (!held) {
      asked->result = Error(Errc::unavailable, "not served");
      return asked;
    }
    Asked* out = asked.get();
    GenerateRequest request{.prompt = held->model().text_prompt("Once upon a time"),
                            .tokens_max = tokens,
                            .sampling = {.temperature = 0},
                            .ignore_eos = true};
    const auto id = held->model().jobs().submit({.client = "test",
                                                 .request = std::move(request),
                                                 .on_delta =
                                                     [out](const Delta& delta) {
                                                       const std::lock_guard lock(out->mutex);
                                                       out->text += delta.text;
                                                       out->changed.notify_all();
                                                     },
                                                 .on_done =
                                                     [out, held](Result<GenerateResult> result) {
                                                       const std::lock_guard lock(out->mutex);
                                                       out->result = std::move(result);
                                                       out->changed.notify_all();
                                                     }});
    if (!id) asked->result = id.error();
    return asked;
  }
  TestNode& node_of(const json::value& id) {
    for (auto& node : nodes)
      if (node->self() == id.as_string()) return *node;
    CHECK(false);
  }
  // One that is none of these.
  TestNode& other_than(std::initializer_list<const TestNode*> taken) {
    for (auto& node : nodes)
      if (std::ranges::find(taken, node.get()) == taken.end()) return *node;
    CHECK(false);
  }
  static std::string expected(std::uint32_t tokens = 200) {
    const auto device = *make_device(1);
    const auto engine = *Engine::load(*open_model(kDemoModelName), *device, {.context = 512});
    std::string text;
    const auto prompt = make_engine_model(*engine, SystemClock())->text_prompt("Once upon a time");
    const auto result = engine->generate({.prompt = prompt,
                                          .tokens_max = tokens,
                                          .sampling = {.temperature = 0},
                                          .ignore_eos = true},
                                         [&](const Delta& delta) { text += delta.text; }, {});
    CHECK(result);
    return text;
  }

  FiguresWait::Limits measured_within{};
  SystemClock clock;
  TestNetwork network;
  std::vector<std::unique_ptr<TestNode>> nodes;
};

// Of two that ask at once each can tell whose wish it is that stands.
TEST_F(InstanceHostTest, EveryInstanceTellsWhichWishItAnswers) {
  start(1);
  const auto first = finish(nodes[0]->instances->load(kDemoModelName, wish(1)));
  ASSERT_TRUE(first) << first.error().message();
  DesiredInstance other = wish(1);
  other.context = 256;
  const auto second = finish(nodes[0]->instances->load(kDemoModelName, other));
  ASSERT_TRUE(second);
  EXPECT_GT(second->desired.asked, first->desired.asked);
  const json::array all = *nodes[0]->instances->instances();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(*desired_from_json(all[0].at("wish")), second->desired);
}

// The promise to whoever asks: it does not matter which node, nor where the model is.
TEST_F(InstanceHostTest, EveryNodeServesWhatIsSplitOverAll) {
  start(3);
  ASSERT_EQ(load(*nodes[1], wish(3)), "");
  const json::value ready = wait_ready(*nodes[2]);
  ASSERT_TRUE(ready.is_object());
  EXPECT_EQ(ready.at("parts").as_array().size(), 3u);
  const std::string text = expected();
  for (auto& node : nodes) EXPECT_EQ(ask(*node)->whole(), text);

  EXPECT_TRUE(nodes[0]->instances->reserved_bytes() > 0);
  for (auto& node : nodes) EXPECT_EQ(node->catalog->wanted(), std::set<std::string>{"1"});
  ASSERT_TRUE(nodes[0]->instances->unload(kDemoModelName));
  for (int i = 0; i < 200 && nodes[2]->instances->reserved_bytes() > 0; ++i)
    std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(nodes[2]->instances->reserved_bytes(), 0u);
  EXPECT_FALSE(nodes[2]->models->find(kDemoModelName));
  EXPECT_EQ(nodes[2]->catalog->wanted(), std::set<std::string>());
  const json::array unloaded = *nodes[2]->instances->unloaded();
  ASSERT_EQ(unloaded.size(), 1u);
  EXPECT_EQ(unloaded[0].at("model"), kDemoModelName);
  EXPECT_EQ(unloaded[0].at("name"), "n1") << "who was asked";
}

// A client of the head or the worker that is left, and one of a third node, see a pause and then
// the same text.
class LostNodes : public InstanceHostTest {
 protected:
  void survive(bool head_is_lost) {
    start(3);
    ASSERT_EQ(load(*nodes[0], wish(2)), "");
    const json::value ready = wait_ready(*nodes[0]);
    ASSERT_TRUE(ready.is_object());
    TestNode& head = node_of(ready.at("head"));
    TestNode& worker = node_of(ready.at("parts").at(1).at("node"));
    TestNode& third = other_than({&head, &worker});
    const auto at_left = ask(head_is_lost ? worker : head), at_third = ask(third);
    ASSERT_TRUE(at_third->wait_text(40));
    (head_is_lost ? head : worker).kill();
    const std::string text = expected();
    EXPECT_EQ(at_left->whole(), text);
    EXPECT_EQ(at_third->whole(), text);
  }
};
TEST_F(LostNodes, AnAnswerSurvivesAWorker) { survive(/*head_is_lost=*/false); }
TEST_F(LostNodes, AnAnswerSurvivesItsHead) { survive(/*head_is_lost=*/true); }

// Links that break cost a moment, not minutes of loading: the weights are there still.
TEST_F(InstanceHostTest, PartsStayInMemoryWhenLinksBreak) {
  start(2);
  ASSERT_EQ(load(*nodes[0], wish(2)), "");
  ASSERT_TRUE(wait_ready(*nodes[0]).is_object());
  const auto asked = ask(*nodes[0]);
  ASSERT_TRUE(asked->wait_text(40));
  const Bytes reserved = nodes[1]->instances->reserved_bytes();
  network.break_streams();
  ASSERT_TRUE(wait_ready(*nodes[0], 2).is_object());
  EXPECT_EQ(asked->whole(), expected());
  for (auto& node : nodes) EXPECT_EQ(node->catalog->opened, 1);
  EXPECT_EQ(nodes[1]->instances->reserved_bytes(), reserved);
  ASSERT_TRUE(nodes[0]->instances->unload(kDemoModelName));
  for (int i = 0; i < 200 && nodes[1]->instances->reserved_bytes() > 0; ++i)
    std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(nodes[1]->instances->reserved_bytes(), 0u) << "kept though nobody wants it";
}

// A model that one node holds whole needs nobody: a new epoch changes nothing for it.
TEST_F(InstanceHostTest, AWholeModelGoesOnUnderTheNextEpoch) {
  start(1);
  ASSERT_EQ(load(*nodes[0], wish(std::nullopt)), "");
  const json::value ready = wait_ready(*nodes[0]);
  ASSERT_TRUE(ready.is_object());
  const auto asked = ask(*nodes[0], 400);
  ASSERT_TRUE(asked->wait_text(40));
  nodes[0]->place_again(kDemoModelName);
  ASSERT_TRUE(wait_ready(*nodes[0], ready.at("epoch").to_number<std::int64_t>() + 1).is_object());
  EXPECT_EQ(asked->whole(), expected(400));
  EXPECT_EQ(nodes[0]->catalog->opened, 1);
}

// After a power cut of all machines the cluster comes back serving what it served.
TEST_F(InstanceHostTest, ComesBackServingWhatItServed) {
  start(2);
  ASSERT_EQ(load(*nodes[0], wish(2)), "");
  ASSERT_TRUE(wait_ready(*nodes[1]).is_object());
  std::vector<std::string> saved;
  for (auto& node : nodes) saved.push_back(node->kill());
  nodes.clear();
  for (std::size_t i = 0; i < saved.size(); ++i) {
    nodes.push_back(std::make_unique<TestNode>(network, i + 1, clock));
    nodes[i]->restore(saved[i]);
  }
  for (auto& node : nodes) node->begin(kPlenty);
  ASSERT_TRUE(wait_ready(*nodes[0], 2).is_object());
  EXPECT_EQ(ask(*nodes[1])->whole(), expected());
}

// Nobody waits for ever: where the rest cannot hold the model, the answer ends and says why.
TEST_F(InstanceHostTest, AnAnswerEndsWhenNothingFitsAnyMore) {
  const ModelFigures figures = TestCatalog::figures();
  const NodeFigures one{.id = "a", .name = "a", .free_bytes = kPlenty};
  const NodeFigures other{.id = "b", .name = "b", .free_bytes = kPlenty};
  const auto most = [&](std::uint32_t stages) {
    Bytes bytes = 0;
    const Plan planned = plan(figures, {one, other}, {}, wish(stages).request("pebble"));
    for (const NodeShare& share : planned.offers.at(0).nodes)
      bytes = std::max(bytes, share.bytes.total());
    return bytes;
  };
  const Bytes whole = most(1), part = most(2);
  ASSERT_GT(whole, part);
  start(2, (whole + part) / 2);
  ASSERT_EQ(load(*nodes[0], wish(std::nullopt)), "");
  const json::value ready = wait_ready(*nodes[0]);
  ASSERT_TRUE(ready.is_object());
  TestNode& head = node_of(ready.at("head"));
  const auto asked = ask(head, 400);
  ASSERT_TRUE(asked->wait_text(40));
  other_than({&head}).kill();
  const std::string end = asked->whole();
  EXPECT_NE(end.find("needs"), std::string::npos) << end;
  ASSERT_TRUE(asked->result && !*asked->result);
}

TEST_F(InstanceHostTest, SpreadsOverReplicas) {
  start(2);
  DesiredInstance twice = wish(1, 1);
  twice.replicas = 2;
  ASSERT_EQ(load(*nodes[0], twice), "");
  const auto both = wait_for(*nodes[1], [&](const json::object& one) {
    return one.at("instance") == "pebble#1" && one.at("state") == "ready";
  });
  ASSERT_TRUE(both.is_object());
  ASSERT_TRUE(wait_ready(*nodes[1]).is_object());
  const std::string text = expected();
  std::vector<std::unique_ptr<Asked>> all;
  for (int i = 0; i < 6; ++i) all.push_back(ask(*nodes[1]));
  for (const auto& asked : all) EXPECT_EQ(asked->whole(), text);
}

TEST_F(InstanceHostTest, SaysWhichNodeFailedAndWhy) {
  start(1);
  nodes[0]->catalog->refuse = true;
  ASSERT_EQ(load(*nodes[0], wish(std::nullopt)), "");
  const json::value failed =
      wait_for(*nodes[0], [](const json::object& one) { return one.at("state") == "failed"; });
  ASSERT_TRUE(failed.is_object());
  EXPECT_EQ(failed.at("parts").at(0).at("error"), "the disk is full");
  EXPECT_EQ(failed.at("parts").at(0).at("name"), "n1");
  nodes[0]->catalog->refuse = false;
  EXPECT_TRUE(wait_ready(*nodes[0], 2).is_object()) << "it is tried again";
}

// A person who has mended it does not wait for the next try of the cluster.
TEST_F(InstanceHostTest, AskingAgainBeginsAtOnce) {
  start(1);
  nodes[0]->catalog->refuse = true;
  ASSERT_EQ(load(*nodes[0], wish(std::nullopt)), "");
  const json::value failed = wait_for(*nodes[0], [](const json::object& one) {
    return one.at("state") == "failed" && one.at("epoch").to_number<int>() >= 4;
  });
  ASSERT_TRUE(failed.is_object());  // the next try is 8 s away
  nodes[0]->catalog->refuse = false;
  ASSERT_EQ(load(*nodes[0], wish(std::nullopt)), "");
  const auto asked = clock.monotonic();
  EXPECT_TRUE(wait_ready(*nodes[0]).is_object());
  EXPECT_LT(clock.monotonic() - asked, seconds(5));
}

// Who loads in the moment in which a node has come waits for its figures, and is told so.
TEST_F(InstanceHostTest, ALoadWaitsForWhatIsBeingMeasured) {
  measured_within = {.within = milliseconds(300), .on_its_way = milliseconds(300)};
  start(1);
  std::this_thread::sleep_for(milliseconds(500));
  const auto loaded = finish(nodes[0]->instances->load(kDemoModelName, wish(std::nullopt)));
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(loaded->waited, "waited 0.3 s for figures of n1: planned without");
  EXPECT_EQ(finish(nodes[0]->instances->load(kDemoModelName, wish(std::nullopt)))->waited, "")
      << "they did not come the last time";
}

// Two people load in the moment in which a node has come: the second does not wait for the first.
TEST_F(InstanceHostTest, LoadsThatWaitHoldUpNoOther) {
  measured_within = {.within = seconds(60), .on_its_way = seconds(60)};
  start(1);
  auto first = nodes[0]->instances->load(kDemoModelName, wish(1));
  auto second = nodes[0]->instances->load("no-such-model", wish(1));
  const auto begun = clock.monotonic();
  EXPECT_FALSE(first());
  const auto refused = second();
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->is(Errc::not_found));
  EXPECT_FALSE(first());
  EXPECT_LT(clock.monotonic() - begun, seconds(10));
  EXPECT_TRUE(nodes[0]->instances->instances()->empty()) << "nobody asks any more: nothing is done";
}

// What can never fit is said at once, with figures, and changes nothing.
TEST_F(InstanceHostTest, RefusesWhatNeverFits) {
  start(1, 1 * kMiB);
  std::this_thread::sleep_for(milliseconds(500));
  const auto loaded = finish(nodes[0]->instances->load(kDemoModelName, wish(std::nullopt)));
  ASSERT_TRUE(loaded.is(Errc::out_of_memory));
  EXPECT_NE(loaded.error().message().find("needs"), std::string::npos) << loaded.error().message();
  EXPECT_TRUE(nodes[0]->instances->instances()->empty());
  EXPECT_TRUE(nodes[0]->instances->unload(kDemoModelName).is(Errc::not_found));
}

}  // namespace
}  // namespace drystone
