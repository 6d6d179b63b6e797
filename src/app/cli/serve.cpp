
#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/engine_flags.h"
#include "app/cli/listen_flags.h"
#include "app/daemon.h"
#include "app/load/open_model.h"

namespace drystone {
namespace {

struct ServeFlags {
  DaemonOptions daemon;
  ListenFlags listen;
};

Result<void> serve(ServeFlags& flags) {
  for (const std::string& key : flags.listen.api.api_keys)
    if (key.empty()) return Error(Errc::invalid_argument, "--api-key is empty");
  TRY(read_listen_flags("serve", flags.listen));
  flags.daemon.api = std::move(flags.listen.api);
  flags.daemon.log = std::move(flags.listen.log);
  return run_daemon(flags.daemon);
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App& command = *app.add_subcommand(
      "serve", "Offer a model to programs: OpenAI's, Anthropic's, Ollama's API");
  add_engine_flags(command, flags->daemon.engine);
  command.get_option("MODEL")->required(false)->description("GGUF file [pebble]");
  flags->daemon.engine.model = kDemoModelName;
  add_listen_flag(command, "--listen", "Address and port; port 0 takes a free one [127.0.0.1:8080]",
                  flags->listen);
  EngineFlags& engine = flags->daemon.engine;
  engine.sequences_max = 16;
  engine.queue_max = 64;
  command.add_option("--parallel", engine.sequences_max, "Requests that run at once [16]")
      ->check(CLI::Range(1u, 256u).description(""))
      ->type_name("N");
  command
      .add_option("--kv-tokens", engine.kv_tokens,
                  "Tokens that all of them hold [up to 4 contexts]")
      ->check(CLI::Range(64u, 1u << 30).description(""))
      ->type_name("N");
  command
      .add_option("--kv-disk", engine.kv_disk_bytes,
                  "Keep what the cache evicts in a file, at most 8G, ... [off]")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE");
  command.add_option("--kv-disk-dir", engine.kv_disk_folder, "The folder of that file [/var/tmp]")
      ->type_name("DIR");
  command.add_option("--queue", engine.queue_max, "Requests that wait; more get 429 [64]")
      ->check(CLI::Range(1u, 1u << 20).description(""))
      ->type_name("N");
  command
      .add_option("--stall", engine.stall,
                  "Times as long a step may take for others' prompts; 0: any [2.3]")
      ->check(CLI::Validator(
          [](std::string& text) {
            double factor = -1;
            const bool read = CLI::detail::lexical_cast(text, factor);
            return read && (factor == 0 || (factor >= 1.1 && factor <= 1e6))
                       ? std::string()
                       : "expected 0, or 1.1 to 1000000, not " + text;
          },
          ""))
      ->type_name("X");
  command
      .add_option("--name", flags->daemon.names,
                  "What clients may call the model, may be repeated [the file's name]")
      ->type_name("ALIAS")
      ->take_all()
      ->expected(1);
  command
      .add_option("--api-key", flags->listen.api.api_keys,
                  "Ask clients for this key, may be repeated; `ps` shows it")
      ->type_name("KEY")
      ->take_all()
      ->expected(1);
  add_access_flags(command, flags->listen);
  command.add_option("--log-format", flags->listen.log.format, "text or json, on standard error")
      ->type_name("FORMAT");
  command.footer(R"(Example:
  drystone serve pebble --listen 127.0.0.1:8080
  curl http://127.0.0.1:8080/v1/chat/completions \
    -d '{"messages": [{"role": "user", "content": "Hello"}]}'
Beyond this machine (0.0.0.0, ...) a key is required. SIGINT or SIGTERM ends the server.)");
  command.callback([flags, &exit_code] { exit_code = finish("serve", serve(*flags)); });
}

}  // namespace drystone
