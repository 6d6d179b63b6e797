#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "net/connect.h"
#include "net/tcp_listener.h"
#include "net/test_channels.h"
#include "serve/peer/control/control_link.h"
#include "serve/peer/control/control_post.h"
#include "serve/peer/control/control_protocol.h"
#include "serve/peer/control/control_server.h"

namespace drystone {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

tcp::endpoint local(std::uint16_t port) { return {asio::ip::make_address("127.0.0.1"), port}; }

// Nova listens, atlas speaks; both on the loop of the test.
class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    server_ = std::make_unique<ControlServer>(
        loop_.get_executor(), clock_, nova_.key.public_key(),
        ControlServer::Handlers{
            .is_member = [this](const PublicKey&) { return member_; },
            .message = [this](const PublicKey& key, std::string_view text,
                              std::optional<tcp::endpoint> from) -> Result<void> {
              EXPECT_EQ(key, atlas_.key.public_key());
              messages_.emplace_back(text);
              from_ = from;
              if (text == "wrong") return Error(Errc::corrupt, "that makes no sense");
              return {};
            },
            .join = [this](std::string_view request, const cluster::JoinBinding& binding,
                           std::optional<tcp::endpoint>) -> Result<std::string> {
              binding_ = binding;
              if (request == "wrong") return Error(Errc::invalid_argument, "no such invitation");
              return "welcome, " + std::string(request);
            }});
    auto made = PeerListener::listen(
        loop_.get_executor(), *nova_.tls, clock_, {.address = "127.0.0.1", .port = 0},
        {.on_control =
             [this](std::unique_ptr<PeerStream> stream) { server_->accept(std::move(stream)); },
         .on_data = [](auto) {}});
    CHECK(made.has_value(), made.error().message());
    listener_ = *std::move(made);
    here_ = local(listener_->port());
  }
  ~ControlTest() override {
    link_.reset();
    server_.reset();
    listener_->close();
    loop_.run_for(50ms);
  }

  ControlLink& link(std::vector<tcp::endpoint> addresses) {
    link_ = std::make_unique<ControlLink>(
        loop_.get_executor(), *atlas_.tls, clock_,
        ControlLink::Options{.key = nova_.key.public_key(),
                             .our_port = 4711,
                             .addresses = [addresses = std::move(addresses)] { return addresses; },
                             .report = [this](const tcp::endpoint& address,
                                              bool worked) { reports_[address] = worked; }});
    return *link_;
  }
  bool run_until(std::function<bool()> condition, std::chrono::milliseconds within = 5s) {
    const auto deadline = clock_.monotonic() + within;
    while (!condition() && clock_.monotonic() < deadline) loop_.run_for(2ms);
    return condition();
  }
  // Over a connection of its own.
  Result<std::string> post(std::string_view path, std::string body) {
    std::optional<Result<std::string>> answer;
    asio::co_spawn(loop_, post_once(std::string(path), std::move(body), answer), asio::detached);
    EXPECT_TRUE(run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  asio::awaitable<void> post_once(std::string path, std::string body,
                                  std::optional<Result<std::string>>& answer) {
    ConnectOptions options{.policy = expect_key(nova_.key.public_key())};
    options.addresses.push_back(here_);
    auto stream = co_await connect_control(*atlas_.tls, std::move(options));
    CHECK(stream.has_value(), stream.error().message());
    const std::shared_ptr<PeerStream> shared = *std::move(stream);
    const Digest exporter = shared->exporter(kJoinExporterLabel);
    exporter_.assign(reinterpret_cast<const char*>(exporter.data()), exporter.size());
    ControlPost wanted{.path = path,
                       .body = std::move(body),
                       .last = true,
                       .within = 3s,
                       .answer_bytes_max = 1 << 20};
    auto got = co_await control_post(shared, std::move(wanted));
    answer = std::move(got);
  }

  SystemClock clock_;
  TestNode atlas_, nova_;
  asio::io_context loop_{1};
  bool member_ = true;
  std::vector<std::string> messages_;
  std::optional<tcp::endpoint> from_;
  std::optional<cluster::JoinBinding> binding_;
  std::string exporter_;
  std::map<tcp::endpoint, bool> reports_;
  std::unique_ptr<ControlServer> server_;
  std::unique_ptr<PeerListener> listener_;
  std::unique_ptr<ControlLink> link_;
  tcp::endpoint here_;
};

TEST_F(ControlTest, MessagesComeInOrderOverOneConnection) {
  std::vector<std::string> sent;
  ControlLink& to_nova = link({here_});
  for (int i = 0; i < 50; ++i) {
    sent.push_back(std::string(static_cast<std::size_t>(i) * 1000, 'x') + std::to_string(i));
    to_nova.send(sent.back());
  }
  ASSERT_TRUE(run_until([&] { return messages_.size() == sent.size(); }));
  EXPECT_EQ(messages_, sent);
  EXPECT_EQ(server_->connections(), 1U);
  EXPECT_EQ(from_, local(4711)) << "where atlas takes connections itself";
  EXPECT_TRUE(run_until([&] { return to_nova.idle(); }));
  EXPECT_EQ(reports_, (std::map<tcp::endpoint, bool>{{here_, true}}));
}

TEST_F(ControlTest, AMessageThatIsRefusedHoldsUpNoOther) {
  ControlLink& to_nova = link({here_});
  to_nova.send("wrong");
  to_nova.send("right");
  ASSERT_TRUE(run_until([&] { return messages_.size() == 2; }));
  EXPECT_EQ(messages_.back(), "right");
}

// Of two cables one is cut: the message goes over the other, and the first is known as bad.
TEST_F(ControlTest, AnAddressThatIsSilentIsNoObstacle) {
  tcp::acceptor silent(loop_, local(0));
  const tcp::endpoint cut = silent.local_endpoint();
  link({cut, here_}).send("hello");
  ASSERT_TRUE(run_until([&] { return reports_.contains(here_); }));
  EXPECT_EQ(messages_, std::vector<std::string>{"hello"});
  EXPECT_EQ(reports_, (std::map<tcp::endpoint, bool>{{cut, false}, {here_, true}}));
}

// A connection that hangs is given up before its peer would count as dead, and the message comes.
TEST_F(ControlTest, AConnectionThatWasClosedCostsNoMessage) {
  ControlLink& to_nova = link({here_});
  to_nova.send("one");
  ASSERT_TRUE(run_until([&] { return to_nova.idle(); }));
  server_->close_all_of(atlas_.key.public_key());
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
  to_nova.send("two");
  ASSERT_TRUE(run_until([&] { return messages_.size() == 2; }));
  EXPECT_EQ(messages_.back(), "two");
}

TEST_F(ControlTest, WhatWaitsForNobodyIsBounded) {
  ControlLink& to_nobody = link({});
  for (std::size_t i = 0; i < 2 * ControlLink::kMessagesMax; ++i) to_nobody.send("x");
  const std::string large(1 << 20, 'y');
  for (int i = 0; i < 20; ++i) to_nobody.send(large);
  EXPECT_FALSE(to_nobody.idle());
  EXPECT_TRUE(run_until([&] { return to_nobody.idle(); },
                        ControlLink::kMessageAgeMax + ControlLink::kBackoffMax + 2s))
      << "what is old is dropped";
}

// One text for all: a stranger cannot tell what is there.
TEST_F(ControlTest, AStrangerMayAskToJoinAndNothingElse) {
  member_ = false;
  for (const std::string_view path : {"/", "/cluster/v1/nodes", "/cluster/v1/messages"}) {
    const auto answer = post(path, "{}");
    ASSERT_TRUE(answer.is(Errc::invalid_argument)) << path;
    EXPECT_NE(answer.error().message().find("speaks to the members of its cluster only"),
              std::string::npos)
        << answer.error().message();
  }
  EXPECT_EQ(messages_.size(), 1U) << "it might be one of whom we have not heard";
  EXPECT_TRUE(post(kJoinPath, std::string(10'000, 'x')).is(Errc::invalid_argument));
  EXPECT_FALSE(binding_);

  const auto welcome = post(kJoinPath, "friend");
  ASSERT_TRUE(welcome) << welcome.error().message();
  EXPECT_EQ(*welcome, "welcome, friend");
  EXPECT_EQ(binding_->exporter, exporter_) << "both ends speak of the same connection";
  EXPECT_EQ(binding_->joining[0], static_cast<std::uint8_t>(atlas_.key.public_key().raw[0]));
  EXPECT_EQ(binding_->member[0], static_cast<std::uint8_t>(nova_.key.public_key().raw[0]));
  EXPECT_NE(post(kJoinPath, "wrong").error().message().find("no such invitation"),
            std::string::npos);
}

// A guest whose disk was full is a member that does not know it.
TEST_F(ControlTest, AMemberMayAskToJoinAgain) {
  const auto welcome = post(kJoinPath, "friend");
  ASSERT_TRUE(welcome) << welcome.error().message();
  EXPECT_EQ(*welcome, "welcome, friend");
  EXPECT_FALSE(post(kJoinPath, "wrong"));
}

TEST_F(ControlTest, AStrangerWhoAsksOftenIsToldToWait) {
  member_ = false;
  bool waits = false;
  for (int i = 0; i < 3 * ControlServer::kStrangerRequestsBurst && !waits; ++i)
    waits =
        post(kJoinPath, "wrong").error().message().find("too many requests") != std::string::npos;
  EXPECT_TRUE(waits);
  member_ = true;
  EXPECT_TRUE(post(kMessagesPath, "hello")) << "members are not held up";
}

TEST_F(ControlTest, MembersAreToldWhatIsWrong) {
  EXPECT_NE(post(kMessagesPath, "wrong").error().message().find("that makes no sense"),
            std::string::npos);
  EXPECT_NE(post("/x", "{}").error().message().find("nothing here"), std::string::npos);
  EXPECT_TRUE(post(kMessagesPath, std::string(kControlBodyBytesMax, 'x')));
  EXPECT_FALSE(post(kMessagesPath, std::string(kControlBodyBytesMax + 1, 'x')));
}

TEST(ControlProtocol, WhatARefusalSaysIsFitForATerminal) {
  EXPECT_EQ(control_error_message(control_error_json("no room\x1b[2J")), "no room [2J");
  EXPECT_EQ(control_error_message("<html>"), "it gives no reason");
  EXPECT_EQ(control_error_message(R"({"error":{"message":7}})"), "it gives no reason");
}

}  // namespace
}  // namespace drystone
