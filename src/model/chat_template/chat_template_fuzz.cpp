#include <string_view>

#include "model/chat_template/parser.h"
#include "model/chat_template/render.h"

// Any bytes as a template: an answer or a Failure, within small limits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone::jinja;
  static const boost::json::object variables = boost::json::parse(R"({
    "messages": [{"role": "user", "content": "h\u00e9llo"}, {"role": "assistant", "content": null, "tool_calls": []}],
    "n": 3, "x": 1.5, "s": " a,b ", "d": {"k": [1, 2], "items": true}, "tools": [{"function": {"name": "f"}}]})")
                                                   .as_object();
  try {
    const Body body = parse_template({reinterpret_cast<const char*>(data), size});
    render(body, variables, std::tm{}, {.steps = 20'000, .bytes = 1 << 20, .depth = 200});
  } catch (const Failure&) {
  }
  return 0;
}
