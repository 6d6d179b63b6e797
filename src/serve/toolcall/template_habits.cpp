#include "serve/toolcall/template_habits.h"

#include <array>
#include <ctime>
#include <optional>

namespace drystone {
namespace json = boost::json;

namespace {

// Words that no template contains, so that finding one in a prompt says where it came from.
constexpr std::string_view kTool = "probe_tool", kOtherTool = "probe_other", kKey = "probe_key",
                           kValue = "probe_value", kThought = "probe_thought",
                           kInstruction = "probe_instruction", kText = "probe_text";
constexpr std::string_view kShortId = "probe0001", kLongId = "call_probe_0000000001";

struct Probe {
  json::value arguments;  // of the calls
  json::value content = "";
  std::string_view id = kShortId;
  std::string_view reasoning_key;  // empty: none
  bool second_call = false;
};

json::object call_of(std::string_view tool, std::string_view id, const json::value& arguments) {
  return {{"id", id},
          {"type", "function"},
          {"function", json::object{{"name", tool}, {"arguments", arguments}}}};
}

json::array probe_tools() {
  json::array tools;
  for (const std::string_view name : {kTool, kOtherTool})
    tools.push_back(json::object{
        {"type", "function"},
        {"function", json::object{{"name", name},
                                  {"description", "A probe."},
                                  {"parameters", json::parse(R"({"type": "object", "properties":
                           {"probe_key": {"type": "string", "description": "A key."}}})")}}}});
  return tools;
}

// A question, an answer with calls, and their results; nothing: the template refuses it.
class Prober {
 public:
  explicit Prober(const ChatTemplate& chat_template) : template_(chat_template) {}

  std::optional<std::string> render(json::array messages) const {
    json::object variables = {{"messages", std::move(messages)},
                              {"tools", probe_tools()},
                              {"add_generation_prompt", true},
                              {"bos_token", ""},
                              {"eos_token", ""}};
    std::tm now{};
    now.tm_year = 126;
    now.tm_mday = 1;
    auto prompt = template_.render(variables, now);
    if (!prompt) return std::nullopt;
    return std::move(*prompt);
  }

  std::optional<std::string> render(const Probe& probe) const {
    json::object answer = {{"role", "assistant"}, {"content", probe.content}};
    json::array calls = {call_of(kTool, probe.id, probe.arguments)};
    if (probe.second_call) calls.push_back(call_of(kOtherTool, "probe0002", probe.arguments));
    answer["tool_calls"] = std::move(calls);
    if (!probe.reasoning_key.empty()) answer[probe.reasoning_key] = kThought;
    json::array messages = {json::object{{"role", "user"}, {"content", "Hello"}},
                            std::move(answer)};
    const auto result = [](std::string_view tool, std::string_view id) {
      return json::object{
          {"role", "tool"}, {"tool_call_id", id}, {"name", tool}, {"content", "ok"}};
    };
    messages.push_back(result(kTool, probe.id));
    if (probe.second_call) messages.push_back(result(kOtherTool, "probe0002"));
    return render(std::move(messages));
  }

 private:
  const ChatTemplate& template_;
};

bool has(const std::optional<std::string>& prompt, std::string_view word) {
  return prompt && prompt->find(word) != std::string::npos;
}

std::size_t count(const std::optional<std::string>& prompt, std::string_view word) {
  std::size_t times = 0;
  if (prompt)
    for (std::size_t at = 0; (at = prompt->find(word, at)) != prompt->npos; at += word.size())
      ++times;
  return times;
}

// Objects that are written as Python prints them, or text that is written as a JSON string, show
// that the template expects the other kind.
bool well_written(const std::optional<std::string>& prompt) {
  return has(prompt, kValue) && !has(prompt, "'probe_key'") && !has(prompt, "\\\"probe_key");
}

// What templates that cannot tell null from text make of it.
std::size_t printed_nulls(const std::optional<std::string>& prompt) {
  return count(prompt, "None") + count(prompt, "null");
}

void learn_calls(const Prober& prober, TemplateHabits& habits) {
  const json::value object = json::object{{kKey, kValue}};
  const json::value text(json::serialize(object));
  Probe probe{.arguments = object};
  // Some templates refuse an empty content, some null; both are tried with both kinds of arguments.
  bool found = false;
  for (const bool null_content : {false, true}) {
    for (const bool as_object : {true, false}) {
      if (found) continue;
      probe.arguments = as_object ? object : text;
      probe.content = null_content ? json::value(nullptr) : json::value("");
      found = well_written(prober.render(probe));
      habits.arguments_as_object = as_object || !found;
      habits.content_null_with_calls = null_content && found;
    }
  }
  habits.shows_calls = found;
  if (!found) return;

  const auto with_text = prober.render(probe);
  Probe other = probe;
  other.content = nullptr;
  const auto with_null = prober.render(other);
  // Where both work, an empty text may be written as an empty message beside the calls.
  if (with_null && well_written(with_null) &&
      printed_nulls(with_null) <= printed_nulls(with_text) && with_null->size() < with_text->size())
    habits.content_null_with_calls = true;

  other = probe;
  other.id = kLongId;
  habits.short_ids = !well_written(prober.render(other));

  other = probe;
  other.second_call = true;
  const auto both = prober.render(other);
  habits.one_call_per_message = count(both, kOtherTool) <= count(with_text, kOtherTool);
}

void learn_reasoning(const Prober& prober, TemplateHabits& habits) {
  Probe probe;
  probe.arguments = json::object{{kKey, kValue}};
  if (!habits.arguments_as_object) probe.arguments = json::serialize(probe.arguments);
  if (habits.content_null_with_calls) probe.content = nullptr;
  for (const std::string_view key : {"reasoning_content", "thinking", "reasoning"}) {
    probe.reasoning_key = key;
    if (!habits.reasoning_key.empty() || !has(prober.render(probe), kThought)) continue;
    habits.reasoning_key = key;
    probe.content = kText;
    habits.reasoning_excludes_content = !has(prober.render(probe), kThought);
    probe.content = "";
  }
}

}  // namespace

TemplateHabits learn_habits(const ChatTemplate& chat_template) {
  const Prober prober(chat_template);
  TemplateHabits habits;
  const json::object user = {{"role", "user"}, {"content", "Hello"}};
  habits.shows_tools = has(prober.render(json::array{user}), kTool);
  learn_calls(prober, habits);
  if (habits.shows_calls) learn_reasoning(prober, habits);
  const json::object developer = {{"role", "developer"}, {"content", kInstruction}};
  const json::object system = {{"role", "system"}, {"content", kInstruction}};
  // Templates that write any role as it comes do not know this one: models were not trained on it.
  const auto told = prober.render(json::array{developer, user});
  habits.knows_developer =
      has(told, kInstruction) && told == prober.render(json::array{system, user});
  return habits;
}

}  // namespace drystone
