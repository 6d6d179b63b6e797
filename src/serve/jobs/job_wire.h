#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/constraint/constraint_spec.h"
#include "engine/generation_job.h"

namespace drystone {

// The messages between the node that holds a client's connection and the one that schedules the
// model: docs/formats/jobs.md. A message is the payload of one frame whose tag is the job.
enum class JobFrame : std::uint16_t {
  submit = 1,  // to the server: JobOrder
  cancel,      // nothing

  delta,     // to the client: Delta
  prompt,    // u32: tokens of the prompt that stand in the cache
  position,  // u32: jobs before it
  done,      // GenerateResult: the last of its job, as are the next two
  refused,   // Error: the job was not taken
  failed,    // Error: it had begun, or waited

  alive,  // both ways, tag 0, nothing: this side lives
};

// In `flags` of refused and failed: what the instance ran on is gone, it takes no further job.
constexpr std::uint16_t kInstanceLost = 1;

struct JobLimits {
  static constexpr std::uint32_t kPayloadBytesMax = 64 << 20;  // of a frame
  static constexpr std::size_t kTokensMax = 4 << 20;           // of a prompt or an answer
  static constexpr std::size_t kNameBytesMax = 1024;           // of an instance, a client, a salt
  static constexpr std::size_t kStopsMax = 1024;               // stop strings or tokens
  static constexpr std::size_t kBiasesMax = 1 << 20;           // of logits
  static constexpr std::size_t kTextBytesMax = 16 << 20;       // of a stop, a delta, a constraint
  static constexpr std::size_t kChoicesMax = 1 << 16;          // of a constraint; its schemas too
  static constexpr std::size_t kDeltaTokensMax = 1 << 16;
  static constexpr std::size_t kHiddenMax = 1 << 20;      // values of a vector
  static constexpr std::size_t kErrorBytesMax = 8 << 10;  // messages are cut to a quarter before
};

// A constraint before it is compiled.
struct JobConstraint {
  ConstraintSpec spec;
  bool calls = false;  // the marks of calls are tokens of its text
};

// A job as it travels: `request.constraint` is null, `constraint` says what to compile.
struct JobOrder {
  std::string instance;  // the name under which the model was placed
  std::uint64_t epoch = 0;
  std::string client;
  GenerateRequest request;
  std::optional<JobConstraint> constraint;
};

// `request.constraint` travels as the spec that it was compiled from.
std::vector<std::byte> encode_order(std::string_view instance, std::uint64_t epoch,
                                    std::string_view client, const GenerateRequest& request);
std::vector<std::byte> encode(const Delta& delta);
std::vector<std::byte> encode(const GenerateResult& result);
std::vector<std::byte> encode(const Error& error);
std::vector<std::byte> encode(std::uint32_t number);

// Errors of all: corrupt, with the place and what was expected. Numbers are finite, enumerations
// known, texts of answers valid UTF-8, nothing is left over. Whether ids are tokens of the model is
// for whoever knows the model to check.
Result<JobOrder> decode_order(std::span<const std::byte> message);
Result<Delta> decode_delta(std::span<const std::byte> message);
Result<GenerateResult> decode_result(std::span<const std::byte> message);
Result<std::uint32_t> decode_number(std::span<const std::byte> message);
// The error that the peer tells of; a malformed message is an error `corrupt` itself.
Error decode_failure(std::span<const std::byte> message);

}  // namespace drystone
