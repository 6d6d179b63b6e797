#include <array>
#include <string>

#include "serve/toolcall/reply_context.h"

// The formats that write each call as a name, a mark and the arguments as JSON: DeepSeek, Kimi K2
// and Mistral.
namespace drystone::reply {
namespace {

struct CallMarks {
  std::string_view section_begin, call_begin, arguments_begin, call_end, section_end;
};
constexpr CallMarks kDeepseek = {"<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>",
                                 "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"};
constexpr CallMarks kKimi = {"<|tool_calls_section_begin|>", "<|tool_call_begin|>",
                             "<|tool_call_argument_begin|>", "<|tool_call_end|>",
                             "<|tool_calls_section_end|>"};
// A call may stand without its section.
constexpr std::array kDeepseekMarks = {kDeepseek.section_begin, kDeepseek.call_begin};
constexpr std::array kKimiMarks = {kKimi.section_begin, kKimi.call_begin};
constexpr std::array<std::string_view, 1> kMistralMarks = {"[TOOL_CALLS]"};

constexpr std::string_view kNoName = "<>{}[]\"\n";  // what no name contains

// Streams the arguments of a call that is sure now. False: they are broken or cut off.
Parse<bool> read_call(ReplyContext& reply, const std::string& name, const std::string& id) {
  reply.in.release();
  reply.out.begin_call(name, id);
  const TextSink sink = [&](std::string_view text) { reply.out.arguments(text); };
  const bool whole = co_await stream_json(reply.in, sink);
  co_return whole;
}

// A call that the end of a cut text parts from its arguments, where its name can be no other.
bool begin_cut_call(ReplyContext& reply, const std::string& name, const std::string& id) {
  if (!reply.in.cut_off() || !reply.tools.knows(name)) return false;
  reply.in.release();
  reply.out.begin_call(name, id);
  return true;
}

// "functions.NAME:INDEX", of which both sides may be missing.
std::string_view kimi_name(std::string_view id) {
  constexpr std::string_view kPrefix = "functions.";
  if (id.starts_with(kPrefix)) id.remove_prefix(kPrefix.size());
  const std::size_t colon = id.rfind(':');
  const bool index = colon != id.npos && colon + 1 < id.size() &&
                     id.find_first_not_of("0123456789", colon + 1) == id.npos;
  return index ? id.substr(0, colon) : id;
}

std::string without_space(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \t\r");
  return std::string(text.substr(0, end + 1));
}

// Behind call_begin: NAME<sep>{...}, or in R1's way function<sep>NAME, a line end and the arguments
// in a ```json block.
Parse<JsonCall> read_marked_call(ReplyContext& reply, const CallMarks& marks, bool known_only) {
  ReplyReader& in = reply.in;
  co_await peek_solid(in);
  const std::optional<std::string> header = co_await name_until(in, "<", kNoName);
  if (!header) co_return JsonCall::none;
  const bool separated = co_await literal(in, marks.arguments_begin);
  if (!separated) co_return JsonCall::none;
  std::string id = without_space(*header);
  std::string name(&marks == &kKimi ? kimi_name(id) : id);
  if (&marks != &kKimi) id.clear();

  std::optional<char> next = co_await peek_solid(in);
  bool fenced = false;
  if (next && *next != '{' && &marks == &kDeepseek) {
    const std::optional<std::string> line = co_await name_until(in, "\n", "<>{}[]\"");
    if (!line) co_return JsonCall::none;
    name = without_space(*line);
    fenced = co_await spaced_literal(in, "```json");
    next = co_await peek_solid(in);
  }
  if (!next && begin_cut_call(reply, name, id)) co_return JsonCall::broken;
  if (next != '{' || name.empty()) co_return JsonCall::none;
  if (known_only && !reply.tools.knows(name)) co_return JsonCall::none;
  const bool whole = co_await read_call(reply, name, id);
  if (!whole) co_return JsonCall::broken;
  if (fenced) co_await spaced_literal(in, "```");
  co_await spaced_literal(in, marks.call_end);
  co_return JsonCall::whole;
}

Parse<bool> read_section(ReplyContext& reply, const CallMarks& marks, std::size_t mark,
                         bool known_only) {
  const ReadOneCall one = [&] { return read_marked_call(reply, marks, known_only); };
  const bool begun = mark == 1;  // the mark was call_begin
  const bool found =
      co_await read_call_list(reply, marks.call_begin, marks.section_end, begun, one);
  co_return found;
}

Parse<bool> read_deepseek(ReplyContext& reply, std::size_t mark, bool known_only) {
  return read_section(reply, kDeepseek, mark, known_only);
}

Parse<bool> read_kimi(ReplyContext& reply, std::size_t mark, bool known_only) {
  return read_section(reply, kKimi, mark, known_only);
}

// [{"name": ..., "arguments": ..., "id": ...}, ...]
Parse<bool> read_mistral_array(ReplyContext& reply, bool known_only) {
  ReplyReader& in = reply.in;
  in.consume(1);  // [
  bool found = false;
  while (true) {
    co_await peek_solid(in);
    const JsonCall call = co_await read_json_call(reply, {.known_only = known_only});
    if (call == JsonCall::none) break;
    found = true;
    in.hold();
    if (call == JsonCall::broken) break;
    const bool last = co_await spaced_literal(in, "]");
    if (last) co_return in.release(), true;
    const bool another = co_await spaced_literal(in, ",");
    if (!another) break;
  }
  if (found) in.rewind();
  co_return found;
}

// NAME[CALL_ID]ID[ARGS]{...}; the id may be missing, and so may [ARGS].
Parse<bool> read_mistral_named(ReplyContext& reply, bool known_only) {
  ReplyReader& in = reply.in;
  const std::optional<std::string> header = co_await name_until(in, "[{", "<>]}\"\n");
  if (!header) co_return false;
  const std::string name = without_space(*header);
  std::string id;
  const bool has_id = co_await literal(in, "[CALL_ID]");
  if (has_id) {
    const std::optional<std::string> text = co_await name_until(in, "[{", "<>]}\"\n");
    if (!text) co_return false;
    id = *text;
  }
  co_await literal(in, "[ARGS]");
  const std::optional<char> next = co_await peek_solid(in);
  if (!next && begin_cut_call(reply, name, id)) co_return true;
  if (next != '{' || name.empty()) co_return false;
  if (known_only && !reply.tools.knows(name)) co_return false;
  co_await read_call(reply, name, id);
  co_return true;
}

Parse<bool> read_mistral(ReplyContext& reply, std::size_t, bool known_only) {
  const std::optional<char> first = co_await peek_solid(reply.in);
  bool found = false;
  if (first == '[') {
    found = co_await read_mistral_array(reply, known_only);
  } else if (first == '{') {
    const JsonCall call = co_await read_json_call(reply, {.known_only = known_only});
    found = call != JsonCall::none;
  } else {
    found = co_await read_mistral_named(reply, known_only);
  }
  co_return found;
}

}  // namespace

const CallSyntax kDeepseekCalls = {kDeepseekMarks, read_deepseek};
const CallSyntax kKimiCalls = {kKimiMarks, read_kimi};
const CallSyntax kMistralCalls = {kMistralMarks, read_mistral};

}  // namespace drystone::reply
