#pragma once

#include "serve/http/api_error.h"
#include "serve/http/model_host.h"

namespace drystone {

// What submit() says: some requests can never run, others only not now.
ApiError not_taken(const Error& error);
// Of a job of this model that the server gave up.
ApiError cancelled_error(const HeldModel& held);

}  // namespace drystone
