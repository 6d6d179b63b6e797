#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/api_error.h"
#include "serve/http/api_keys.h"
#include "serve/http/http_message.h"

namespace drystone {

// Who may use the server.
//   With keys:     a request needs `Authorization: Bearer KEY` or `X-Api-Key: KEY`.
//   Without keys:  only programs of this machine, by loopback. A web page that some browser here
//   has open is not such
//                  a program: its requests are known by Host (a name that an attacker pointed at
//                  127.0.0.1) or Origin.
class AccessRules {
 public:
  // `cors_origins`: pages of these ("https://chat.example", or "*" for all) may use the server.
  explicit AccessRules(ApiKeys api_keys, std::vector<std::string> cors_origins = {})
      : api_keys_(std::move(api_keys)), cors_origins_(std::move(cors_origins)) {}

  bool allows_origin(std::string_view origin) const;  // false for ""

  // Nothing when allowed. /health answers everyone whose Host is right.
  std::optional<ApiError> refuse(const HttpRequest& request) const;

  // Named by the bearer token and the address, and with what the key may ask for.
  Client client(const HttpRequest& request) const;

 private:
  ApiKeys api_keys_;
  std::vector<std::string> cors_origins_;
};

// True for localhost, 127.0.0.0/8 and [::1], with or without a port.
bool names_loopback(std::string_view host);

}  // namespace drystone
