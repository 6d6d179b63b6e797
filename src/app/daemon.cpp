#include "app/daemon.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "app/load/engine_metrics.h"
#include "app/load/open_model.h"
#include "app/progress_bar.h"
#include "base/clock.h"
#include "engine/batcher.h"
#include "serve/api/dialects.h"
#include "serve/engine_model.h"
#include "serve/metrics/serving_metrics.h"

namespace drystone {

namespace {

std::vector<std::string> served_names(const DaemonOptions& options) {
  std::vector<std::string> names = options.names;
  const std::string own = model_name(options.engine.model);
  if (std::find(names.begin(), names.end(), own) == names.end()) names.push_back(own);
  return names;
}

// "; evicted pages go to /var/tmp: up to 8.00 GiB, 262144 tokens".
std::string tier_text(const BatcherCounts& counts, const std::string& folder) {
  if (!counts.tier) return "";
  return fmt::format("; evicted pages go to {}: up to {}, {} tokens", folder,
                     format_bytes(counts.tier->slots * counts.tier->page_bytes),
                     std::uint64_t{counts.tier->slots} * counts.page_tokens);
}

}  // namespace

Result<void> run_daemon(const DaemonOptions& options) {
  const SystemClock clock;
  const std::vector<std::string> names = served_names(options);
  const auto started = clock.monotonic();

  ServingMetrics metrics(names[0]);
  const auto log = TRY(make_request_log(options.log));
  const auto observer = observe_all({&metrics, log.get()});
  ServerOptions api = options.api;
  api.model_names = names;
  api.endpoints = all_dialects();
  api.endpoints.push_back(metrics_endpoint(metrics));
  api.observer = observer.get();
  api.stop_on_signals = true;

  LoadedEngine loaded;       // outlives the server, whose thread runs it
  Result<void> load_result;  // read after the loading thread has ended
  std::atomic<bool> loading = true;
  const auto server = TRY(Server::listen(std::move(api), clock));
  std::thread loader([&] {
    auto result = load_engine(options.engine, [&, bar = progress_bar("loading")](double done) {
      server->set_progress(done);
      if (bar) bar(done);
    });
    if (result) {
      loaded = std::move(*result);
      const double load_s = seconds(clock.monotonic() - started);
      metrics.set_loads([&] {
        return std::vector<ModelLoad>{
            {.model = names[0], .load = engine_load(loaded.engine->batcher().counts())}};
      });
      server->set_model(make_engine_model(*loaded.engine, clock));
      const BatcherCounts counts = loaded.engine->batcher().counts();
      const double tokens = static_cast<double>(counts.pages) * counts.page_tokens;
      fmt::print(
          "drystone serves {} at {} (loaded in {:.1f} s, context {} tokens; the cache holds {:.0f} "
          "tokens, {:.1f} requests of the full context{})\n",
          names[0], server->url(), load_s, loaded.engine->context(), tokens,
          tokens / loaded.engine->context(), tier_text(counts, options.engine.kv_disk_folder));
      std::fflush(stdout);
    } else {
      load_result = std::move(result).error();
    }
    loading = false;
    if (!loaded.engine) server->stop();
  });
  server->run();
  // Loading cannot be interrupted, and there is nothing to save: who asked us
  // to stop need not wait for it.
  if (loading) std::_Exit(EXIT_SUCCESS);
  loader.join();
  return load_result;
}

}  // namespace drystone
