#include "serve/http/request_head.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace drystone {
namespace http = boost::beast::http;

ApiError http_refusal(int status, std::string message, std::string code) {
  return {.status = status,
          .type = status < 500 ? "invalid_request_error" : "server_error",
          .message = std::move(message),
          .code = std::move(code)};
}

namespace {

// A body whose end a proxy in front of us may see elsewhere: what follows it would be taken for
// another client's request.
std::optional<ApiError> unclear_framing(const http::request_header<>& header) {
  const std::size_t codings = header.count(http::field::transfer_encoding);
  if (codings == 0) return std::nullopt;
  if (header.version() < 11 || header.count(http::field::content_length) > 0)
    return http_refusal(400,
                        "Transfer-Encoding cannot stand beside Content-Length, nor in HTTP/1.0.",
                        "malformed_http");
  if (codings > 1 || !boost::beast::iequals(header[http::field::transfer_encoding], "chunked"))
    return http_refusal(501, "The only transfer coding known here is chunked.",
                        "unknown_transfer_encoding");
  return std::nullopt;
}

std::optional<ApiError> take_target(std::string_view target, HttpRequest& request) {
  if (target == "*" && request.method == "OPTIONS") {
    request.path = "*";
    return std::nullopt;
  }
  const RequestTarget parts = split_target(target);
  if (!parts.authority.empty()) request.host = parts.authority;
  auto path = decode_path(parts.path);
  if (!path) return http_refusal(400, path.error().message(), "malformed_http");
  request.path = *std::move(path);
  const std::size_t mark = std::min(parts.path.find('?'), parts.path.size());
  request.query = parts.path.substr(std::min(mark + 1, parts.path.size()));
  return std::nullopt;
}

std::optional<ApiError> wrong_hosts(const http::request_header<>& header, bool http_1_0) {
  const std::size_t hosts = header.count(http::field::host);
  if (hosts == 1 || (hosts == 0 && http_1_0)) return std::nullopt;
  return http_refusal(
      400, hosts > 1 ? "The request has several Host headers." : "The request has no Host header.",
      "malformed_http");
}

void take_fields(const http::request_header<>& header, HttpRequest& request) {
  request.host = header[http::field::host];
  request.authorization = header[http::field::authorization];
  // Anthropic's clients send their key so.
  if (const auto key = header["x-api-key"]; request.authorization.empty() && !key.empty())
    request.authorization = "Bearer " + std::string(key);
  request.origin = header[http::field::origin];
  request.preflight =
      request.method == "OPTIONS" && header.count("access-control-request-method") > 0;
  request.body.clear();
}

}  // namespace

std::optional<ApiError> take_head(const http::request_header<>& header,
                                  const SessionContext& context, Exchange& exchange) {
  HttpRequest& request = exchange.request;
  exchange.head = header.method() == http::verb::head;
  exchange.http_1_0 = header.version() < 11;
  request.method = exchange.head ? "GET" : std::string(header.method_string());
  take_fields(header, request);
  exchange.cors_origin = context.access.allows_origin(request.origin) ? request.origin : "";
  request.trace->record.method = std::string(header.method_string());
  if (auto error = unclear_framing(header)) {
    exchange.keep_alive = false;
    return error;
  }
  const std::string_view coding = header[http::field::content_encoding];
  if (!coding.empty() && !boost::beast::iequals(coding, "identity"))
    return http_refusal(415, "Bodies are not unpacked here; send them without Content-Encoding.",
                        "unknown_content_encoding");
  if (auto error = take_target({header.target().data(), header.target().size()}, request))
    return error;
  request.trace->record.path = request.path;
  if (auto error = wrong_hosts(header, exchange.http_1_0)) return error;
  if (auto error = context.access.refuse(request)) return error;
  if (request.method != "OPTIONS")
    if (const auto handler = context.router.find(request.method, request.path); !handler)
      return handler.error();
  const auto expect = header[http::field::expect];
  if (!expect.empty() && !boost::beast::iequals(expect, "100-continue"))
    return http_refusal(417, "The only expectation known here is 100-continue.",
                        "expectation_failed");
  return std::nullopt;
}

}  // namespace drystone
