#include "cluster/core/cluster_core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "cluster/members/invitation_code.h"
#include "cluster/wire/test_crypto.h"

namespace drystone::cluster {
namespace {

using Kind = ClusterEvent::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Nodes of one cluster on a network that loses nothing. tests/sim is about networks that do.
class Cluster {
 public:
  struct Node {
    explicit Node(std::uint64_t seed) : crypto(seed) {}
    TestCrypto crypto;
    std::unique_ptr<ClusterCore> core;
    std::vector<ClusterEvent> events;
    bool up = true;
  };

  explicit Cluster(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      nodes_.push_back(std::make_unique<Node>(i + 1));
      if (i == 0) {
        nodes_[0]->core = *ClusterCore::found("n0", nodes_[0]->crypto, options(), wall());
      } else {
        EXPECT_EQ(join(i, 0, invite(0)), "");
      }
    }
    run(seconds(2));
  }

  Node& operator[](std::size_t i) { return *nodes_[i]; }
  ClusterCore& core(std::size_t i) { return *nodes_[i]->core; }
  NodeId id(std::size_t i) { return core(i).self(); }
  ClusterCore::Wall wall() const { return ClusterCore::Wall(seconds(1'800'000'000)) + now_; }
  std::int64_t wall_s() const { return 1'800'000'000 + now_ / seconds(1); }
  ClusterCore::Options options() { return {.start = ++starts_, .seed = starts_}; }
  std::size_t add() {
    nodes_.push_back(std::make_unique<Node>(nodes_.size() + 1));
    return nodes_.size() - 1;
  }

  InvitationSecret invite(std::size_t by, std::uint32_t uses = 1) {
    return *core(by).invite({.expires_s = wall_s() + 600, .uses = uses}, wall());
  }
  JoinBinding binding(std::size_t guest, std::size_t host) {
    return {.exporter = std::string(32, static_cast<char>('a' + guest)),
            .joining = nodes_[guest]->crypto.public_key(),
            .member = nodes_[host]->crypto.public_key()};
  }
  // The message why not, or "".
  std::string join(std::size_t guest, std::size_t host, const InvitationSecret& secret) {
    Node& node = *nodes_[guest];
    const JoinBinding bound = binding(guest, host);
    const JoinRequest request =
        make_join_request(secret, "n" + std::to_string(guest), bound, node.crypto);
    const auto answer = core(host).answer_join(to_json(request), bound, wall());
    if (!answer) return answer.error().message();
    const JoinWelcome welcome = *parse_join_welcome(*answer);
    auto members = accept_welcome(welcome, secret, bound, node.crypto);
    if (!members) return members.error().message();
    node.core = *ClusterCore::joined(*std::move(members), welcome, node.crypto, options(), wall());
    return "";
  }

  void run(Time duration) {
    for (const Time end = now_ + duration; now_ < end; now_ += milliseconds(50)) {
      for (auto& node : nodes_)
        if (node->up && node->core) node->core->tick(now_, wall());
      for (int hops = 0; hops < 3; ++hops) deliver();
    }
  }
  void deliver() {
    std::vector<std::pair<NodeId, Outgoing>> all;
    for (auto& node : nodes_) {
      if (!node->up || !node->core) continue;
      for (Outgoing& out : node->core->take_outbox())
        all.emplace_back(node->core->self(), std::move(out));
      for (ClusterEvent& event : node->core->take_events())
        node->events.push_back(std::move(event));
    }
    for (auto& [from, out] : all)
      for (auto& node : nodes_)
        if (node->up && node->core && node->core->self() == out.to) {
          const auto taken = node->core->receive(from, out.text, now_);
          if (!taken) refused.push_back(taken.error().message());
        }
  }
  bool has_event(std::size_t at, Kind kind, const NodeId& node) {
    return std::ranges::count(nodes_[at]->events, ClusterEvent{kind, node, {}}) > 0;
  }
  std::vector<std::string> refused;  // messages that a node did not take, and why

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
  Time now_ = seconds(50);
  std::uint64_t starts_ = 0;
};

TEST(ClusterCore, ThoseWhoJoinFindEachOther) {
  Cluster cluster(4);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(cluster.core(i).members().members().size(), 4U);
    EXPECT_EQ(cluster.core(i).alive().size(), 4U);
    EXPECT_TRUE(cluster.core(i).settled());
    EXPECT_EQ(cluster.core(i).discovery_keys(), cluster.core(0).discovery_keys());
  }
  EXPECT_EQ(cluster.core(0).discovery_keys().size(), 1U);
  EXPECT_TRUE(cluster.has_event(1, Kind::member_added, cluster.id(3)));
  EXPECT_TRUE(cluster.has_event(1, Kind::node_alive, cluster.id(3)));
  for (const std::string& message : cluster.refused)
    EXPECT_TRUE(message.ends_with("it is no member")) << message;
}

TEST(ClusterCore, WhatOneWritesAllReadWithinATick) {
  Cluster cluster(3);
  ASSERT_TRUE(cluster.core(1).put("want/pebble", R"({"context":4096})", cluster.wall()));
  cluster.run(milliseconds(100));
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(cluster.core(i).get("want/pebble")) << i;
    const ClusterEvent expected{Kind::key_changed, {}, "want/pebble"};
    EXPECT_EQ(std::ranges::count(cluster[i].events, expected), 1) << i;
  }
  ASSERT_TRUE(cluster.core(2).erase("want/pebble", cluster.wall()));
  cluster.run(milliseconds(100));
  EXPECT_EQ(cluster.core(0).get("want/pebble"), nullptr);
}

// Whoever removes a node removes its traces and all by which it might come back.
TEST(ClusterCore, ARemovedNodeIsOutEverywhere) {
  Cluster cluster(4);
  ASSERT_TRUE(cluster.core(3).put(own_key(cluster.id(3), "memory"), "1", cluster.wall()));
  const InvitationSecret open = cluster.invite(3, 5);
  cluster.run(seconds(1));
  const SecretKey old_key = cluster.core(0).discovery_keys()[0];
  EXPECT_EQ(cluster.core(0).invitations(cluster.wall()).size(), 1U);

  ASSERT_TRUE(cluster.core(1).remove(cluster.id(3), cluster.wall()));
  cluster.run(milliseconds(200));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(cluster.core(i).members().is_member(cluster.id(3)));
    EXPECT_EQ(cluster.core(i).alive().size(), 3U);
    EXPECT_TRUE(cluster.core(i).list(own_key(cluster.id(3), "")).empty());
    EXPECT_TRUE(cluster.has_event(i, Kind::member_removed, cluster.id(3)));
    EXPECT_NE(cluster.core(i).discovery_keys()[0], old_key);
    EXPECT_EQ(cluster.core(i).discovery_keys()[1], old_key);
    EXPECT_TRUE(cluster.core(i).invitations(cluster.wall()).empty());
  }
  EXPECT_TRUE(cluster.has_event(3, Kind::removed_self, cluster.id(3))) << "it is told";
  EXPECT_TRUE(cluster.core(3).put("want/x", "1", cluster.wall())) << "to itself only";
  cluster.run(seconds(2));
  EXPECT_EQ(cluster.core(0).get("want/x"), nullptr);

  // With a new key, by the invitation that it had made.
  const std::size_t back = cluster.add();
  EXPECT_EQ(cluster.join(back, 0, open),
            "the invitation is void, because a node has gone since it was made: ask for a new one");
  EXPECT_EQ(cluster.join(3, 0, cluster.invite(0)),
            "the key of this node was removed from the cluster, for ever: it needs a new one");
  EXPECT_EQ(cluster.join(back, 0, cluster.invite(0)), "");
  EXPECT_TRUE(cluster.core(1).remove("nobody", cluster.wall()).is(Errc::not_found));
}

// ... nor does it fill the lists of the others with what it signs.
TEST(ClusterCore, WhatARemovedNodeSignsIsNeitherKeptNorPassedOn) {
  Cluster cluster(3);
  ASSERT_TRUE(cluster.core(0).remove(cluster.id(2), cluster.wall()));
  cluster.run(seconds(1));
  const TestCrypto& signer = cluster[2].crypto;
  Message message;
  message.cluster = cluster.core(0).members().cluster();
  MemberEntry entry{.key = TestCrypto(99).public_key(),
                    .name = "intruder",
                    .added_at = 5,
                    .added_by = signer.public_key()};
  entry.signature = signer.sign(signed_bytes(message.cluster, entry));
  message.entries.push_back(entry);
  EXPECT_TRUE(cluster.core(0)
                  .receive(cluster.id(2), to_texts(message)[0], seconds(60))
                  .is(Errc::invalid_argument));
  for (const Outgoing& out : cluster.core(0).take_outbox())
    EXPECT_EQ(out.text.find("intruder"), std::string::npos) << out.to;
  EXPECT_EQ(to_text(cluster.core(0).snapshot()).find("intruder"), std::string::npos);
}

// ... nor calls those whom it had let in by other names.
TEST(ClusterCore, ARemovedNodeChangesNothingOfWhatItHadSigned) {
  Cluster cluster(3);
  const std::size_t guest = cluster.add();
  ASSERT_EQ(cluster.join(guest, 2, cluster.invite(2)), "");
  cluster.run(seconds(1));
  ASSERT_TRUE(cluster.core(0).remove(cluster.id(2), cluster.wall()));
  cluster.run(seconds(1));
  ASSERT_TRUE(cluster.core(0).members().is_member(cluster.id(guest))) << "it is kept";
  const TestCrypto& signer = cluster[2].crypto;
  Message message;
  message.cluster = cluster.core(0).members().cluster();
  MemberEntry entry{.key = cluster[guest].crypto.public_key(),
                    .name = "n0",
                    .added_at = 1,  // so that it would hold against the one of before
                    .added_by = signer.public_key()};
  entry.signature = signer.sign(signed_bytes(message.cluster, entry));
  message.entries.push_back(entry);
  const Digest before = cluster.core(0).members().digest();
  (void)cluster.core(0).take_outbox();
  (void)cluster.core(0).take_unsaved();
  EXPECT_TRUE(cluster.core(0)
                  .receive(cluster.id(2), to_texts(message)[0], seconds(60))
                  .is(Errc::invalid_argument));
  EXPECT_EQ(cluster.core(0).members().digest(), before);
  EXPECT_EQ(cluster.core(0).members().find(cluster.id(guest))->name, "n3");
  EXPECT_FALSE(cluster.core(0).take_unsaved());
}

// It was away, knows nobody's address any more, and is only heard in the network.
TEST(ClusterCore, WhoIsHeardOfAndWasPutOutIsTold) {
  Cluster cluster(3);
  cluster[2].up = false;
  ASSERT_TRUE(cluster.core(0).remove(cluster.id(2), cluster.wall()));
  cluster.run(seconds(20));
  cluster[2].up = true;
  ASSERT_TRUE(cluster.core(0).take_outbox().empty());
  cluster.core(0).heard_of(cluster.id(1), seconds(80));
  EXPECT_TRUE(cluster.core(0).take_outbox().empty()) << "to a member there is nothing to tell";
  cluster.core(0).heard_of(cluster.id(2), seconds(80));
  cluster.core(0).heard_of(cluster.id(2), seconds(81));
  const auto outbox = cluster.core(0).take_outbox();
  ASSERT_EQ(outbox.size(), 1U);
  EXPECT_EQ(outbox[0].to, cluster.id(2));
  ASSERT_TRUE(cluster.core(2).receive(cluster.id(0), outbox[0].text, seconds(80)));
  EXPECT_FALSE(cluster.core(2).members().is_member(cluster.id(2)));
}

// ... though its disk has forgotten whom it let in, and the removal keeps them.
TEST(ClusterCore, WhoWasPutOutIsToldWithWhatTheRemovalKeeps) {
  Cluster cluster(2);
  const std::string before = cluster.core(1).saved();
  const std::size_t guest = cluster.add();
  ASSERT_EQ(cluster.join(guest, 1, cluster.invite(1)), "");
  cluster.run(seconds(1));
  cluster[1].core =
      *ClusterCore::restore(before, cluster[1].crypto, cluster.options(), cluster.wall());
  cluster[1].up = false;
  ASSERT_TRUE(cluster.core(0).remove(cluster.id(1), cluster.wall()));
  (void)cluster.core(0).take_outbox();
  cluster.core(0).heard_of(cluster.id(1), seconds(80));
  const auto outbox = cluster.core(0).take_outbox();
  ASSERT_EQ(outbox.size(), 1U);
  const auto taken = cluster.core(1).receive(cluster.id(0), outbox[0].text, seconds(80));
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_FALSE(cluster.core(1).members().is_member(cluster.id(1)));
  EXPECT_TRUE(cluster.core(0).members().is_member(cluster.id(guest)));
}

TEST(ClusterCore, ANodeLeavesTheCluster) {
  Cluster cluster(3);
  ASSERT_TRUE(cluster.core(2).remove(cluster.id(2), cluster.wall()));
  cluster.run(milliseconds(200));
  EXPECT_EQ(cluster.core(0).members().members().size(), 2U);
  EXPECT_TRUE(cluster.has_event(2, Kind::removed_self, cluster.id(2)));
}

TEST(ClusterCore, AnInvitationLetsInAsManyAsItSays) {
  Cluster cluster(2);
  const InvitationSecret secret = cluster.invite(0, 2);
  cluster.run(milliseconds(200));
  const std::size_t a = cluster.add(), b = cluster.add(), c = cluster.add();
  EXPECT_EQ(cluster.join(a, 1, secret), "");
  EXPECT_EQ(cluster.join(a, 1, secret), "") << "the same node again uses nothing up";
  cluster.run(milliseconds(200));
  EXPECT_EQ(cluster.core(0).invitations(cluster.wall())[0].used, 1U);
  EXPECT_EQ(cluster.join(b, 0, secret), "");
  cluster.run(milliseconds(200));
  EXPECT_EQ(cluster.join(c, 1, secret),
            "the invitation is used up: it let in 2 of 2; ask for a new one");
  EXPECT_TRUE(cluster.core(1).invitation_discovery_keys(cluster.wall()).empty());
}

TEST(ClusterCore, AnInvitationEndsInTime) {
  Cluster cluster(2);
  const InvitationSecret secret = cluster.invite(0);
  EXPECT_EQ(cluster.core(0).invitation_discovery_keys(cluster.wall()).size(), 1U);
  cluster.run(seconds(601));
  EXPECT_EQ(cluster.join(cluster.add(), 1, secret),
            "the invitation has expired: ask for a new one");
  cluster.run(seconds(620));
  EXPECT_TRUE(cluster.core(1).list(kInvitationPrefix).empty()) << "swept away";
  EXPECT_TRUE(cluster.core(0)
                  .invite({.expires_s = cluster.wall_s()}, cluster.wall())
                  .is(Errc::invalid_argument));
}

TEST(ClusterCore, AnInvitationCanBeWithdrawn) {
  Cluster cluster(2);
  const InvitationSecret secret = cluster.invite(0);
  cluster.run(milliseconds(200));
  const std::string id = cluster.core(1).invitations(cluster.wall())[0].id;
  EXPECT_TRUE(cluster.core(1).withdraw("", cluster.wall()).is(Errc::not_found)) << "names none";
  EXPECT_TRUE(cluster.core(1).withdraw("zzzz", cluster.wall()).is(Errc::not_found));
  const auto withdrawn = cluster.core(1).withdraw(id.substr(0, 4), cluster.wall());
  ASSERT_TRUE(withdrawn) << withdrawn.error().message();
  EXPECT_EQ(*withdrawn, id);
  cluster.run(milliseconds(200));
  const std::string refused = cluster.join(cluster.add(), 0, secret);
  EXPECT_TRUE(refused.starts_with("this cluster has no such invitation")) << refused;
}

// A guest whose disk was full asks again, with the same key and the same code.
TEST(ClusterCore, AskingAgainUsesNothingUp) {
  Cluster cluster(1);
  const InvitationSecret secret = cluster.invite(0);  // for one
  const std::size_t guest = cluster.add();
  const JoinBinding bound = cluster.binding(guest, 0);
  const auto ask = [&] {
    const auto request = make_join_request(secret, "guest", bound, cluster[guest].crypto);
    return cluster.core(0).answer_join(to_json(request), bound, cluster.wall());
  };
  ASSERT_TRUE(ask());
  const auto again = ask();
  EXPECT_TRUE(again) << again.error().message();
  EXPECT_EQ(cluster.core(0).members().members().size(), 2U);
  const std::string other = cluster.join(cluster.add(), 0, secret);
  EXPECT_TRUE(other.starts_with("the invitation is used up: it let in 1 of 1")) << other;
}

// What stands in the way can be got rid of, by commands that exist.
TEST(ClusterCore, TooManyInvitationsNameTheWayOut) {
  Cluster cluster(1);
  const auto invite = [&] {
    return cluster.core(0).invite({.expires_s = cluster.wall_s() + 600}, cluster.wall());
  };
  for (std::size_t i = 0; i < kInvitationsMax; ++i) ASSERT_TRUE(invite());
  const auto refused = invite();
  ASSERT_TRUE(refused.is(Errc::limit));
  EXPECT_NE(refused.error().message().find("drystone invite --withdraw ID"), std::string::npos);
  const std::string id = cluster.core(0).invitations(cluster.wall())[0].id;
  ASSERT_TRUE(cluster.core(0).withdraw(id, cluster.wall()));
  EXPECT_TRUE(invite());
}

// A stranger cannot tell whether an invitation exists whose secret it does not know.
TEST(ClusterCore, AStrangerLearnsNothing) {
  Cluster cluster(1);
  const InvitationSecret secret = cluster.invite(0);
  const std::size_t stranger = cluster.add();
  const JoinBinding bound = cluster.binding(stranger, 0);
  InvitationSecret guess = secret;
  guess[0] ^= 1;
  const std::string unknown = cluster.join(stranger, 0, guess);
  JoinRequest request = make_join_request(guess, "x", bound, cluster[stranger].crypto);
  request.invitation = invitation_id(secret, cluster[stranger].crypto);
  const auto wrong = cluster.core(0).answer_join(to_json(request), bound, cluster.wall());
  EXPECT_EQ(wrong.error().message(), unknown);

  // A proof from another connection is worth nothing here.
  request = make_join_request(secret, "x", bound, cluster[stranger].crypto);
  JoinBinding other = bound;
  other.exporter = std::string(32, 'z');
  EXPECT_EQ(cluster.core(0).answer_join(to_json(request), other, cluster.wall()).error().message(),
            unknown);
  Message hello;
  hello.cluster = cluster.core(0).members().cluster();
  const NodeId id = node_id(bound.joining, cluster[0].crypto);
  (void)cluster.core(0).take_outbox();
  EXPECT_TRUE(
      cluster.core(0).receive(id, to_texts(hello)[0], seconds(60)).is(Errc::invalid_argument));
  EXPECT_TRUE(cluster.core(0).take_outbox().empty()) << "not even an answer";
}

// Nodes 1 and 2 never meet until the one who let both in is gone.
TEST(ClusterCore, WhoWasAwayBelievesThoseWhoCameMeanwhile) {
  Cluster cluster(2);
  cluster[1].up = false;
  const std::size_t late = cluster.add();
  ASSERT_EQ(cluster.join(late, 0, cluster.invite(0)), "");
  cluster.run(seconds(1));
  cluster[0].up = false;
  cluster[1].up = true;
  cluster.run(seconds(8));
  EXPECT_EQ(cluster.core(1).state(cluster.id(late)), NodeState::alive);
  EXPECT_EQ(cluster.core(late).state(cluster.id(1)), NodeState::alive);
  EXPECT_EQ(cluster.core(1).members().members().size(), 3U);
}

// After a power cut each node begins with what it had on disk.
TEST(ClusterCore, ComesBackWithWhatItSaved) {
  Cluster cluster(3);
  ASSERT_TRUE(cluster.core(0).put("want/pebble", "1", cluster.wall()));
  ASSERT_TRUE(cluster.core(1).put(own_key(cluster.id(1), "parts"), "[1]", cluster.wall()));
  cluster.run(milliseconds(200));
  std::vector<std::string> saved;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(cluster.core(i).take_unsaved());
    EXPECT_FALSE(cluster.core(i).take_unsaved());
    saved.push_back(cluster.core(i).saved());
  }
  for (std::size_t i = 0; i < 3; ++i) {
    auto core =
        ClusterCore::restore(saved[i], cluster[i].crypto, cluster.options(), cluster.wall());
    ASSERT_TRUE(core) << core.error().message();
    cluster[i].core = *std::move(core);
    EXPECT_EQ(*cluster.core(i).get("want/pebble"), "1");
  }
  cluster[2].up = false;  // comes a little later
  cluster.run(seconds(1));
  EXPECT_FALSE(cluster.core(0).settled()) << "who knows what node 2 did meanwhile";
  cluster[2].up = true;
  cluster.run(seconds(3));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(cluster.core(i).settled());
    EXPECT_EQ(cluster.core(i).alive().size(), 3U);
    EXPECT_EQ(cluster.core(i).get(own_key(cluster.id(1), "parts")), nullptr)
        << "what was loaded is not loaded any more";
  }
  EXPECT_TRUE(cluster.core(0).take_unsaved() || true);
  EXPECT_TRUE(ClusterCore::restore("{}", cluster[0].crypto, {}, cluster.wall()).is(Errc::corrupt));
}

