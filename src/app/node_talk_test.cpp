#include "app/cli/node_talk.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <thread>

namespace drystone {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Answers every request with the same.
class SameAnswer {
 public:
  SameAnswer(int status, std::string_view body)
      : answer_(fmt::format("HTTP/1.1 {} Said\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                            status, body.size(), body)),
        thread_([this] { serve(); }) {}
  ~SameAnswer() {
    ending_ = true;
    tcp::socket last(loop_);
    boost::system::error_code ignored;
    last.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  NodeClient client() const {
    return *NodeClient::make(fmt::format("http://127.0.0.1:{}", acceptor_.local_endpoint().port()));
  }

 private:
  void serve() {
    while (true) {
      tcp::socket socket(loop_);
      boost::system::error_code error;
      acceptor_.accept(socket, error);
      if (error || ending_) return;
      std::string asked;
      asio::read_until(socket, asio::dynamic_buffer(asked), "\r\n\r\n", error);
      if (!error) asio::write(socket, asio::buffer(answer_), error);
    }
  }

  asio::io_context loop_;
  tcp::acceptor acceptor_{loop_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
  const std::string answer_;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

TEST(NodeTalk, ANodeSaysWhatItServes) {
  const SameAnswer node(200, R"([{"instance": "mid", "model": "mid", "state": "ready"}])");
  EXPECT_TRUE(*serves_if_there(node.client(), "mid"));
  EXPECT_FALSE(*serves_if_there(node.client(), "other"));
}

// Whoever has forgotten the key must not be told that there is no such file.
TEST(NodeTalk, ANodeThatDoesNotSayIsNotPassedOver) {
  const SameAnswer node(401, R"({"error": {"message": "This server needs a key.",
                                           "type": "invalid_request_error",
                                           "code": "invalid_api_key"}})");
  const auto refused = serves_if_there(node.client(), "mid");
  ASSERT_TRUE(refused.is(Errc::invalid_argument));
  EXPECT_NE(refused.error().message().find("This server needs a key. $DRYSTONE_API_KEY"),
            std::string::npos)
      << refused.error().message();

  asio::io_context loop;
  const tcp::acceptor silent(loop, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
  const auto busy = serves_if_there(
      *NodeClient::make(fmt::format("http://127.0.0.1:{}", silent.local_endpoint().port())), "mid",
      std::chrono::milliseconds(100));
  ASSERT_TRUE(busy.is(Errc::unavailable));
  EXPECT_NE(busy.error().message().find("has not answered within 0.1 s"), std::string::npos);
}

// What this process can run itself it runs, whatever else listens on the port.
TEST(NodeTalk, WhatIsNoNodeIsPassedOver) {
  const SameAnswer engine(404, R"({"error": {"message": "there is no such path",
                                             "type": "invalid_request_error",
                                             "code": "not_found"}})");
  EXPECT_FALSE(*serves_if_there(engine.client(), "pebble"));
  const SameAnswer other(403, "<html>Log in first</html>");
  EXPECT_FALSE(*serves_if_there(other.client(), "pebble"));
  asio::io_context loop;
  std::optional<tcp::acceptor> gone(std::in_place, loop,
                                    tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
  const auto nobody =
      *NodeClient::make(fmt::format("http://127.0.0.1:{}", gone->local_endpoint().port()));
  gone.reset();
  EXPECT_FALSE(*serves_if_there(nobody, "pebble"));
}

}  // namespace
}  // namespace drystone
