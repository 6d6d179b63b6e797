// Loads OpenAI-style servers and says how fast they answer: servers that run (--url) or that it
// starts in turn (--server), each with the same requests. bench/README.md explains the figures.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/serve/child_server.h"
#include "bench/serve/load_run.h"
#include "bench/serve/report.h"

namespace drystone {
namespace {

namespace json = boost::json;

struct BenchFlags {
  WorkloadOptions work;
  LoadTarget target;
  std::string url, prompts = "ids", logs;
  std::vector<std::string> servers;
  int repeat = 1, warm_up = 1;
  bool as_json = false;
};

struct NamedServer {
  std::string name, command, url;
};

Result<std::vector<NamedServer>> servers_of(const BenchFlags& flags) {
  std::vector<NamedServer> servers;
  if (!flags.url.empty()) servers.push_back({.name = flags.url, .url = flags.url});
  for (const std::string& text : flags.servers) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos)
      return Error(Errc::invalid_argument,
                   fmt::format("--server '{}': expected NAME=COMMAND", text));
    servers.push_back({.name = text.substr(0, equals), .command = text.substr(equals + 1)});
  }
  if (servers.empty())
    return Error(Errc::invalid_argument, "no server: give --url URL or --server NAME=COMMAND");
  return servers;
}

// Lets a server touch its weights and set up its threads before it is measured.
Result<void> warm_up(const BenchFlags& flags, const LoadTarget& target, const Clock& clock) {
  if (flags.warm_up <= 0) return {};
  WorkloadOptions few{
      .name = "chat", .clients = 1, .input = 16, .output = 4, .seed = ~flags.work.seed};
  few.requests = static_cast<std::uint32_t>(flags.warm_up);
  few.prompts = flags.work.prompts;
  const LoadRecord record = run_load(TRY(make_workload(few)), target, clock);
  for (const Exchange& one : record.exchanges)
    if (!one.ok())
      return Error(Errc::unavailable, fmt::format("the first request failed: {}", one.error));
  return {};
}

Result<json::object> measure(const NamedServer& server, const BenchFlags& flags, int round,
                             const Clock& clock) {
  std::unique_ptr<ChildServer> child;
  std::string url = server.url;
  if (!server.command.empty()) {
    const auto folder = flags.logs.empty() ? std::filesystem::temp_directory_path()
                                           : std::filesystem::path(flags.logs);
    child = TRY(ChildServer::start(
        server.command, (folder / fmt::format("serve_bench-{}.log", server.name)).string(), clock));
    url = child->url();
  }
  LoadTarget target = flags.target;
  target.endpoint = TRY(parse_url(url));
  TRY(warm_up(flags, target, clock));
  WorkloadOptions options = flags.work;
  options.seed += static_cast<std::uint64_t>(round);  // new prompts: none is in a server's cache
  const double cpu_before_s = child ? child->cpu_s() : 0;
  const LoadRecord record = run_load(TRY(make_workload(options)), target, clock);
  json::object out{{"server", server.name}, {"round", round}};
  for (auto& [name, value] : figures(record)) out[name] = value;
  if (child == nullptr) return out;
  out["server_cpu_s"] = child->cpu_s() - cpu_before_s;
  if (const auto tokens = out["completion_tokens"].to_number<double>(); tokens > 0)
    out["cpu_us_per_token"] = out["server_cpu_s"].as_double() / tokens * 1e6;
  out["rss_mb"] = static_cast<double>(child->rss_bytes()) / 1e6;
  if (!child->running()) out["failures"] = out["failures"].to_number<std::uint64_t>() + 1;
  out["exit_code"] = child->stop();
  return out;
}

