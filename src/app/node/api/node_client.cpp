#include "app/node/api/node_client.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <optional>

#include "net/address_order.h"
#include "serve/http/tls_identity.h"

namespace drystone {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;

namespace {

const json::object* error_of(const json::value& body) {
  const json::object* outer = body.if_object();
  const json::value* error = outer ? outer->if_contains("error") : nullptr;
  return error ? error->if_object() : nullptr;
}

std::string text_of(const json::object* object, std::string_view key) {
  const json::value* value = object ? object->if_contains(key) : nullptr;
  const json::string* text = value ? value->if_string() : nullptr;
  return text ? std::string(*text) : std::string();
}

// The code that a node of ours names; of other refusals, what their status says.
Errc code_of(const json::value& body, unsigned status) {
  const std::string name = text_of(error_of(body), "code");
  for (int code = 0; code <= static_cast<int>(Errc::busy); ++code)
    if (name == to_string(static_cast<Errc>(code))) return static_cast<Errc>(code);
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

// The message of {"error": {"message"}}, or of {"error": "message"}, as Ollama's clients have it.
std::string message_of(const json::value& body) {
  if (const json::object* error = error_of(body)) return text_of(error, "message");
  return text_of(body.if_object(), "error");
}

}  // namespace

// One exchange on a loop of its own, so that all of it has one deadline.
struct NodeClient::Exchange {
  explicit Exchange(std::chrono::milliseconds limit) : within(limit), stream(loop) {
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

  // What goes over the connection, in TLS where there is some.
  template <typename Request, typename Done>
  void write(Request& request, Done done) {
    if (tls)
      http::async_write(*tls, request, done);
    else
      http::async_write(stream, request, done);
  }
  template <typename Done>
  void read(Done done) {
    if (tls)
      http::async_read(*tls, buffer, parser, done);
    else
      http::async_read(stream, buffer, parser, done);
  }
  template <typename Done>
  void read_some(Done done) {
    if (tls)
      http::async_read_some(*tls, buffer, parser, done);
    else
      http::async_read_some(stream, buffer, parser, done);
  }

  const std::chrono::milliseconds within;
  asio::io_context loop;
  beast::tcp_stream stream;
  std::optional<asio::ssl::stream<beast::tcp_stream&>> tls;
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
};

Result<NodeClient> NodeClient::make(const std::string& url, std::string key,
                                    const std::string& ca_file) {
  constexpr std::string_view kPlain = "http://", kSecure = "https://";
  const bool secure = url.starts_with(kSecure);
  std::string_view rest = url;
  if (secure || rest.starts_with(kPlain)) rest.remove_prefix((secure ? kSecure : kPlain).size());
  while (rest.ends_with('/')) rest.remove_suffix(1);
  auto parsed = parse_host_port(rest);
  if (!parsed)
    return Error(
        Errc::invalid_argument,
        fmt::format("--api '{}' is no http://HOST:PORT or https://HOST:PORT; it looks like {}", url,
                    kDefaultUrl));
  std::shared_ptr<asio::ssl::context> tls;
  if (secure) tls = TRY(trust_tls(ca_file));
  if (!secure && !ca_file.empty())
    return Error(Errc::invalid_argument,
                 fmt::format("--api-ca {} is of use with --api https://HOST:PORT alone", ca_file));
  return NodeClient(std::string(secure ? kSecure : kPlain) + std::string(rest), parsed->host,
                    std::to_string(parsed->port), std::move(key), std::move(tls));
}

Result<json::value> NodeClient::get(const std::string& path,
                                    std::chrono::milliseconds within) const {
  return ask(false, path, {}, within);
}

Result<json::value> NodeClient::post(const std::string& path, const json::object& body,
                                     std::chrono::milliseconds within) const {
  return ask(true, path, json::serialize(body), within);
}

Error NodeClient::unreachable(const std::string& why) const {
  return {
      Errc::unavailable,
      fmt::format("no node answers at {}: {}. `drystone up` starts one; --api URL names another",
                  url_, why)};
}

Error NodeClient::broken(const Exchange& exchange, const boost::system::error_code& why) const {
  if (why != beast::error::timeout) return unreachable(why.message());
  return {
      Errc::unavailable,
      fmt::format("something accepts connections at {}, but has not answered within {} s. If it "
                  "is a node, its process is stopped or its machine overloaded: look at what "
                  "it printed last, and at its processor and disk (`top`); --api URL names "
                  "another node",
                  url_, std::chrono::duration<double>(exchange.within).count())};
}

Result<void> NodeClient::secure(Exchange& exchange) const {
  auto& tls = exchange.tls.emplace(exchange.stream, *tls_);
  boost::system::error_code is_name;
  asio::ip::make_address(host_, is_name);
  if (is_name) SSL_set_tlsext_host_name(tls.native_handle(), host_.c_str());
  tls.set_verify_callback(asio::ssl::host_name_verification(host_));
  const auto error =
      exchange.step([&](auto done) { tls.async_handshake(asio::ssl::stream_base::client, done); });
  if (!error) return {};
  const long verdict = SSL_get_verify_result(tls.native_handle());
  if (error.category() != asio::error::get_ssl_category() ||
      ERR_GET_REASON(static_cast<unsigned long>(error.value())) != SSL_R_CERTIFICATE_VERIFY_FAILED)
    return broken(exchange, error);
  // A certificate that is good, but another's, has no verdict of its own.
  const bool is_good = verdict == X509_V_OK || verdict == X509_V_ERR_UNSPECIFIED;
  return Error(Errc::unavailable,
               fmt::format("{} cannot be trusted: {}. --api-ca FILE names the certificate, or the "
                           "authority, that is",
                           url_,
                           is_good ? fmt::format("its certificate is not for {}", host_)
                                   : X509_verify_cert_error_string(verdict)));
}

Result<void> NodeClient::connect(Exchange& exchange) const {
  beast::error_code error;
  asio::ip::tcp::resolver resolver(exchange.loop);
  const auto addresses = resolver.resolve(host_, port_, error);
  if (error) return unreachable(error.message());
  error = exchange.step([&](auto done) { exchange.stream.async_connect(addresses, done); });
  if (error) return unreachable(error.message());
  return {};
}

bool NodeClient::listens() const {
  Exchange exchange(std::chrono::seconds(2));
  return connect(exchange).has_value();
}

Result<void> NodeClient::begin(Exchange& exchange, bool is_post, const std::string& path,
                               std::string body) const {
  TRY(connect(exchange));
  if (tls_ != nullptr) TRY(secure(exchange));

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
  const auto error = exchange.step([&](auto done) { exchange.write(request, done); });
  if (error) return broken(exchange, error);
  return {};
}

Result<json::value> NodeClient::answer_of(Exchange& exchange, const std::string& path) const {
  const auto& answer = exchange.parser.get();
  boost::system::error_code wrong;
  json::value parsed = json::parse(answer.body(), wrong);
  if (answer.result_int() >= 300) {
    std::string message = wrong ? std::string() : message_of(parsed);
    // A node says why it refuses.
    if (message.empty() && answer.result_int() < 500)
      return Error(Errc::corrupt, fmt::format("what answers at {} is no node of drystone: {} to {}",
                                              url_, answer.result_int(), path));
    if (message.empty())
      message = fmt::format("{} answers {} to {}", url_, answer.result_int(), path);
    return Error(code_of(parsed, answer.result_int()), message);
  }
  if (wrong)
    return Error(Errc::corrupt, fmt::format("what answers at {} is no node of drystone: {}", url_,
                                            wrong.message()));
  return parsed;
}

Result<json::value> NodeClient::ask(bool is_post, const std::string& path, std::string body,
                                    std::chrono::milliseconds within) const {
  Exchange exchange(within);
  TRY(begin(exchange, is_post, path, std::move(body)));
  const auto error = exchange.step([&](auto done) { exchange.read(done); });
  if (error) return broken(exchange, error);
  return answer_of(exchange, path);
}

Result<void> NodeClient::post_events(const std::string& path, const json::object& body,
                                     const std::function<Result<void>(std::string_view)>& sink,
                                     std::stop_token stop) const {
  constexpr std::chrono::milliseconds kStopEvery{250};
  Exchange exchange(kSilenceMax);
  TRY(begin(exchange, true, path, json::serialize(body)));
  auto& parser = exchange.parser;
  parser.body_limit(boost::none);
  std::string events;  // not handed out yet
  const auto hand_out = [&]() -> Result<void> {
    for (std::size_t end = 0; (end = events.find('\n')) != std::string::npos;) {
      std::string line = events.substr(0, end);
      events.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      constexpr std::string_view kData = "data:";
      if (!line.starts_with(kData)) continue;
      std::string_view data = std::string_view(line).substr(kData.size());
      if (data.starts_with(' ')) data.remove_prefix(1);
      TRY(sink(data));
    }
    if (events.size() > kAnswerBytesMax) return Error(Errc::limit, "an event without an end");
    return {};
  };
  while (!parser.is_done()) {
    exchange.stream.expires_after(kSilenceMax);
    bool done = false;
    beast::error_code error;
    exchange.read_some([&](const beast::error_code& failed, std::size_t) {
      done = true;
      error = failed;
    });
    while (!done) {
      exchange.loop.restart();
      exchange.loop.run_for(kStopEvery);
      if (!stop.stop_requested()) continue;
      exchange.stream.cancel();
      exchange.loop.restart();
      exchange.loop.run();
      return Error(Errc::cancelled, "stopped");
    }
    const bool refused = parser.is_header_done() && parser.get().result_int() >= 300;
    if (error) return broken(exchange, error);
    if (refused) continue;  // its message comes
    events += parser.get().body();
    parser.get().body().clear();
    TRY(hand_out());
  }
  if (parser.get().result_int() >= 300) TRY(answer_of(exchange, path));
  return {};
}

}  // namespace drystone
