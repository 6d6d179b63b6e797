#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/read_file.h"
#include "base/clock.h"
#include "model/chat_template/chat_template.h"

namespace drystone {
namespace {

namespace json = boost::json;

struct TemplateOptions {
  std::string file, input;
};

Result<json::object> read_conversation(const std::string& path) {
  const std::string text = TRY(read_file(path));
  boost::system::error_code code;
  json::value value = json::parse(text, code);
  if (code) return Error(Errc::corrupt, fmt::format("{}: is not JSON: {}", path, code.message()));
  if (!value.is_object())
    return Error(Errc::corrupt, fmt::format("{}: expected a JSON object with messages", path));
  return std::move(value.as_object());
}

// "2026-11-20T12:00:00" (the time may be absent); the local time where `variables` have no `now`.
Result<std::tm> take_now(json::object& variables) {
  std::tm now = {};
  const json::value* text = variables.if_contains("now");
  if (text == nullptr) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(SystemClock().wall()));
    localtime_r(&seconds, &now);
    return now;
  }
  const std::string shown =
      text->is_string() ? std::string(text->as_string()) : json::serialize(*text);
  if (std::sscanf(shown.c_str(), "%d-%d-%dT%d:%d:%d", &now.tm_year, &now.tm_mon, &now.tm_mday,
                  &now.tm_hour, &now.tm_min, &now.tm_sec) < 3)
    return Error(Errc::invalid_argument,
                 fmt::format("now is '{}', expected YYYY-MM-DDThh:mm:ss", shown));
  now.tm_year -= 1900;
  now.tm_mon -= 1;
  now.tm_isdst = -1;
  std::tm whole = now;
  if (std::mktime(&whole) == -1)
    return Error(Errc::invalid_argument, fmt::format("now is '{}', which is no date", shown));
  now.tm_wday = whole.tm_wday;
  now.tm_yday = whole.tm_yday;
  variables.erase("now");
  return now;
}

Result<void> render(const TemplateOptions& options) {
  const std::string source = TRY(read_file(options.file));
  json::object variables = TRY(read_conversation(options.input));
  const std::tm now = TRY(take_now(variables));
  if (!variables.contains("add_generation_prompt")) variables["add_generation_prompt"] = true;
  auto chat_template = ChatTemplate::parse(source);
  if (!chat_template) return std::move(chat_template).error().with(options.file);
  auto text = chat_template->render(variables, now);
  if (!text) return std::move(text).error().with(options.file);
  std::fwrite(text->data(), 1, text->size(), stdout);
  return {};
}

}  // namespace

void add_template(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TemplateOptions>();
  CLI::App* command = app.add_subcommand("template", "Render a conversation with a chat template");
  command->add_option("FILE", options->file, "Template (Jinja)")->required()->type_name("");
  command
      ->add_option("--input", options->input,
                   "JSON object: messages, tools and other variables;\nnow is the time "
                   "(YYYY-MM-DDThh:mm:ss)")
      ->required()
      ->type_name("FILE");
  command->footer(
      "Example:\n"
      "  echo '{{ messages[0].content }}' > t.jinja\n"
      "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}]}' > c.json\n"
      "  drystone template t.jinja --input c.json");
  command->callback([options, &exit_code] { exit_code = finish("template", render(*options)); });
}

}  // namespace drystone
