#include "app/node/api/node_client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace drystone {
namespace {

using boost::asio::ip::tcp;

// A frozen process still accepts: whoever is told that no node is there starts a second one.
TEST(NodeClient, ToldApartAreAFrozenNodeAndNone) {
  boost::asio::io_context loop;
  const auto any = tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0);
  std::optional<tcp::acceptor> frozen(std::in_place, loop, any);
  const std::string url = fmt::format("http://127.0.0.1:{}", frozen->local_endpoint().port());
  const auto ask = [&] {
    return NodeClient::make(url)->get("/cluster/v1/nodes", std::chrono::milliseconds(200));
  };
  const auto silent = ask();
  ASSERT_TRUE(silent.is(Errc::unavailable));
  const std::string said = silent.error().message();
  EXPECT_TRUE(said.starts_with(
      fmt::format("something accepts connections at {}, but has not answered within 0.2 s", url)))
      << said;
  frozen.reset();
  const auto none = ask();
  ASSERT_TRUE(none.is(Errc::unavailable));
  EXPECT_TRUE(none.error().message().starts_with("no node answers at " + url))
      << none.error().message();
}

}  // namespace
}  // namespace drystone
