#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/engine_flags.h"
#include "app/conversation.h"
#include "app/interrupt.h"
#include "app/line_editor.h"
#include "app/open_model.h"
#include "app/progress_bar.h"
#include "app/read_file.h"

namespace drystone {
namespace {

struct RunOptions {
  EngineFlags engine;
  std::string prompt, system;
  GenerateRequest request;  // all but the prompt
  std::optional<std::uint64_t> seed;
  bool verbose = false;
};

constexpr const char* kChatHelp =
    "/clear  forget the conversation      Ctrl-C  stop the answer; at the prompt: leave\n"
    "/bye    leave (also Ctrl-D)          arrows  edit the line, earlier lines\n";

struct Answer {
  std::string text;
  FinishReason finish;
};

// Streams one answer to the standard output; Ctrl-C ends it early.
Result<Answer> answer(Engine& engine, const Conversation& conversation, const RunOptions& options) {
  GenerateRequest request = options.request;
  request.prompt = TRY(conversation.prompt());
  std::string text;
  const auto print = [&](const Delta& delta) {
    text += delta.text;
    std::fwrite(delta.text.data(), 1, delta.text.size(), stdout);
    std::fflush(stdout);
  };
  Result<GenerateResult> result = Error(Errc::cancelled, "");
  {
    const InterruptScope interrupt;
    result = engine.generate(request, print, interrupt.token());
  }
  if (!result) return std::move(result).error();
  if (text.empty() || text.back() != '\n') fmt::print("\n");
  if (options.verbose)
    fmt::print(stderr, "[{} tokens read at {:.1f} tok/s, {} written at {:.1f} tok/s]\n",
               result->prompt_tokens, result->prompt_tokens / std::max(result->prefill_s, 1e-9),
               result->completion_tokens,
               result->completion_tokens / std::max(result->decode_s, 1e-9));
  return Answer{std::move(text), result->finish};
}

// A new seed for each answer, unless one was asked for.
void reseed(RunOptions& options) {
  options.request.sampling.seed = options.seed ? *options.seed : std::random_device()();
}

Result<void> chat(Engine& engine, Conversation& conversation, RunOptions& options) {
  fmt::print("{}  (/help for help)\n", model_name(options.engine.model));
  LineEditor editor(">>> ", history_path());
  while (const std::optional<std::string> line = editor.read()) {
    const std::size_t begin = line->find_first_not_of(" \t");
    if (begin == std::string::npos) continue;
    if (line->at(begin) == '/') {
      const std::string command = line->substr(begin, line->find_last_not_of(" \t") + 1 - begin);
      if (command == "/bye") return {};
      if (command == "/clear")
        conversation.clear();
      else
        fmt::print("{}", kChatHelp);
      continue;
    }
    reseed(options);
    conversation.add("user", *line);
    auto said = answer(engine, conversation, options);
    if (said) {
      conversation.add("assistant", said->text);
    } else {  // the chat goes on without this turn
      conversation.drop_last();
      fmt::print(stderr, "{} [{}]\n", said.error().message(), to_string(said.error().code()));
    }
    fmt::print("\n");
  }
  fmt::print("\n");
  return {};
}

// A pipe or a file on the standard input is (the rest of) the prompt; /dev/null and the like are
// not read.
bool input_is_piped() {
  struct stat status = {};
  if (fstat(STDIN_FILENO, &status) != 0) return false;
  return S_ISFIFO(status.st_mode) || S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode);
}

Result<void> run(RunOptions options) {
  if (input_is_piped()) {
    const std::string input = TRY(read_standard_input());
    if (!options.prompt.empty() && !input.empty()) options.prompt += "\n\n";
    options.prompt += input;
  }
  const bool interactive = options.prompt.empty() && isatty(STDIN_FILENO) != 0;
  if (!interactive && options.prompt.find_first_not_of(" \t\r\n") == std::string::npos)
    return Error(Errc::invalid_argument,
                 "there is nothing to answer: give a PROMPT, or pipe one in");
  const LoadedEngine loaded = TRY(load_engine(options.engine, progress_bar("loading")));
  if (loaded.engine->chat_template() == nullptr) {
    const std::string& problem = loaded.engine->chat_template_error();
    notice("run", fmt::format("{}: the text is continued, not answered",
                              problem.empty()
                                  ? "the model has no chat template"
                                  : "the model's chat template cannot be used (" + problem + ")"));
  }
  Conversation conversation(*loaded.engine, options.system);
  if (interactive) return chat(*loaded.engine, conversation, options);
  reseed(options);
  conversation.add("user", options.prompt);
  const Answer said = TRY(answer(*loaded.engine, conversation, options));
  if (said.finish == FinishReason::cancelled)
    return Error(Errc::cancelled, "the answer was stopped");
  return {};
}

void add_sampling_flags(CLI::App& command, RunOptions& options) {
  SamplingOptions& sampling = options.request.sampling;
  command
      .add_option("-n,--tokens", options.request.tokens_max,
                  "Longest answer [what the context holds]")
      ->check(CLI::Range(1u, 1u << 24).description(""))
      ->type_name("N");
  command.add_option("--system", options.system, "System message")->type_name("TEXT");
  command
      .add_option("--temperature", sampling.temperature, "0 always takes the likeliest token [0.8]")
      ->check(CLI::Range(0.0, 100.0).description(""))
      ->type_name("T");
  command.add_option("--top-k", sampling.top_k, "Sample from the K likeliest tokens [all]")
      ->type_name("K");
  command.add_option("--top-p", sampling.top_p, "Sample from the likeliest that sum to P [1]")
      ->check(CLI::Range(0.0, 1.0).description(""))
      ->type_name("P");
  command
      .add_option("--min-p", sampling.min_p,
                  "Leave out what is less than P times the likeliest [0]")
      ->check(CLI::Range(0.0, 1.0).description(""))
      ->type_name("P");
  command
      .add_option("--repetition-penalty", sampling.repetition_penalty, "Above 1: repeat less [1]")
      ->check(CLI::Range(0.01, 100.0).description(""))
      ->type_name("R");
  command.add_option("--seed", options.seed, "Same seed, same answer [random]")->type_name("N");
  command.add_option("--stop", options.request.stop, "End before this text (several times)")
      ->type_name("TEXT")
      ->expected(1)
      ->take_all();
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Chat in the terminal, or answer one prompt");
  add_engine_flags(*command, options->engine);
  command->add_option("PROMPT", options->prompt, "Answer this and end; piped input is appended")
      ->type_name("");
  add_sampling_flags(*command, *options);
  command->add_flag("--verbose", options->verbose, "Show tokens per second");
  command->footer(
      "Examples:\n"
      "  drystone run pebble\n"
      "  drystone run pebble \"Tell me a story.\" --temperature 0\n"
      "  echo \"What is 2 + 3?\" | drystone run pebble");
  command->callback([options, &exit_code] { exit_code = finish("run", run(*options)); });
}

}  // namespace drystone
