#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <map>
#include <memory>
#include <string>

namespace drystone {

struct TestReply {
  int status = 0;                              // 0: the connection ended without a reply
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  boost::json::value json() const { return boost::json::parse(body); }
};

// A blocking client over a real socket, which can also misbehave.
class TestClient {
 public:
  explicit TestClient(std::uint16_t port) {
    socket_.connect({boost::asio::ip::make_address("127.0.0.1"), port});
  }

  void write(std::string_view text) { boost::asio::write(socket_, boost::asio::buffer(text)); }

  void send(const std::string& method, const std::string& target, const std::string& body = "",
            const std::string& headers = "") {
    write(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
          (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" +
          body);
  }

  TestReply ask(const std::string& method, const std::string& target, const std::string& body = "",
                const std::string& headers = "") {
    send(method, target, body, headers);
    return read(method == "HEAD");
  }

  TestReply read_head() {
    TestReply reply;
    const std::string head = read_until("\r\n\r\n");
    if (head.empty()) return reply;
    reply.status = std::stoi(head.substr(9, 3));
    for (std::size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
      const std::size_t end = head.find("\r\n", at), colon = head.find(": ", at);
      std::string name = head.substr(at, colon - at);
      std::transform(name.begin(), name.end(), name.begin(), ::tolower);
      reply.headers[name] = head.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    return reply;
  }

  TestReply read(bool head_only = false) {
    TestReply reply = read_head();
    if (head_only) return reply;
    if (reply.headers.contains("content-length"))
      reply.body = read_bytes(std::stoul(reply.headers["content-length"]));
    if (reply.headers["transfer-encoding"] == "chunked")
      while (true) {
        const std::string chunk = read_chunk();
        if (chunk.empty()) break;
        reply.body += chunk;
      }
    return reply;
  }

  // The data of the next chunk; "" for the last one, or the end.
  std::string read_chunk() {
    const std::string size = read_until("\r\n");
    if (size.empty()) return {};
    const std::size_t bytes = std::stoul(size, nullptr, 16);
    return read_bytes(bytes + 2).substr(0, bytes);
  }

  std::string read_to_end() {
    boost::system::error_code error;
    boost::asio::read(socket_, boost::asio::dynamic_buffer(buffer_), error);
    return std::exchange(buffer_, {});
  }

  void close() { socket_.close(); }
  boost::asio::ip::tcp::socket& socket() { return socket_; }

 private:
  std::string read_until(std::string_view end) {
    boost::system::error_code error;
    const std::size_t bytes =
        boost::asio::read_until(socket_, boost::asio::dynamic_buffer(buffer_), end, error);
    return error ? std::string() : take(bytes);
  }
  std::string read_bytes(std::size_t bytes) {
    boost::system::error_code error;
    if (buffer_.size() < bytes)
      boost::asio::read(socket_, boost::asio::dynamic_buffer(buffer_),
                        boost::asio::transfer_at_least(bytes - buffer_.size()), error);
    return take(std::min(bytes, buffer_.size()));
  }
  std::string take(std::size_t bytes) {
    std::string out = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return out;
  }

  std::unique_ptr<boost::asio::io_context> loop_ = std::make_unique<boost::asio::io_context>();
  boost::asio::ip::tcp::socket socket_{*loop_};
  std::string buffer_;
};

}  // namespace drystone
