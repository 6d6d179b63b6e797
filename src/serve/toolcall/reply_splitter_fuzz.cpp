#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "serve/toolcall/json_scanner.h"
#include "serve/toolcall/reply_splitter.h"

// The first byte chooses the format and how the reply ends, the second where the text is cut; the
// rest is the reply. It must come out the same whether or not it is cut, and the arguments must
// begin a JSON object.
namespace {

using drystone::ReplyPart;

drystone::SplitterOptions options_of(std::uint8_t choice) {
  static const boost::json::array tools = boost::json::parse(R"([
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
      "s": {"type": "string"}, "n": {"type": "number"}, "x": {"anyOf": [{"type": "null"}, {"type": "boolean"}]}}}}},
    {"type": "function", "function": {"name": "python", "parameters": {"type": "object"}}}])")
                                              .as_array();
  const auto format = static_cast<drystone::ToolFormat>(
      (choice & 0x3f) % (static_cast<int>(drystone::ToolFormat::harmony) + 1));
  return {.format = {.tools = format, .reasoning = {"<think>", "</think>"}},
          .tools = tools,
          .reasoning_open = (choice & 0x80) != 0,
          .id_seed = 1};
}

void join(std::vector<ReplyPart>& all, std::vector<ReplyPart> more) {
  for (ReplyPart& part : more) {
    const bool text = part.kind != ReplyPart::Kind::tool_call;
    if (text && part.text.empty()) std::abort();
    if (text && !all.empty() && all.back().kind == part.kind && all.back().call == part.call)
      all.back().text += part.text;
    else
      all.push_back(std::move(part));
  }
}

std::vector<ReplyPart> split(std::string_view text, std::uint8_t choice, std::size_t step) {
  drystone::ReplySplitter splitter(options_of(choice));
  std::vector<ReplyPart> parts;
  for (std::size_t at = 0; at < text.size(); at += step)
    join(parts, splitter.push(text.substr(at, step)));
  const bool cut = (choice & 0x40) != 0;
  join(parts, splitter.finish(cut ? drystone::ReplyEnd::cut : drystone::ReplyEnd::whole));
  return parts;
}

void check_arguments(const std::vector<ReplyPart>& parts) {
  for (const ReplyPart& part : parts) {
    if (part.kind != ReplyPart::Kind::tool_arguments) continue;
    drystone::reply::JsonScanner scanner;
    std::string same;
    const std::size_t read = scanner.scan(part.text, same);
    if (part.text[0] != '{' || read != part.text.size()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::vector<ReplyPart> whole = split(text, data[0], text.size() + 1);
  if (whole != split(text, data[0], 1)) std::abort();
  if (whole != split(text, data[0], data[1] + 1)) std::abort();
  check_arguments(whole);
  return 0;
}
