#include "serve/http/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <set>

#include "serve/http/utf8.h"

namespace drystone {

void Router::add(std::string method, std::string path, HttpHandler handler, ErrorBody error_body) {
  routes_.push_back({std::move(method), std::move(path), std::move(handler), error_body});
}

bool Router::Route::matches(std::string_view target) const {
  if (!path.ends_with("/*")) return target == path;
  const std::string_view folder = std::string_view(path).substr(0, path.size() - 1);
  return target.starts_with(folder) && target.size() > folder.size();
}

ApiResult<const HttpHandler*> Router::find(std::string_view method, std::string_view path) const {
  bool path_known = false;
  for (const Route& route : routes_) {
    if (!route.matches(path)) continue;
    path_known = true;
    if (route.method == method) return &route.handler;
  }
  if (path_known)
    return ApiError{
        .status = 405,
        .type = "invalid_request_error",
        .message = fmt::format("{} does not take {}; it takes {}.", path, method, allowed(path)),
        .code = "method_not_allowed"};
  return ApiError{
      .status = 404,
      .type = "invalid_request_error",
      .message = fmt::format("There is nothing at {}. This server has {}.", path, paths()),
      .code = "unknown_url"};
}

std::string Router::error_body(std::string_view path, const ApiError& error) const {
  for (const Route& route : routes_)
    if (route.matches(path)) return route.error_body(error);
  return to_json(error);
}

std::string Router::paths() const {
  std::string out;
  for (const Route& route : routes_) out += (out.empty() ? "" : ", ") + route.path;
  return out;
}

std::string Router::allowed(std::string_view path) const {
  std::set<std::string_view> methods;
  for (const Route& route : routes_) {
    if (path != "*" && !route.matches(path)) continue;
    methods.insert(route.method);
    if (route.method == "GET") methods.insert("HEAD");
  }
  std::string out;
  for (const std::string_view method : methods) out += std::string(method) + ", ";
  return out.empty() ? out : out + "OPTIONS";
}

RequestTarget split_target(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (!boost::beast::iequals(target.substr(0, kScheme.size()), kScheme)) return {{}, target};
  const std::string_view rest = target.substr(kScheme.size());
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  if (end == 0) return {{}, target};
  const bool has_path = end < rest.size() && rest[end] == '/';
  return {rest.substr(0, end), has_path ? rest.substr(end) : "/"};
}

Result<std::string> decode_path(std::string_view target) {
  target = target.substr(0, target.find_first_of("?#"));
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  if (!target.starts_with('/'))
    return Error(Errc::invalid_argument, "the request target must start with '/'");
  std::string path;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] != '%') {
      path += target[i];
      continue;
    }
    const int high = i + 2 < target.size() ? digit(target[i + 1]) : -1;
    const int low = i + 2 < target.size() ? digit(target[i + 2]) : -1;
    if (high < 0 || low < 0)
      return Error(Errc::invalid_argument, "the request target has a '%' without two hex digits");
    path += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return valid_utf8(path);
}

}  // namespace drystone
