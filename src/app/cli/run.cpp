#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/engine_flags.h"
#include "app/cli/node_talk.h"
#include "app/conversation.h"
#include "app/interrupt.h"
#include "app/line_editor.h"
#include "app/load/open_model.h"
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
  ApiFlags api;
};

constexpr const char* kChatHelp =
    "/clear  forget the conversation      Ctrl-C  stop the answer; at the prompt: leave\n"
    "/bye    leave (also Ctrl-D)          arrows  edit the line, earlier lines\n";

// The engine of this process.
class EngineTalk final : public Talk {
 public:
  EngineTalk(Engine& engine, std::string system)
      : engine_(engine), conversation_(engine, std::move(system)) {}
  void add(std::string_view role, std::string_view content) override {
    conversation_.add(role, content);
  }
  void drop_last() override { conversation_.drop_last(); }
  void clear() override { conversation_.clear(); }
  Result<Said> answer(const GenerateRequest& asked,
                      const std::function<void(std::string_view)>& sink,
                      std::stop_token stop) override {
    GenerateRequest request = asked;
    request.prompt = TRY(conversation_.prompt());
    Said said;
    const auto take = [&](const Delta& delta) {
      said.text += delta.text;
      sink(delta.text);
    };
    said.figures = TRY(engine_.generate(request, take, stop));
    return said;
  }

 private:
  Engine& engine_;
  Conversation conversation_;
};

// Streams one answer to the standard output; Ctrl-C ends it early.
Result<Talk::Said> answer(Talk& talk, const RunOptions& options) {
  const auto print = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  };
  Result<Talk::Said> said = Error(Errc::cancelled, "");
  {
    const InterruptScope interrupt;
    said = talk.answer(options.request, print, interrupt.token());
  }
  if (!said) return said;
  if (said->text.empty() || said->text.back() != '\n') fmt::print("\n");
  const GenerateResult& figures = said->figures;
  if (options.verbose && figures.decode_s > 0)
    fmt::print(stderr, "[{} tokens read at {:.1f} tok/s, {} written at {:.1f} tok/s]\n",
               figures.prompt_tokens, figures.prompt_tokens / std::max(figures.prefill_s, 1e-9),
               figures.completion_tokens,
               figures.completion_tokens / std::max(figures.decode_s, 1e-9));
  else if (options.verbose)
    fmt::print(stderr, "[{} tokens read, {} written]\n", figures.prompt_tokens,
               figures.completion_tokens);
  return said;
}

// A new seed for each answer, unless one was asked for.
void reseed(RunOptions& options) {
  options.request.sampling.seed = options.seed ? *options.seed : std::random_device()();
}

Result<void> chat(Talk& talk, RunOptions& options) {
  fmt::print("{}  (/help for help)\n", model_name(options.engine.model));
  LineEditor editor(">>> ", history_path());
  while (const std::optional<std::string> line = editor.read()) {
    const std::size_t begin = line->find_first_not_of(" \t");
    if (begin == std::string::npos) continue;
    if (line->at(begin) == '/') {
      const std::string command = line->substr(begin, line->find_last_not_of(" \t") + 1 - begin);
      if (command == "/bye") return {};
      if (command == "/clear")
        talk.clear();
      else
        fmt::print("{}", kChatHelp);
      continue;
    }
    reseed(options);
    talk.add("user", *line);
    auto said = answer(talk, options);
    if (said) {
      talk.add("assistant", said->text);
    } else {  // the chat goes on without this turn
      talk.drop_last();
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

// The running node, if it serves what MODEL names; a file is run here. Errors: a node that was
// named and does not answer, does not serve it, or is to run a file of ours; one that was not
// named, is there, and does not say.
Result<std::optional<NodeClient>> node_for(const RunOptions& options) {
  const std::string& model = options.engine.model;
  std::error_code error;
  const bool named = options.api.command != nullptr && is_node_named(options.api);
  if (model.find('/') != std::string::npos || std::filesystem::exists(model, error)) {
    if (!named) return std::optional<NodeClient>();
    return Error(Errc::invalid_argument,
                 fmt::format("{} is a file, which this process would run itself, and --api names a "
                             "node: leave --api out, or `drystone load {}` there and run the model "
                             "by its name",
                             model, model));
  }
  NodeClient node = TRY(connect_node(options.api));
  if (TRY(named ? serves(node, model) : serves_if_there(node, model)))
    return std::optional(std::move(node));
  if (!named) return std::optional<NodeClient>();
  return Error(Errc::not_found,
               fmt::format("the node serves no {}: `drystone load {}` first", model, model));
}

// Flags of an engine of this process, where a node's engine answers.
void tell_of_unused(const RunOptions& options) {
  std::string unused;
  for (const char* flag : {"--context", "--threads", "--kv"})
    if (options.api.command->count(flag) > 0)
      unused += (unused.empty() ? "" : ", ") + std::string(flag);
  if (unused.empty()) return;
  notice(
      "run",
      fmt::format(
          "a node answers, as it has loaded {}: {} not used. They are for `drystone load`, or "
          "for a model that no node serves",
          options.engine.model, unused + (unused.find(',') == std::string::npos ? " is" : " are")));
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
  const auto talk_with = [&](Talk& talk) -> Result<void> {
    if (interactive) return chat(talk, options);
    reseed(options);
    talk.add("user", options.prompt);
    const Talk::Said said = TRY(answer(talk, options));
    if (said.figures.finish == FinishReason::cancelled)
      return Error(Errc::cancelled, "the answer was stopped");
    return {};
  };
  if (auto node = TRY(node_for(options))) {
    tell_of_unused(options);
    const auto talk = TRY(talk_to_node(*std::move(node), options.engine.model, options.system));
    return talk_with(*talk);
  }
  const LoadedEngine loaded = TRY(load_engine(options.engine, progress_bar("loading")));
  if (loaded.engine->chat_template() == nullptr) {
    const std::string& problem = loaded.engine->chat_template_error();
    notice("run", fmt::format("{}: the text is continued, not answered",
                              problem.empty()
                                  ? "the model has no chat template"
                                  : "the model's chat template cannot be used (" + problem + ")"));
  }
  EngineTalk talk(*loaded.engine, options.system);
  return talk_with(talk);
}

void add_sampling_flags(CLI::App& command, RunOptions& options) {
  SamplingOptions& sampling = options.request.sampling;
  command
      .add_option("-n,--tokens,--max-tokens", options.request.tokens_max,
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
  options->api.command = command;
  command
      ->add_option("--api", options->api.url,
                   "The node that is asked, if it serves MODEL [http://127.0.0.1:8080]")
      ->type_name("URL");
  add_api_ca(*command, options->api.ca_file);
  command->add_flag("--verbose", options->verbose, "Show tokens per second");
  command->footer(
      "Examples:\n"
      "  drystone run pebble\n"
      "  drystone run pebble \"Tell me a story.\" --temperature 0\n"
      "  echo \"What is 2 + 3?\" | drystone run pebble");
  command->callback([options, &exit_code] { exit_code = finish("run", run(*options)); });
}

}  // namespace drystone
