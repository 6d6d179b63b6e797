#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/api_error.h"
#include "serve/http/http_message.h"

namespace drystone {

using HttpHandler = std::function<boost::asio::awaitable<void>(const HttpRequest&, ReplySink&)>;

// Finds the handler of a method and path. A path that ends in "/*" takes everything below it.
class Router {
 public:
  // `error_body` writes what is refused before the handler is asked.
  void add(std::string method, std::string path, HttpHandler handler,
           ErrorBody error_body = to_json);

  // Errors: 404 for a path that nobody has, 405 for a method that the path does not have.
  ApiResult<const HttpHandler*> find(std::string_view method, std::string_view path) const;

  // The refusal in the dialect of the path; OpenAI's where nobody has it.
  std::string error_body(std::string_view path, const ApiError& error) const;

  // "GET, HEAD, OPTIONS": for the Allow header; "" when nobody has the path. "*": of all paths.
  std::string allowed(std::string_view path) const;

 private:
  struct Route {
    std::string method, path;
    HttpHandler handler;
    ErrorBody error_body;
    bool matches(std::string_view target) const;
  };
  std::string paths() const;

  std::vector<Route> routes_;
};

// A request target is a path, or (absolute form, as proxies send it) http://AUTHORITY/PATH.
struct RequestTarget {
  std::string_view authority;  // in place of the Host header; "" without one
  std::string_view path;
};
RequestTarget split_target(std::string_view target);

// The path of a request target, percent-decoded, without the query; valid UTF-8. Errors:
// invalid_argument.
Result<std::string> decode_path(std::string_view target);

}  // namespace drystone
