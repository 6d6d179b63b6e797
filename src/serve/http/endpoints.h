#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "serve/http/access.h"
#include "serve/http/limits.h"
#include "serve/http/model_host.h"
#include "serve/http/router.h"

namespace drystone {

// What a server lends to its endpoints, for their whole life.
struct EndpointsContext {
  boost::asio::any_io_executor loop;
  ModelHost& host;
  const AccessRules& access;
  const ServerLimits& limits;
  const Clock& clock;
};

// A group of endpoints, such as one dialect of the API (serve/api).
class Endpoints {
 public:
  virtual ~Endpoints() = default;  // waits for what it does off the loop
  virtual void add_to(Router& router) = 0;
};

using EndpointsFactory = std::function<std::unique_ptr<Endpoints>(const EndpointsContext&)>;

}  // namespace drystone