Result<bool> bench(const BenchFlags& flags) {
  const SystemClock clock;
  const auto servers = TRY(servers_of(flags));
  TRY(make_workload(flags.work));  // a wrong name is told before a server starts
  json::array runs;
  bool all_well = true;
  for (int round = 0; round < flags.repeat; ++round)
    for (const NamedServer& server : servers) {
      json::object run = TRY(measure(server, flags, round, clock));
      all_well &= run["failures"].to_number<std::uint64_t>() == 0;
      if (!flags.as_json) fmt::print("{} ({})\n{}", server.name, flags.work.name, to_text(run));
      std::fflush(stdout);
      runs.push_back(std::move(run));
    }
  if (flags.as_json)
    fmt::print("{}\n", json::serialize(json::object{{"workload", flags.work.name},
                                                    {"seed", flags.work.seed},
                                                    {"runs", std::move(runs)}}));
  return all_well;
}

void add_flags(CLI::App& app, BenchFlags& flags) {
  app.add_option("--url", flags.url, "A server that runs, http://ADDRESS:PORT");
  app.add_option("--server", flags.servers,
                 "A server to start, NAME=COMMAND with {port} in it; may be repeated")
      ->take_all()
      ->expected(1);
  app.add_option("--workload", flags.work.name, "chat, agents, stall or soak [chat]");
  app.add_option("--clients", flags.work.clients, "Clients of the closed loop");
  app.add_option("--requests", flags.work.requests, "Requests, or conversations of agents");
  app.add_option("--duration", flags.work.duration_s, "Seconds, instead of a number of requests");
  app.add_option("--rate", flags.work.rate, "Arrivals per second: an open loop (Poisson)");
  app.add_option("--input", flags.work.input, "Prompt tokens");
  app.add_option("--output", flags.work.output, "Tokens of the answer");
  app.add_option("--spread", flags.work.spread, "Of both, 0 to 1 [0: exact]")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", flags.work.seed, "The same requests for the same seed [1]");
  app.add_option("--prompts", flags.prompts, "ids, text or chat [ids]")
      ->check(CLI::IsMember({"ids", "text", "chat"}));
  app.add_option("--model", flags.work.prompts.model, "Which one, of a server with several");
  app.add_option("--vocab", flags.work.prompts.vocab, "Token ids of the model [32000]")
      ->check(CLI::Range(300, 1 << 24));
  app.add_option("--tokens-per-word", flags.work.prompts.tokens_per_word, "For texts [1.5]");
  app.add_option("--cancels", flags.work.cancels, "Share of requests whose client leaves");
  app.add_option("--bad", flags.work.bad, "Share of requests that are wrong");
  app.add_option("--oversized", flags.work.oversized, "Share of prompts that no context holds");
  app.add_option("--stalled", flags.work.stalled, "Share of clients that do not read");
  app.add_option("--stalled-seconds", flags.target.stalled_s, "How long those stay [5]");
  app.add_option("--timeout", flags.target.timeout_s, "Seconds for one request [600]");
  app.add_option("--api-key", flags.target.api_key, "Sent as bearer token");
  app.add_option("--repeat", flags.repeat, "Rounds; servers take turns in each [1]");
  app.add_option("--warm-up", flags.warm_up, "Requests before a measurement [1]");
  app.add_option("--logs", flags.logs, "Folder for the output of started servers [TMPDIR]");
  app.add_flag("--json", flags.as_json, "Print JSON");
  app.footer(fmt::format("Workloads:\n{}\nExit code 1: a server failed a request.", kWorkloads));
}

int run(int argc, char** argv) {
  CLI::App app("Loads OpenAI-style servers and measures their answers.", "serve_bench");
  BenchFlags flags;
  add_flags(app, flags);
  CLI11_PARSE(app, argc, argv);
  flags.work.prompts.kind = flags.prompts == "ids"    ? PromptKind::ids
                            : flags.prompts == "text" ? PromptKind::text
                                                      : PromptKind::chat;
  const auto well = bench(flags);
  if (!well) {
    fmt::print(stderr, "serve_bench: {}\n", well.error().message());
    return 2;
  }
  return *well ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) {
  try {
    return drystone::run(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "serve_bench: {}\n", failure.what());
    return 2;
  }
}
