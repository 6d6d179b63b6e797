#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/api_error.h"
#include "serve/http/http_message.h"

namespace drystone {

// Who may use the server.
//   With keys:     a request needs `Authorization: Bearer KEY`.
//   Without keys:  only programs of this machine, by loopback. A web page that some browser here
//   has open is not such
//                  a program: its requests are known by Host (a name that an attacker pointed at
//                  127.0.0.1) or Origin.
class AccessRules {
 public:
  explicit AccessRules(std::vector<std::string> api_keys) : api_keys_(std::move(api_keys)) {}

  // Nothing when allowed. /health answers everyone whose Host is right.
  std::optional<ApiError> refuse(const HttpRequest& request) const;

  // Whose turn it is in the queue: the bearer token and the address.
  std::string client(const HttpRequest& request) const;

 private:
  std::vector<std::string> api_keys_;
};

// True for localhost, 127.0.0.0/8 and [::1], with or without a port.
bool names_loopback(std::string_view host);

// Takes the same time wherever two texts of one length differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace drystone
