#pragma once

#include <memory>

#include "base/clock.h"
#include "net/data_stream.h"
#include "net/socket_handle.h"
#include "net/tls_channel.h"

namespace drystone {

// A DataStream of a finished handshake. `channel` works on `socket`, which this takes over; the
// clock and the channel's context must outlive it.
std::unique_ptr<DataStream> make_tls_stream(SocketHandle socket,
                                            std::unique_ptr<TlsChannel> channel,
                                            const Clock& clock);

}  // namespace drystone
