// A server whose model always thinks, says a sentence and calls a tool, as models of the Hermes
// kind write it, or answers what its argument says. What real clients make of calls does not depend
// on a model's mood here. Prints its address; ends at SIGTERM.
#include <fmt/format.h>

#include <cstdio>

#include "serve/api/dialects.h"
#include "serve/http/scripted_model.h"
#include "serve/http/server.h"

int main(int argc, char** argv) {
  using namespace drystone;
  const SystemClock clock;
  auto server = Server::listen(
      {.model_names = {"scripted"}, .endpoints = all_dialects(), .stop_on_signals = true}, clock);
  if (!server) {
    fmt::print(stderr, "{}\n", server.error().message());
    return 1;
  }
  ScriptedModel::Script script;
  script.answer =
      "<think>\nI need the weather.\n</think>\n\nLet me see.\n<tool_call>\n{\"name\": \"weather\", "
      "\"arguments\": {\"city\": \"Bern\"}}\n</tool_call>";
  if (argc > 1) script.answer = argv[1];
  script.format = {.tools = ToolFormat::hermes,
                   .reasoning = {.open = "<think>", .close = "</think>"}};
  (*server)->set_model(std::make_unique<ScriptedModel>(script));
  fmt::print("{}\n", (*server)->url());
  std::fflush(stdout);
  (*server)->run();
  return 0;
}
