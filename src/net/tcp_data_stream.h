#pragma once

#include <memory>

#include "base/clock.h"
#include "net/data_stream.h"
#include "net/socket_handle.h"

namespace drystone {

// A DataStream in the clear, on a connected socket: what TLS is measured against, never what nodes
// speak. The clock must outlive it.
std::unique_ptr<DataStream> make_tcp_stream(SocketHandle socket, const Clock& clock);

}  // namespace drystone
