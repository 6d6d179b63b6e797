#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/engine_flags.h"
#include "app/cli/token_ids.h"
#include "app/progress_bar.h"

namespace drystone {
namespace {

struct GenerateOptions {
  EngineFlags engine;
  std::string tokens;
  std::uint32_t count = 0;
};

Result<void> generate(GenerateOptions options) {
  GenerateRequest request;
  request.prompt = TRY(read_token_ids(options.tokens));
  request.tokens_max = options.count;
  request.sampling.temperature = 0;
  request.ignore_eos = true;
  if (options.engine.context == 0)
    options.engine.context = static_cast<std::uint32_t>(request.prompt.size()) + options.count;
  if (request.prompt.size() + options.count > options.engine.context)
    return Error(Errc::invalid_argument,
                 fmt::format("{} tokens of the prompt and {} to generate are more than the context "
                             "of {} holds: choose a smaller -n or a larger --context",
                             request.prompt.size(), options.count, options.engine.context));
  const LoadedEngine loaded = TRY(load_engine(options.engine, progress_bar("loading")));
  std::vector<TokenId> ids;
  const auto collect = [&](const Delta& delta) {
    for (const Sampled& token : delta.tokens) ids.push_back(token.id);
  };
  TRY(loaded.engine->generate(request, collect, {}));
  fmt::print("{}\n", fmt::join(ids, " "));
  return {};
}

}  // namespace

void add_generate(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand(
      "generate", "Print the ids that greedy decoding appends to the given tokens");
  add_engine_flags(*command, options->engine);
  command->add_option("--tokens", options->tokens, "Text file of token ids")
      ->required()
      ->type_name("FILE");
  command->add_option("-n", options->count, "How many; end-of-text tokens do not end it")
      ->required()
      ->check(CLI::Range(1u, 1u << 24).description(""))
      ->type_name("N");
  command->footer(
      "Example:\n"
      "  drystone tokenize pebble \"Once upon a time\" --special > ids.txt\n"
      "  drystone generate pebble --tokens ids.txt -n 16");
  command->callback([options, &exit_code] { exit_code = finish("generate", generate(*options)); });
}

}  // namespace drystone
