#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/engine_flags.h"
#include "app/cli/token_ids.h"
#include "app/progress_bar.h"

namespace drystone {
namespace {

struct LogitsOptions {
  EngineFlags engine;
  std::string tokens, out;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Error cannot_write(const std::string& path) {
  return {Errc::io, fmt::format("{}: cannot write: {}", path, std::strerror(errno))};
}

Result<void> write_logits(LogitsOptions options) {
  const std::vector<TokenId> ids = TRY(read_token_ids(options.tokens));
  if (options.engine.context == 0) options.engine.context = static_cast<std::uint32_t>(ids.size());
  const LoadedEngine loaded = TRY(load_engine(options.engine, progress_bar("loading")));
  // Before the file is touched: it may hold the rows of an earlier run.
  for (const TokenId id : ids)
    if (id < 0 || static_cast<std::uint32_t>(id) >= loaded.engine->vocab())
      return Error(Errc::invalid_argument, fmt::format("{}: token id {} is not in [0, {})",
                                                       options.tokens, id, loaded.engine->vocab()));
  std::unique_ptr<std::FILE, CloseFile> out(std::fopen(options.out.c_str(), "wb"));
  if (out == nullptr) return cannot_write(options.out);
  TRY(loaded.engine->logits(ids, [&](std::span<const float> rows) -> Result<void> {
    if (std::fwrite(rows.data(), sizeof(float), rows.size(), out.get()) == rows.size()) return {};
    return cannot_write(options.out);
  }));
  if (std::fclose(out.release()) != 0) return cannot_write(options.out);
  fmt::print("{}: {} x {} float32\n", options.out, ids.size(), loaded.engine->vocab());
  return {};
}

}  // namespace

void add_logits(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* command =
      app.add_subcommand("logits", "Write the logits after each of the given tokens");
  add_engine_flags(*command, options->engine);
  command->add_option("--tokens", options->tokens, "Text file of token ids")
      ->required()
      ->type_name("FILE");
  command->add_option("--out", options->out, "Receives float32 [tokens, vocabulary], row by row")
      ->required()
      ->type_name("FILE");
  command->footer(
      "Example:\n"
      "  drystone tokenize pebble \"Once upon a time\" --special > ids.txt\n"
      "  drystone logits pebble --tokens ids.txt --out rows.f32");
  command->callback(
      [options, &exit_code] { exit_code = finish("logits", write_logits(*options)); });
}

}  // namespace drystone
