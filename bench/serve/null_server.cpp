// Our HTTP server and APIs before a model of no cost: what a token costs from the model's thread to
// the client's socket. At a fixed rate every open request gets a token, one after the other, as a
// step of a batch gives them; a server that is too slow for the rate falls behind and is cut off
// (ServerLimits::unsent_bytes_max). serve_bench says what its processor time was.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <condition_variable>
#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

#include "serve/api/dialects.h"
#include "serve/http/server.h"

namespace drystone {
namespace {

// Gives each of its jobs a token at each beat.
class BeatingJobs final : public JobQueue {
 public:
  explicit BeatingJobs(double rate)
      : beat_(std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / rate))),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}

  Result<std::uint64_t> submit(GenerationJob job) override {
    if (job.on_prompt) job.on_prompt(static_cast<std::uint32_t>(job.request.prompt.size()));
    const std::lock_guard lock(mutex_);
    jobs_.emplace(++last_id_, Open{.job = std::move(job)});
    wake_.notify_one();
    return last_id_;
  }
  void cancel(std::uint64_t id) override {
    const std::lock_guard lock(mutex_);
    if (const auto at = jobs_.find(id); at != jobs_.end()) at->second.cancelled = true;
  }
  void cancel_all() override {
    const std::lock_guard lock(mutex_);
    for (auto& [id, open] : jobs_) open.cancelled = true;
  }
  std::size_t position(std::uint64_t) const override { return 0; }
  std::size_t queue_max() const override { return std::numeric_limits<std::size_t>::max(); }

 private:
  struct Open {
    GenerationJob job;
    std::uint32_t tokens = 0;
    bool cancelled = false;
  };

  void run(const std::stop_token& stop) {
    auto next = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (wake_.wait(lock, stop, [&] { return !jobs_.empty(); })) {
      lock.unlock();
      next = std::max(next + beat_, std::chrono::steady_clock::now());
      std::this_thread::sleep_until(next);
      beat();
      lock.lock();
    }
  }

  // Only this thread takes jobs out, and what it holds of them others do not touch.
  void beat() {
    struct Due {
      std::uint64_t id;
      Open* open;
      bool cancelled;
    };
    std::vector<Due> due;
    {
      const std::lock_guard lock(mutex_);
      for (auto& [id, one] : jobs_) due.push_back({id, &one, one.cancelled});
    }
    for (const auto& [id, one, cancelled] : due) {
      const GenerateRequest& request = one->job.request;
      if (!cancelled && one->tokens < request.tokens_max) {
        ++one->tokens;
        one->job.on_delta({.text = " stone", .tokens = {{.id = 1}}});
        if (one->tokens < request.tokens_max) continue;
      }
      GenerateResult result{.finish = cancelled ? FinishReason::cancelled : FinishReason::length,
                            .prompt_tokens = static_cast<std::uint32_t>(request.prompt.size()),
                            .completion_tokens = one->tokens};
      std::unique_lock lock(mutex_);
      const auto ended = jobs_.extract(id);
      lock.unlock();
      ended.mapped().job.on_done(std::move(result));
    }
  }

  const std::chrono::nanoseconds beat_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<std::uint64_t, Open> jobs_;
  std::uint64_t last_id_ = 0;
  std::jthread thread_;  // last: it uses the rest
};

// Token ids are bytes, and any id is fine.
class NullModel final : public ServedModel {
 public:
  explicit NullModel(double rate) : jobs_(rate) {}

  Result<std::vector<TokenId>> chat_prompt(const ChatRequest& request) const override {
    return text_prompt(boost::json::serialize(request.messages));
  }
  std::vector<TokenId> text_prompt(std::string_view text) const override {
    return {text.begin(), text.end()};
  }
  std::string piece(TokenId) const override { return " stone"; }
  std::uint32_t context() const override { return 1 << 20; }
  std::uint32_t vocab() const override { return 1 << 17; }
  JobQueue& jobs() override { return jobs_; }

 private:
  BeatingJobs jobs_;
};

int run(int argc, char** argv) {
  CLI::App app("Serves tokens that cost nothing, to measure what serving costs.", "null_server");
  std::uint16_t port = 8080;
  double rate = 100;
  app.add_option("--port", port, "On 127.0.0.1 [8080]");
  app.add_option("--rate", rate, "Tokens per second of each request [100]")
      ->check(CLI::Range(0.1, 1e6));
  CLI11_PARSE(app, argc, argv);
  const SystemClock clock;
  auto server = Server::listen(
      {.port = port, .model_names = {"null"}, .endpoints = all_dialects(), .stop_on_signals = true},
      clock);
  if (!server) {
    fmt::print(stderr, "null_server: {}\n", server.error().message());
    return EXIT_FAILURE;
  }
  (*server)->set_model(std::make_unique<NullModel>(rate));
  (*server)->run();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) {
  try {
    return drystone::run(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "null_server: {}\n", failure.what());
    return EXIT_FAILURE;
  }
}
