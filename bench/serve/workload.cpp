#include "bench/serve/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace drystone {
namespace json = boost::json;

namespace {

constexpr std::uint32_t kStreamTokens = 100'000;  // more than any context leaves
constexpr std::uint32_t kAgentTurns = 10, kAgentSystem = 2048;

std::uint32_t drawn(std::uint32_t mean, double spread, Rng& rng) {
  const double factor = 1 + spread * (2 * rng.uniform_double() - 1);
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::lround(mean * factor)));
}

Behaviour drawn_behaviour(const WorkloadOptions& options, Rng& rng) {
  double at = rng.uniform_double();
  if ((at -= options.cancels) < 0) return Behaviour::cancel;
  if ((at -= options.bad) < 0) return Behaviour::bad;
  if ((at -= options.oversized) < 0) return Behaviour::oversized;
  if ((at -= options.stalled) < 0) return Behaviour::stalled;
  return Behaviour::normal;
}

Rng rng_of(const WorkloadOptions& options, std::uint64_t index) {
  return Rng(options.seed * 0x9e3779b97f4a7c15 + index);
}

Turn drawn_turn(const WorkloadOptions& options, std::uint32_t input, std::uint32_t output,
                Rng& rng) {
  Turn turn{.behaviour = drawn_behaviour(options, rng),
            .input = drawn(input, options.spread, rng),
            .output = drawn(output, options.spread, rng)};
  if (turn.behaviour == Behaviour::cancel)
    turn.cancel_after_tokens = static_cast<std::uint32_t>(rng.below(turn.output));
  return turn;
}

Workload chat(const WorkloadOptions& options) {
  const std::uint32_t clients = options.clients.value_or(8);
  Workload work{.clients = clients,
                .conversations = options.duration_s > 0 ? 0 : options.requests.value_or(clients)};
  work.conversation = [options](std::uint64_t index) {
    Rng rng = rng_of(options, index);
    Conversation one{.seed = rng.next()};
    one.turns.push_back(
        drawn_turn(options, options.input.value_or(128), options.output.value_or(32), rng));
    return one;
  };
  return work;
}

Workload agents(const WorkloadOptions& options) {
  const std::uint32_t clients = options.clients.value_or(8);
  Workload work{.clients = clients,
                .conversations = options.duration_s > 0 ? 0 : options.requests.value_or(clients)};
  work.conversation = [options](std::uint64_t index) {
    Rng rng = rng_of(options, index);
    Conversation one{.seed = rng.next(), .system_seed = options.seed, .system = kAgentSystem};
    for (std::uint32_t i = 0; i < kAgentTurns; ++i)
      one.turns.push_back(
          drawn_turn(options, options.input.value_or(64), options.output.value_or(32), rng));
    return one;
  };
  return work;
}

Workload stall(const WorkloadOptions& options) {
  const std::uint32_t clients = options.clients.value_or(8);
  Workload work{.clients = clients, .conversations = clients + 1, .foreign = true};
  work.conversation = [options, clients](std::uint64_t index) {
    Rng rng = rng_of(options, index);
    Conversation one{.seed = rng.next(), .foreign = index == clients};
    one.turns.push_back(one.foreign
                            ? Turn{.input = options.input.value_or(8000), .output = 1}
                            : Turn{.input = 64, .output = options.output.value_or(kStreamTokens)});
    return one;
  };
  return work;
}

constexpr std::array<std::string_view, 9> kBadBodies = {"{\"messages\":",
                                                        "",
                                                        "[]",
                                                        R"({"prompt":[-1]})",
                                                        R"({"prompt":"x","temperature":-1})",
                                                        R"({"prompt":"x","max_tokens":"many"})",
                                                        R"({"prompt":"x","model":"no-such-model"})",
                                                        "\xff\xfe{}",
                                                        R"({"prompt":{}})"};

LoadRequest bad_request(std::uint64_t seed) {
  const std::uint64_t which = seed % (kBadBodies.size() + 2);
  if (which == kBadBodies.size()) return {.head = "POST /v1/nowhere HTTP/1.1\r\n", .body = "{}"};
  if (which == kBadBodies.size() + 1) return {.head = "BREW / HTTP/one.one\r\n"};
  return {.head = "POST /v1/completions HTTP/1.1\r\n", .body = std::string(kBadBodies[which])};
}

LoadRequest oversized_request() {
  constexpr std::size_t kTokens = 300'000;
  json::array ids(kTokens, json::value(300));
  return {.head = "POST /v1/completions HTTP/1.1\r\n",
          .body = json::serialize(json::object{{"prompt", std::move(ids)}, {"max_tokens", 1}})};
}

}  // namespace

LoadRequest make_request(const Prompt& prompt, const Turn& turn, std::uint64_t seed,
                         bool keep_text) {
  LoadRequest request;
  if (turn.behaviour == Behaviour::bad) {
    request = bad_request(seed);
  } else if (turn.behaviour == Behaviour::oversized) {
    request = oversized_request();
  } else {
    json::object body = prompt.body();
    const bool stalled = turn.behaviour == Behaviour::stalled;
    body["max_tokens"] = stalled ? kStreamTokens : turn.output;
    body["temperature"] = 0;
    body["ignore_eos"] = true;
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    request.head = fmt::format("POST {} HTTP/1.1\r\n", prompt.path());
    request.body = json::serialize(body);
  }
  request.behaviour = turn.behaviour;
  request.cancel_after_tokens = turn.cancel_after_tokens;
  request.keep_text = keep_text;
  return request;
}

Result<Workload> make_workload(const WorkloadOptions& options) {
  WorkloadOptions filled = options;
  Workload work;
  if (options.name == "chat") {
    work = chat(filled);
  } else if (options.name == "agents") {
    work = agents(filled);
  } else if (options.name == "stall") {
    work = stall(filled);
  } else if (options.name == "soak") {
    if (filled.cancels + filled.bad + filled.oversized + filled.stalled == 0)
      filled.cancels = 0.2, filled.bad = 0.15, filled.oversized = 0.02, filled.stalled = 0.03;
    if (filled.spread == 0) filled.spread = 0.9;
    work = chat(filled);
  } else {
    return Error(Errc::invalid_argument,
                 fmt::format("there is no workload '{}':\n{}", options.name, kWorkloads));
  }
  work.rate = options.rate;
  work.duration_s = options.duration_s;
  work.prompts = options.prompts;
  return work;
}

}  // namespace drystone
