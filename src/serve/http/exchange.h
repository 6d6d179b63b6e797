#pragma once

#include <string>

#include "serve/http/http_message.h"

namespace drystone {

// One request of a connection and its answer, as far as they have come. On the loop thread.
struct Exchange {
  HttpRequest request;
  std::string cors_origin;  // the page's that asked, where pages of it may; else ""
  bool head = false;        // the request is HEAD
  bool http_1_0 = false;
  bool keep_alive = true;    // the connection can take another request afterwards
  bool client_gone = false;  // or cut off
  bool replied = false, events_open = false;
  double started_s = -1;  // when the request's first byte was here; -1: none came

  // For the next request of the same client.
  void begin() {
    cors_origin.clear();
    keep_alive = true;
    client_gone = replied = events_open = false;
    started_s = -1;
  }
};

}  // namespace drystone
