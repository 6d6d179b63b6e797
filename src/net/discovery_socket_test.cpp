#include "net/discovery_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <set>

#include "net/secret.h"
#include "net/test_bytes.h"

namespace drystone {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// These speak through the machine's own interfaces, on a port of their own.
constexpr std::uint16_t kPort = 28399;

// Of this process.
std::set<int> sockets_on(std::uint16_t port) {
  constexpr int kLooked = 1024;
  std::set<int> found;
  for (int fd = 0; fd < kLooked; ++fd) {
    sockaddr_in6 address = {};  // an IPv4 address has its port at the same place
    socklen_t size = sizeof address;
    int type = 0;
    socklen_t type_size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_DGRAM &&
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
        (address.sin6_family == AF_INET || address.sin6_family == AF_INET6) &&
        ntohs(address.sin6_port) == port)
      found.insert(fd);
  }
  return found;
}

class DiscoverySocketTest : public testing::Test {
 protected:
  std::unique_ptr<DiscoverySocket> open(DiscoverySocket::Receiver receiver,
                                        DiscoverySocket::Options options = {.port = kPort}) {
    auto socket = DiscoverySocket::open(loop_.get_executor(), clock_, std::move(options),
                                        std::move(receiver));
    CHECK(socket, socket.error().message());
    return std::move(*socket);
  }

  // Runs the loop until `done`, at most some seconds.
  template <typename Done>
  bool run_until(Done done) {
    asio::steady_timer limit(loop_, 5s);
    bool over = false;
    limit.async_wait([&](auto error) { over = !error; });
    while (!over && !done()) loop_.run_one();
    limit.cancel();
    loop_.poll();
    return done();
  }

  SystemClock clock_;
  asio::io_context loop_{1};
};

// Two nodes on one machine, as in ./run.sh, find each other without any address.
TEST_F(DiscoverySocketTest, NodesOfOneMachineHearEachOtherOnEveryInterface) {
  const auto mine = random_bytes<32>(), theirs = random_bytes<32>();
  std::set<std::string> a_heard_on, b_heard_on;
  const auto note = [](std::set<std::string>& heard_on, std::span<const std::byte> expected) {
    return [&heard_on, expected](const DiscoverySocket::Arrival& arrival) {
      if (!std::equal(arrival.packet.begin(), arrival.packet.end(), expected.begin(),
                      expected.end()))
        return;
      const char* family = arrival.from.address().is_v6() ? " v6" : " v4";
      heard_on.insert(std::string(arrival.interface) + family);
    };
  };
  const auto a = open(note(a_heard_on, theirs));
  const auto b = open(note(b_heard_on, mine));
  if (a->joined() == 0) GTEST_SKIP() << "no interface of this machine takes multicast";
  EXPECT_EQ(a->joined(), b->joined());

  const std::size_t sent = a->send(mine);
  EXPECT_EQ(b->send(theirs), sent);
  if (sent == 0) GTEST_SKIP() << "no interface of this machine sends multicast";
  EXPECT_TRUE(run_until([&] { return a_heard_on.size() == sent && b_heard_on.size() == sent; }))
      << "sent on " << sent << ", heard on " << a_heard_on.size() << " and " << b_heard_on.size();
}

TEST_F(DiscoverySocketTest, AFloodFromOneSourceIsNotHandedOn) {
  std::size_t heard = 0;
  const auto socket = open([&](const DiscoverySocket::Arrival&) { ++heard; },
                           {.port = kPort + 1, .packets_per_second = 0.001, .packets_burst = 5});
  const std::size_t sent = socket->send(random_bytes<16>());
  if (sent == 0) GTEST_SKIP() << "no interface of this machine sends multicast";
  for (int i = 0; i < 50; ++i) socket->send(random_bytes<16>());
  run_until([&] { return heard >= 5; });
  while (loop_.poll() > 0) {
  }
  EXPECT_LE(heard, 5 * sent) << "each interface's address is a source";
}

TEST_F(DiscoverySocketTest, NothingIsHandedOnAfterClose) {
  std::size_t heard = 0;
  const auto socket = open([&](const DiscoverySocket::Arrival&) { ++heard; }, {.port = kPort + 2});
  socket->send(random_bytes<16>());
  socket->close();
  EXPECT_EQ(socket->joined(), 0U);
  EXPECT_EQ(socket->send(random_bytes<16>()), 0U);
  loop_.run();  // ends, since nothing waits any more
  EXPECT_EQ(heard, 0U);
}

// The receiver may end what called it.
TEST_F(DiscoverySocketTest, TheReceiverMayLetGoOfTheSocket) {
  std::unique_ptr<DiscoverySocket> socket;
  std::size_t heard = 0;
  socket = open(
      [&](const DiscoverySocket::Arrival&) {
        ++heard;
        socket.reset();
      },
      {.port = kPort + 3});
  if (socket->send(random_bytes<16>()) == 0)
    GTEST_SKIP() << "no interface of this machine sends multicast";
  loop_.run();
  EXPECT_EQ(heard, 1U);
}

// One that cannot receive any more would be deaf for good, while its interface is there.
TEST_F(DiscoverySocketTest, ABrokenSocketIsReplaced) {
  constexpr std::uint16_t kOwnPort = kPort + 4;
  const auto first = random_bytes<16>(), second = random_bytes<16>();
  const auto sender = open([](const DiscoverySocket::Arrival&) {}, {.port = kOwnPort});
  const std::set<int> of_sender = sockets_on(kOwnPort);
  bool broken = false, heard = false;
  // Reading from what then stands in their place fails.
  const auto break_all = [&] {
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (const int fd : sockets_on(kOwnPort))
      if (!of_sender.contains(fd)) dup2(nothing, fd);
    ::close(nothing);
    broken = true;
  };
  const auto socket = open(
      [&](const DiscoverySocket::Arrival& arrival) {
        if (!broken) break_all();
        heard |=
            std::equal(arrival.packet.begin(), arrival.packet.end(), second.begin(), second.end());
      },
      {.port = kOwnPort, .rescan_every = 50ms});
  if (sender->send(first) == 0) GTEST_SKIP() << "no interface of this machine sends multicast";
  ASSERT_TRUE(run_until([&] { return broken; }));
  ASSERT_TRUE(run_until([&] { return sockets_on(kOwnPort).size() > of_sender.size(); }));
  sender->send(second);
  EXPECT_TRUE(run_until([&] { return heard; }));
}

TEST_F(DiscoverySocketTest, AGroupMustBeOne) {
  for (const auto& [v4, v6] : {std::pair("10.0.0.1", "ff02::1"), std::pair("239.1.1.1", "fe80::1"),
                               std::pair("x", "ff02::1"), std::pair("ff02::1", "239.1.1.1")})
    EXPECT_TRUE(DiscoverySocket::open(loop_.get_executor(), clock_,
                                      {.group_v4 = v4, .group_v6 = v6}, [](const auto&) {})
                    .is(Errc::invalid_argument));
}

}  // namespace
}  // namespace drystone
