#include "app/node/node_client.h"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <optional>

#include "net/address_order.h"

namespace drystone {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;

namespace {

Errc code_of(unsigned status) {
  switch (status) {
    case 404:
      return Errc::not_found;
    case 409:
    case 429:
      return Errc::limit;
    case 503:
      return Errc::unavailable;
    case 501:
      return Errc::unsupported;
    default:
      return status < 500 ? Errc::invalid_argument : Errc::io;
  }
}

// The message of {"error": {"message"}}.
std::string message_of(const json::value& body) {
  const json::object* outer = body.if_object();
  const json::value* error = outer ? outer->if_contains("error") : nullptr;
  const json::object* inner = error ? error->if_object() : nullptr;
  const json::value* message = inner ? inner->if_contains("message") : nullptr;
  const json::string* text = message ? message->if_string() : nullptr;
  return text ? std::string(*text) : std::string();
}

// One exchange on a loop of its own, so that all of it has one deadline.
struct Exchange {
  explicit Exchange(std::chrono::milliseconds within) : stream(loop) {
    stream.expires_after(within);
    parser.body_limit(NodeClient::kAnswerBytesMax);
  }
  // Runs one step; the error it ended with.
  template <typename Start>
  beast::error_code step(Start start) {
    beast::error_code result;
    start([&](const beast::error_code& error, auto&&...) { result = error; });
    loop.restart();
    loop.run();
    return result;
  }

  asio::io_context loop;
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
};

}  // namespace

Result<NodeClient> NodeClient::make(const std::string& url, std::string key) {
  constexpr std::string_view kScheme = "http://";
  if (url.starts_with("https://"))
    return Error(Errc::unsupported, fmt::format("{}: commands speak to nodes over http on this "
                                                "machine; https is not supported",
                                                url));
  std::string_view rest = url;
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  while (rest.ends_with('/')) rest.remove_suffix(1);
  auto parsed = parse_host_port(rest);
  if (!parsed)
    return Error(Errc::invalid_argument, fmt::format("--api {}: {}. Write it as {}", url,
                                                     parsed.error().message(), kDefaultUrl));
  return NodeClient("http://" + std::string(rest), parsed->host, std::to_string(parsed->port),
                    std::move(key));
}

Result<json::value> NodeClient::get(const std::string& path,
                                    std::chrono::milliseconds within) const {
  return ask(false, path, {}, within);
}

Result<json::value> NodeClient::post(const std::string& path, const json::object& body,
                                     std::chrono::milliseconds within) const {
  return ask(true, path, json::serialize(body), within);
}

Result<json::value> NodeClient::ask(bool is_post, const std::string& path, std::string body,
                                    std::chrono::milliseconds within) const {
  const auto unreachable = [&](const beast::error_code& error) {
    return Error(Errc::unavailable,
                 fmt::format("no node answers at {}: {}. `drystone up` starts one; --api URL names "
                             "another",
                             url_, error.message()));
  };
  Exchange exchange(within);
  beast::error_code error;
  asio::ip::tcp::resolver resolver(exchange.loop);
  const auto addresses = resolver.resolve(host_, port_, error);
  if (error) return unreachable(error);
  error = exchange.step([&](auto done) { exchange.stream.async_connect(addresses, done); });
  if (error) return unreachable(error);

  http::request<http::string_body> request(is_post ? http::verb::post : http::verb::get, path, 11);
  request.set(http::field::host, host_.find(':') == std::string::npos
                                     ? fmt::format("{}:{}", host_, port_)
                                     : fmt::format("[{}]:{}", host_, port_));
  if (!key_.empty()) request.set(http::field::authorization, "Bearer " + key_);
  request.keep_alive(false);
  if (is_post) {
    request.set(http::field::content_type, "application/json");
    request.body() = std::move(body);
    request.prepare_payload();
  }
  error = exchange.step([&](auto done) { http::async_write(exchange.stream, request, done); });
  if (error) return unreachable(error);
  error = exchange.step([&](auto done) {
    http::async_read(exchange.stream, exchange.buffer, exchange.parser, done);
  });
  if (error) return unreachable(error);

  const auto& answer = exchange.parser.get();
  boost::system::error_code wrong;
  json::value parsed = json::parse(answer.body(), wrong);
  if (answer.result_int() >= 300) {
    std::string message = wrong ? std::string() : message_of(parsed);
    if (message.empty())
      message = fmt::format("{} answers {} to {}", url_, answer.result_int(), path);
    return Error(code_of(answer.result_int()), message);
  }
  if (wrong)
    return Error(Errc::corrupt, fmt::format("what answers at {} is no node of drystone: {}", url_,
                                            wrong.message()));
  return parsed;
}

}  // namespace drystone
