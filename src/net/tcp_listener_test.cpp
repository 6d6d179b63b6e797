#include "net/tcp_listener.h"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <thread>

#include "net/connect.h"
#include "net/test_bytes.h"
#include "net/test_channels.h"

namespace drystone {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr StreamWait kLong{.within = 20s};
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

tcp::endpoint local(std::uint16_t port) { return {asio::ip::make_address("127.0.0.1"), port}; }

// A listening node whose loop runs on a thread of its own.
class ListenerTest : public testing::Test {
 protected:
  void listen(PeerListener::Options options = {}) {
    options.address = "127.0.0.1";
    options.port = 0;
    auto made = PeerListener::listen(
        loop_.get_executor(), *nova_.tls, clock_, options,
        {.on_control = [this](std::unique_ptr<PeerStream> stream) { serve(std::move(stream)); },
         .on_data =
             [this](std::unique_ptr<DataStream> stream) { data_.set_value(std::move(stream)); }});
    ASSERT_TRUE(made) << made.error().message();
    listener_ = std::move(*made);
    port_ = listener_->port();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~ListenerTest() override {
    asio::post(loop_, [this] {
      for (auto& stream : control_) stream->close();
      listener_.reset();
      work_.reset();
    });
    if (!thread_.joinable()) loop_.poll();
    if (thread_.joinable()) thread_.join();
  }

  // Answers each line with the same line.
  void serve(std::unique_ptr<PeerStream> stream) {
    control_.push_back(std::move(stream));
    asio::co_spawn(loop_, echo(*control_.back()), asio::detached);
  }
  static asio::awaitable<void> echo(PeerStream& stream) {
    std::vector<std::byte> bytes(64 << 10);
    while (true) {
      const auto [error, size] = co_await stream.async_read_some(asio::buffer(bytes), kAsTuple);
      if (error) co_return;
      const auto [failed, wrote] =
          co_await asio::async_write(stream, asio::buffer(bytes, size), kAsTuple);
      if (failed) co_return;
    }
  }

  Result<std::unique_ptr<DataStream>> connect(ConnectOptions options) {
    return connect_data(*atlas_.tls, clock_, options, stop_);
  }
  // Waits for what runs on the loop.
  template <typename Body>
  auto on_loop(Body body) {
    return asio::co_spawn(loop_, std::move(body), asio::use_future).get();
  }
  std::size_t handshakes() {
    return on_loop([this]() -> asio::awaitable<std::size_t> { co_return listener_->handshakes(); });
  }

  SystemClock clock_;
  std::atomic<bool> member_ = true;
  TestNode atlas_;
  TestNode nova_{[this](const TlsPeer&) { return member_.load(); }};
  std::atomic<bool> stop_ = false;
  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
  std::unique_ptr<PeerListener> listener_;
  std::uint16_t port_ = 0;
  std::promise<std::unique_ptr<DataStream>> data_;
  std::vector<std::unique_ptr<PeerStream>> control_;
  std::thread thread_;
};

TEST_F(ListenerTest, ADataConnectionComesAsAStreamForThreads) {
  listen();
  auto ours = connect({.addresses = {local(port_)}});
  ASSERT_TRUE(ours) << ours.error().message();
  auto theirs = data_.get_future().get();
  EXPECT_EQ((*ours)->peer().key, nova_.key.public_key());
  EXPECT_EQ(theirs->peer().key, atlas_.key.public_key());
  EXPECT_TRUE((*ours)->peer().address.starts_with("127.0.0.1:"));

  const auto bytes = pattern(100'000, 1);
  std::thread writer([&] { ASSERT_TRUE((*ours)->write(bytes, kLong)); });
  std::vector<std::byte> got(bytes.size());
  ASSERT_TRUE(theirs->read(got, kLong));
  writer.join();
  EXPECT_EQ(got, bytes);
}

TEST_F(ListenerTest, AControlConnectionComesAsAStreamForTheLoop) {
  listen();
  const auto bytes = pattern(300'000, 1);
  const ConnectOptions options{.addresses = {local(port_)}};
  const auto got = on_loop([&]() -> asio::awaitable<std::vector<std::byte>> {
    auto stream = co_await connect_control(*atlas_.tls, options);
    CHECK(stream, stream.error().message());
    CHECK((*stream)->peer_key() == nova_.key.public_key());
    std::vector<std::byte> got(bytes.size());
    // In pieces, so that neither side has to hold all of it.
    for (std::size_t at = 0; at < bytes.size(); at += 30'000) {
      const std::vector<asio::const_buffer> pieces = {asio::buffer(bytes.data() + at, 10),
                                                      asio::const_buffer(),
                                                      asio::buffer(bytes.data() + at + 10, 29'990)};
      co_await asio::async_write(**stream, pieces, asio::use_awaitable);
      co_await asio::async_read(**stream, asio::buffer(got.data() + at, 30'000),
                                asio::use_awaitable);
    }
    co_return got;
  });
  EXPECT_EQ(got, bytes);
}

TEST_F(ListenerTest, AClosedControlStreamEndsItsOperations) {
  listen();
  const ConnectOptions options{.addresses = {local(port_)}};
  const auto error = on_loop([&]() -> asio::awaitable<boost::system::error_code> {
    auto stream = co_await connect_control(*atlas_.tls, options);
    CHECK(stream, stream.error().message());
    asio::post(loop_, [&] { (*stream)->close(); });
    char byte;
    const auto [error, bytes] =
        co_await (*stream)->async_read_some(asio::buffer(&byte, 1), kAsTuple);
    co_return error;
  });
  EXPECT_EQ(error, asio::error::operation_aborted);
}

// In TLS 1.3 a client is through before its key was looked at: connect_data() waits for the answer.
TEST_F(ListenerTest, WhoIsNoMemberIsToldWhenConnecting) {
  listen();
  member_ = false;
  const auto stream = connect({.addresses = {local(port_)}});
  ASSERT_TRUE(stream.is(Errc::unavailable));
  EXPECT_NE(stream.error().message().find("refuses this node's key"), std::string::npos)
      << stream.error().message();
}

TEST_F(ListenerTest, WhoIsNotTheExpectedPeerIsRefused) {
  listen();
  const auto stream =
      connect({.addresses = {local(port_)}, .policy = expect_key(NodeKey::make().public_key())});
  ASSERT_TRUE(stream.is(Errc::unavailable));
  EXPECT_TRUE(connect({.addresses = {local(port_)}, .policy = expect_key(nova_.key.public_key())}));
}

// A peer with two cables, one of them cut, is still there.
TEST_F(ListenerTest, AnAddressThatFailsIsNoObstacle) {
  listen();
  tcp::acceptor silent(loop_, local(0));  // takes connections and says nothing
  const std::uint16_t silent_port = silent.local_endpoint().port();
  const ConnectOptions options{.addresses = {local(1), local(silent_port), local(port_)},
                               .next_after = 20ms};
  const auto data = connect(options);
  EXPECT_TRUE(data) << data.error().message();
  const auto why = on_loop([&]() -> asio::awaitable<std::string> {
    auto stream = co_await connect_control(*atlas_.tls, options);
    co_return stream ? "" : stream.error().message();
  });
  EXPECT_EQ(why, "");
}

TEST_F(ListenerTest, WhenNoAddressAnswersTheErrorSaysWhyForEach) {
  listen();
  tcp::acceptor silent(loop_, local(0));
  const std::uint16_t silent_port = silent.local_endpoint().port();
  const ConnectOptions options{
      .addresses = {local(1), local(silent_port)}, .within = 60ms, .next_after = 5ms};
  const auto data = connect(options);
  ASSERT_TRUE(data.is(Errc::unavailable));
  EXPECT_NE(data.error().message().find("within 60 ms"), std::string::npos);
  EXPECT_NE(data.error().message().find("127.0.0.1:1: connecting: "), std::string::npos)
      << data.error().message();
  const auto why = on_loop([&]() -> asio::awaitable<std::string> {
    auto stream = co_await connect_control(*atlas_.tls, options);
    co_return stream ? "" : stream.error().message();
  });
  EXPECT_NE(why.find("within 60 ms"), std::string::npos) << why;
  EXPECT_TRUE(connect({.addresses = {}}).is(Errc::invalid_argument));
  EXPECT_TRUE(connect({.addresses = {local(1)}}).is(Errc::unavailable));
}

TEST_F(ListenerTest, ConnectingCanBeGivenUp) {
  listen();
  tcp::acceptor silent(loop_, local(0));
  stop_ = true;
  EXPECT_TRUE(connect({.addresses = {local(silent.local_endpoint().port())}}).is(Errc::cancelled));
}

// Who connects and says nothing must not keep members out, nor stay.
TEST_F(ListenerTest, SilentStrangersAreLetGo) {
  listen({.handshakes_max = 4, .handshake_within = 100ms});
  std::vector<tcp::socket> strangers;
  for (int i = 0; i < 20; ++i) {
    strangers.emplace_back(loop_);
    strangers.back().connect(local(port_));
  }
  EXPECT_LE(handshakes(), 4U);
  const auto stream = connect({.addresses = {local(port_)}});
  EXPECT_TRUE(stream) << stream.error().message();
  for (auto& stranger : strangers) {
    char byte;
    boost::system::error_code error;
    stranger.read_some(asio::buffer(&byte, 1), error);
    EXPECT_TRUE(error);
  }
  while (handshakes() != 0) std::this_thread::yield();
}

TEST_F(ListenerTest, OneAddressHasNoMoreHandshakesThanItsShare) {
  listen({.handshakes_per_address_max = 2, .handshake_within = 100ms});
  std::vector<tcp::socket> strangers;
  for (int i = 0; i < 10; ++i) {
    strangers.emplace_back(loop_);
    strangers.back().connect(local(port_));
    EXPECT_LE(handshakes(), 2U);
  }
  while (handshakes() != 0) std::this_thread::yield();
  const auto stream = connect({.addresses = {local(port_)}});
  EXPECT_TRUE(stream) << stream.error().message();
}

TEST_F(ListenerTest, APortInUseIsSaid) {
  listen();
  const auto second = PeerListener::listen(loop_.get_executor(), *nova_.tls, clock_,
                                           {.address = "127.0.0.1", .port = port_},
                                           {.on_control = [](auto) {}, .on_data = [](auto) {}});
  ASSERT_TRUE(second.is(Errc::io));
  EXPECT_NE(second.error().message().find("in use"), std::string::npos);
  EXPECT_TRUE(PeerListener::listen(loop_.get_executor(), *nova_.tls, clock_, {.address = "x"},
                                   {.on_control = [](auto) {}, .on_data = [](auto) {}})
                  .is(Errc::invalid_argument));
}

TEST_F(ListenerTest, AllAddressesAreBothFamilies) {
  auto all = PeerListener::listen(loop_.get_executor(), *nova_.tls, clock_, {.port = 0},
                                  {.on_control = [](auto) {}, .on_data = [](auto) {}});
  ASSERT_TRUE(all) << all.error().message();
  tcp::socket v4(loop_);
  boost::system::error_code error;
  EXPECT_FALSE(v4.connect(local((*all)->port()), error)) << error.message();
  tcp::socket v6(loop_);
  v6.connect({asio::ip::make_address("::1"), (*all)->port()}, error);
  if (error == asio::error::address_family_not_supported ||
      error == asio::error::network_unreachable ||
      error == boost::system::errc::address_not_available)
    GTEST_SKIP() << "this machine has no IPv6";
  EXPECT_FALSE(error) << error.message();
}

}  // namespace
}  // namespace drystone
