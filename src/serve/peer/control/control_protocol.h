#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "cluster/core/message.h"
#include "cluster/members/join.h"

// What both ends of a control connection know (docs/formats/cluster.md, "Control connections").
namespace drystone {

constexpr std::string_view kMessagesPath = "/cluster/v1/messages";
constexpr std::string_view kJoinPath = "/cluster/v1/join";
// On which port the sender itself takes connections: its address is known, so it can be dialled.
constexpr std::string_view kPeerPortHeader = "Drystone-Peer-Port";
constexpr std::string_view kJoinExporterLabel = "EXPORTER-drystone-join";

constexpr std::size_t kControlHeaderBytesMax = 4096;
constexpr std::size_t kControlBodyBytesMax = cluster::kMessageBytesMax;
constexpr std::size_t kControlErrorBytesMax = 4096;

// Well under the time in which a dead node is to be known (cluster/membership): a connection that
// hangs is given up for one over another interface before its peer counts as dead.
constexpr std::chrono::milliseconds kControlConnectWithin{1500};
constexpr std::chrono::milliseconds kControlAnswerWithin{800};
constexpr std::chrono::milliseconds kControlIdleMax{60'000};
constexpr std::chrono::milliseconds kControlWriteWithin{3000};
constexpr std::chrono::milliseconds kStrangerRequestWithin{5000};

// {"error": {"message": ...}}, and what it says; a general text where the bytes say nothing.
std::string control_error_json(std::string_view message);
std::string control_error_message(std::string_view json);

}  // namespace drystone
