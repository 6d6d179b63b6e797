#include <vector>

#include "serve/toolcall/reply_context.h"

// Replies as most models write them: reasoning, then text with calls in it.
namespace drystone::reply {
namespace {

using Kind = ReplyPart::Kind;

// Where the text was cut off within what may be a call, or within the marks behind one: nobody's
// text, which is dropped.
bool drop_cut_off(ReplyContext& reply) {
  if (!reply.in.cut_off()) return false;
  reply.in.consume(reply.in.available().size());
  reply.out.mark();
  return true;
}

// Reads text of one kind up to a call, which is read as well, or to `close`. True: more may follow.
Parse<bool> read_text(ReplyContext& reply, Kind kind, std::string_view close) {
  const CallSyntax* calls = reply.tools.empty() ? nullptr : call_syntax(reply.format.tools);
  std::vector<std::string_view> marks;
  if (calls != nullptr) marks.assign(calls->marks.begin(), calls->marks.end());
  if (!close.empty()) marks.push_back(close);

  const TextSink sink = [&](std::string_view text) { reply.out.text(kind, text); };
  while (true) {
    const std::optional<std::size_t> mark = co_await text_until(reply.in, marks, sink);
    if (!mark) co_return false;
    if (calls == nullptr || *mark >= calls->marks.size()) {
      reply.out.mark();
      co_return true;
    }
    reply.in.hold();
    reply.in.watch();
    // Models quote marks while they think, and forget to close the thought before a call.
    const bool call = co_await calls->read(reply, *mark, kind == Kind::reasoning);
    if (drop_cut_off(reply)) co_return false;
    if (call) co_return true;
    reply.in.rewind();
    sink(marks[*mark]);
  }
}

Parse<Done> read_reasoning(ReplyContext& reply) {
  const ReasoningMarks& marks = reply.format.reasoning;
  if (marks.open.empty()) co_return {};
  if (!reply.reasoning_open) {
    // GLM writes the closing mark alone where it does not think.
    const bool none = co_await spaced_literal(reply.in, marks.close);
    if (none) reply.out.mark();
    bool open = false;
    if (!none) open = co_await spaced_literal(reply.in, marks.open);
    if (!open) co_return {};
  }
  reply.out.mark();
  reply.in_reasoning = true;
  co_await read_text(reply, Kind::reasoning, marks.close);
  reply.in_reasoning = false;
  co_return {};
}

}  // namespace

const CallSyntax* call_syntax(ToolFormat format) {
  switch (format) {
    case ToolFormat::hermes:
      return &kHermesCalls;
    case ToolFormat::qwen3_coder:
      return &kQwenCoderCalls;
    case ToolFormat::llama3:
      return &kLlamaCalls;
    case ToolFormat::mistral_array:
    case ToolFormat::mistral_args:
      return &kMistralCalls;
    case ToolFormat::deepseek_r1:
    case ToolFormat::deepseek_v3_1:
      return &kDeepseekCalls;
    case ToolFormat::kimi_k2:
      return &kKimiCalls;
    case ToolFormat::glm:
      return &kGlmCalls;
    case ToolFormat::minimax_m2:
      return &kMinimaxCalls;
    case ToolFormat::none:
    case ToolFormat::harmony:
      return nullptr;
  }
  return nullptr;
}

Parse<Done> read_reply(ReplyContext& reply) {
  co_await read_reasoning(reply);
  bool more = true;
  if (reply.format.tools == ToolFormat::llama3 && !reply.tools.empty()) {
    reply.in.watch();
    const bool call = co_await read_bare_calls(reply);
    more = !call || !drop_cut_off(reply);
  }
  while (more) more = co_await read_text(reply, Kind::content, "");
  co_return {};
}

}  // namespace drystone::reply