// A file that holds what nobody would take today is no reason not to start.
TEST(ClusterCore, ComesBackWithoutEntriesAbsurdlyAhead) {
  Cluster cluster(1);
  ASSERT_TRUE(cluster.core(0).put("want/pebble", "1", cluster.wall()));
  SavedCluster saved = cluster.core(0).snapshot();
  for (const std::string& key : {std::string("want/x"), own_key(cluster.id(0), "parts")})
    saved.state.push_back({.key = key, .value = "1", .version = {kCounterMax, cluster.id(0)}});
  auto core =
      ClusterCore::restore(to_text(saved), cluster[0].crypto, cluster.options(), cluster.wall());
  ASSERT_TRUE(core) << core.error().message();
  EXPECT_EQ(*(*core)->get("want/pebble"), "1");
  EXPECT_EQ((*core)->get("want/x"), nullptr);
  EXPECT_TRUE((*core)->put("want/y", "1", cluster.wall())) << "and writes";
}

// What a node measures of itself changes all the time: no reason to write to the disk.
TEST(ClusterCore, OwnKeysAloneAreNotWorthSaving) {
  Cluster cluster(2);
  (void)cluster.core(0).take_unsaved();
  (void)cluster.core(1).take_unsaved();
  ASSERT_TRUE(cluster.core(0).put(own_key(cluster.id(0), "heat"), "51", cluster.wall()));
  cluster.run(seconds(1));
  EXPECT_TRUE(cluster.core(1).get(own_key(cluster.id(0), "heat")));
  EXPECT_FALSE(cluster.core(0).take_unsaved());
  EXPECT_FALSE(cluster.core(1).take_unsaved());
}

TEST(ClusterCore, AMessageOfAnotherClusterIsRefused) {
  Cluster cluster(2);
  Message foreign;
  foreign.cluster = {9};
  const auto taken = cluster.core(0).receive(cluster.id(1), to_texts(foreign)[0], seconds(60));
  EXPECT_TRUE(taken.is(Errc::corrupt));
  EXPECT_TRUE(taken.error().message().ends_with("it is of another cluster"));
}

}  // namespace
}  // namespace drystone::cluster
