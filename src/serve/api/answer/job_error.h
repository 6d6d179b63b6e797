#pragma once

#include "serve/http/api_error.h"

namespace drystone {

// What submit() says: some requests can never run, others only not now.
ApiError not_taken(const Error& error);
// Of a job that the server gave up.
ApiError cancelled_error();

}  // namespace drystone
