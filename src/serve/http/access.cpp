#include "serve/http/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <functional>

namespace drystone {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() < kScheme.size() ||
      lower(authorization.substr(0, kScheme.size())) != kScheme)
    return {};
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

ApiError forbidden(std::string message, std::string code) {
  return {.status = 403,
          .type = "permission_error",
          .message = std::move(message),
          .code = std::move(code)};
}

}  // namespace

bool names_loopback(std::string_view host) {
  std::string name = lower(host);
  if (name.starts_with('[')) {
    const std::size_t end = name.find(']');
    if (end == std::string::npos) return false;
    name = name.substr(1, end - 1);
  } else {
    name = name.substr(0, name.find(':'));
  }
  if (name == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(name, error);
  return !error && address.is_loopback();
}

bool AccessRules::allows_origin(std::string_view origin) const {
  return !origin.empty() &&
         std::any_of(cors_origins_.begin(), cors_origins_.end(), [&](const std::string& allowed) {
           return allowed == "*" || allowed == origin;
         });
}

std::optional<ApiError> AccessRules::refuse(const HttpRequest& request) const {
  if (api_keys_.empty()) {
    if (!names_loopback(request.host))
      return forbidden(
          "The Host header must name this machine (localhost, 127.0.0.1 or [::1]). To serve other "
          "names, "
          "start the server with --api-key.",
          "host_not_allowed");
    if (!request.origin.empty() && !allows_origin(request.origin) &&
        lower(request.origin) != "http://" + lower(request.host) &&
        lower(request.origin) != "https://" + lower(request.host))
      return forbidden(
          "Requests from web pages of other origins are refused. Start the server with --api-key, "
          "or call "
          "it from a program.",
          "origin_not_allowed");
    return std::nullopt;
  }
  if (request.path == "/health") return std::nullopt;
  // A browser asks without the key first; what it learns is which methods a path has.
  if (request.preflight && allows_origin(request.origin)) return std::nullopt;
  const std::string_view token = bearer_token(request.authorization);
  if (api_keys_.has(token)) return std::nullopt;
  return ApiError{
      .status = 401,
      .type = "invalid_request_error",
      .message = token.empty() ? "This server needs a key; send it as 'Authorization: Bearer KEY'."
                               : "The key of this request is not one of this server's.",
      .code = "invalid_api_key"};
}

Client AccessRules::client(const HttpRequest& request) const {
  const std::string_view token = bearer_token(request.authorization);
  // A name that does not give the key away.
  Client client{
      .name = fmt::format("{} {:x}", request.client_address, std::hash<std::string_view>{}(token)),
      .trace = request.trace};
  if (const auto least = api_keys_.priority_min(token)) client.priority_min = *least;
  return client;
}

}  // namespace drystone
