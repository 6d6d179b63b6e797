#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/serve/exchange.h"
#include "bench/serve/prompts.h"

namespace drystone {

// Sizes are tokens; what is not set is the workload's own.
struct WorkloadOptions {
  std::string name = "chat";
  std::optional<std::uint32_t> clients, requests, input, output;
  double spread = 0;      // of lengths: 0 exact; 0.5: drawn from half to one and a half
  double rate = 0;        // arrivals per second of an open loop; 0: a closed loop
  double duration_s = 0;  // > 0: go on for so long instead of for a number of requests
  std::uint64_t seed = 1;
  PromptOptions prompts;
  // Shares of requests that misbehave, in [0, 1].
  double cancels = 0, bad = 0, oversized = 0, stalled = 0;
};

struct Turn {
  Behaviour behaviour = Behaviour::normal;
  std::uint32_t input = 0, output = 0;
  std::uint32_t cancel_after_tokens = 0;
};

// Turns that follow each other in one conversation.
struct Conversation {
  std::uint64_t seed = 0;         // of its texts
  std::uint64_t system_seed = 0;  // the same for those that share their head
  std::uint32_t system = 0;       // tokens
  std::vector<Turn> turns;
  bool foreign = false;  // starts when every client's stream runs, and ends the work
};

struct Workload {
  std::uint32_t clients = 1;
  std::uint64_t conversations = 1;  // 0: without end, for duration_s
  double rate = 0, duration_s = 0;
  bool foreign = false;  // the last conversation is
  PromptOptions prompts;
  std::function<Conversation(std::uint64_t index)> conversation;  // the same for a seed
};

// chat, agents, stall, soak. Errors: invalid_argument (no such workload).
Result<Workload> make_workload(const WorkloadOptions& options);

constexpr const char* kWorkloads =
    "chat    every client sends one request after the other [8 clients, 8 requests, 128 in, 32 "
    "out]\n"
    "agents  conversations of 10 turns with a shared head of 2048 tokens [8 clients, 8 "
    "conversations]\n"
    "stall   streams decode while a foreign prompt arrives [8 streams, foreign prompt of 8000]\n"
    "soak    chat with requests that are cancelled, bad, oversized or not read [8 clients]";

// The request of a turn. `prompt` already has the turn's input.
LoadRequest make_request(const Prompt& prompt, const Turn& turn, std::uint64_t seed,
                         bool keep_text);

}  // namespace drystone
