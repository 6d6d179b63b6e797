#include "serve/http/access.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cctype>

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

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  return difference == 0;
}

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

std::optional<ApiError> AccessRules::refuse(const HttpRequest& request) const {
  if (api_keys_.empty()) {
    if (!names_loopback(request.host))
      return forbidden(
          "The Host header must name this machine (localhost, 127.0.0.1 or [::1]). To serve other "
          "names, "
          "start the server with --api-key.",
          "host_not_allowed");
    constexpr std::string_view kHttp = "http://";
    if (!request.origin.empty() &&
        !(request.origin.starts_with(kHttp) &&
          lower(request.origin).substr(kHttp.size()) == lower(request.host)))
      return forbidden(
          "Requests from web pages of other origins are refused. Start the server with --api-key, "
          "or call "
          "it from a program.",
          "origin_not_allowed");
    return std::nullopt;
  }
  if (request.path == "/health") return std::nullopt;
  const std::string_view token = bearer_token(request.authorization);
  bool known = false;
  for (const std::string& key : api_keys_)
    known |= equal_in_constant_time(token, key);  // all of them, always
  if (known) return std::nullopt;
  return ApiError{
      .status = 401,
      .type = "invalid_request_error",
      .message = token.empty() ? "This server needs a key; send it as 'Authorization: Bearer KEY'."
                               : "The key in the Authorization header is not one of this server's.",
      .code = "invalid_api_key"};
}

std::string AccessRules::client(const HttpRequest& request) const {
  return request.client_address + " " + std::string(bearer_token(request.authorization));
}

}  // namespace drystone
