#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drystone {

// Asks a running node over its API, for commands. Calls block.
class NodeClient {
 public:
  static constexpr std::size_t kAnswerBytesMax = 64 << 20;
  static constexpr std::string_view kDefaultUrl = "http://127.0.0.1:8080";

  // `url`: "http://127.0.0.1:8080", or https. `key`: sent along if it is not empty. `ca_file`: whom
  // to trust with https (trust_tls).
  // Errors: invalid_argument (no such form; a file without https), those of trust_tls.
  static Result<NodeClient> make(const std::string& url, std::string key = {},
                                 const std::string& ca_file = {});

  const std::string& url() const { return url_; }
  // Whether anything takes connections there; 2 s at most.
  bool listens() const;

  // The JSON of the answer. Errors: unavailable (nothing answers there, or accepts and says nothing
  // `within` the time), invalid_argument,
  // not_found, ... with the node's own message (it refuses), corrupt (no node's answer).
  Result<boost::json::value> get(const std::string& path,
                                 std::chrono::milliseconds within = std::chrono::seconds(10)) const;
  Result<boost::json::value> post(
      const std::string& path, const boost::json::object& body,
      std::chrono::milliseconds within = std::chrono::seconds(40)) const;

  // An answer that comes as server-sent events: hands the data of each to `sink`, until the stream
  // ends. A stop is seen within a quarter of a second.
  // Errors: as post(); cancelled; unavailable also when nothing comes for kSilenceMax; those of
  // `sink`, which end it.
  static constexpr std::chrono::minutes kSilenceMax{2};  // the node says something every 15 s
  Result<void> post_events(const std::string& path, const boost::json::object& body,
                           const std::function<Result<void>(std::string_view data)>& sink,
                           std::stop_token stop) const;

 private:
  struct Exchange;
  NodeClient(std::string url, std::string host, std::string port, std::string key,
             std::shared_ptr<boost::asio::ssl::context> tls)
      : url_(std::move(url)),
        host_(std::move(host)),
        port_(std::move(port)),
        key_(std::move(key)),
        tls_(std::move(tls)) {}
  Result<boost::json::value> ask(bool is_post, const std::string& path, std::string body,
                                 std::chrono::milliseconds within) const;
  Result<void> secure(Exchange& exchange) const;  // TLS over a connection
  Result<void> connect(Exchange& exchange) const;
  // Connects and sends the request.
  Result<void> begin(Exchange& exchange, bool is_post, const std::string& path,
                     std::string body) const;
  Error unreachable(const std::string& why) const;
  // After the connection stood: of what ended it, or that nothing came within the exchange's time.
  Error broken(const Exchange& exchange, const boost::system::error_code& why) const;
  Result<boost::json::value> answer_of(Exchange& exchange, const std::string& path) const;

  std::string url_, host_, port_, key_;
  std::shared_ptr<boost::asio::ssl::context> tls_;  // null: http
};

}  // namespace drystone
