#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace drystone {

// Every maximum of the HTTP side, by name. docs/formats/http.md lists them for users.
struct ServerLimits {
  std::size_t connections_max = 1024;            // more are answered 503 and closed
  std::size_t connections_per_client_max = 256;  // by address
  std::size_t header_bytes_max = 16 << 10;
  std::size_t body_bytes_max = 32 << 20;
  std::size_t bodies_bytes_max = 256 << 20;  // of all requests being read or waiting together
  std::size_t read_ahead_bytes_max =
      64 << 10;  // pipelined requests that we hold while one is answered
  std::size_t unsent_bytes_max =
      4 << 20;  // of one answer; a reader that falls behind further is let go
  std::chrono::milliseconds idle_max{75'000};  // between two requests of a connection
  std::chrono::milliseconds header_max{
      10'000};  // from the first byte of a request to the end of its header
  std::chrono::milliseconds body_max{120'000};
  std::chrono::milliseconds write_max{30'000};         // one write without the client taking it
  std::chrono::milliseconds keep_alive_every{15'000};  // an SSE comment when nothing else was sent
  std::chrono::milliseconds progress_every{1'000};  // at most, of a request that waits or is read
  std::chrono::milliseconds stop_grace{5'000};      // a stopping server lets answers run this long
};

// Of a request's JSON.
constexpr std::size_t kJsonDepthMax = 64;
constexpr std::size_t kMessagesMax = 16'384;
constexpr std::size_t kStopStringsMax = 16;
constexpr std::size_t kStopBytesMax = 1024;
constexpr std::size_t kStopTokensMax = 256;
constexpr std::int64_t kChoicesMax = 16;           // answers to one prompt
constexpr std::size_t kPromptsMax = 64;            // times choices: answers to one request
constexpr std::size_t kVectorTextsMax = 2048;      // inputs or documents of one request
constexpr std::size_t kVectorValuesMax = 8 << 20;  // of all vectors of one answer
constexpr std::size_t kToolsMax = 512;
constexpr std::size_t kConstraintBytesMax = 256 << 10;  // of a schema or grammar
constexpr std::size_t kCacheSaltBytesMax = 256;
constexpr std::int64_t kPriorityMax = 1000;
constexpr std::size_t kLogitBiasMax = 4096;
constexpr std::uint32_t kTopLogprobsMax = 20;
constexpr std::size_t kIgnoredNamesMax =
    16;  // unknown parameters that we name in a response header

}  // namespace drystone
