#include <array>
#include <string>

#include "serve/toolcall/reply_context.h"

// gpt-oss: a reply is a chain of messages, each with a header that says who it is for.
//   <|channel|>analysis<|message|>TEXT<|end|>
//   <|start|>assistant<|channel|>commentary to=functions.NAME
//   <|constrain|>json<|message|>{...}<|call|>
//   <|start|>assistant<|channel|>final<|message|>TEXT<|return|>
// The prompt ends with <|start|>assistant, so a reply begins within a header.
namespace drystone::reply {
namespace {

using Kind = ReplyPart::Kind;

constexpr std::string_view kStart = "<|start|>", kChannel = "<|channel|>", kMessage = "<|message|>";
// What may stand behind a text: the end of the message, or at once the beginning of the next.
constexpr std::array<std::string_view, 5> kTextEnds = {"<|end|>", "<|call|>", "<|return|>", kStart,
                                                       kChannel};
constexpr std::size_t kBeginningsFrom = 3;  // in kTextEnds
constexpr std::array<std::string_view, 3> kHeaderBeginnings = {kStart, kChannel, "to="};
constexpr std::size_t kHeaderBytesMax = 512;

struct Header {
  Kind kind = Kind::content;
  std::string function;  // of a call
};

// What stands behind `word` up to the next space or mark; empty: nothing.
std::string_view word_behind(std::string_view header, std::string_view word) {
  const std::size_t at = header.find(word);
  if (at == header.npos) return {};
  header.remove_prefix(at + word.size());
  return header.substr(0, header.find_first_of(" \n<"));
}

Header parse_header(std::string_view text, const ToolSchemas& tools) {
  Header header;
  if (word_behind(text, kChannel) == "analysis") header.kind = Kind::reasoning;
  std::string_view recipient = word_behind(text, "to=");
  constexpr std::string_view kFunctions = "functions.";
  const bool function = recipient.starts_with(kFunctions);
  if (function) recipient.remove_prefix(kFunctions.size());
  if (!tools.empty() && !recipient.empty() && (function || tools.knows(recipient)))
    header.function = recipient;
  return header;
}

// Consumes one of `words` if it comes next.
Parse<bool> any_literal(ReplyReader& in, std::span<const std::string_view> words) {
  for (const std::string_view& word : words) {
    const bool found = co_await literal(in, word);
    if (found) co_return true;
  }
  co_return false;
}

// Whether one of `words` comes next, behind white space. Consumes nothing.
Parse<bool> comes_next(ReplyReader& in, std::span<const std::string_view> words) {
  in.hold();
  co_await peek_solid(in);
  const bool found = co_await any_literal(in, words);
  in.rewind();
  co_return found;
}

// The header up to and with <|message|>, of which `begun` is read already. Fails when it is too
// long or a mark stands in it that ends a message. A header that the end of the text cuts off is no
// content either: it becomes one without a message.
Parse<std::optional<Header>> read_header(ReplyContext& reply, std::string_view begun) {
  std::string text(begun);
  const std::span<const std::string_view> ends(kTextEnds.data(), kBeginningsFrom);
  while (text.size() <= kHeaderBytesMax) {
    const bool message = co_await literal(reply.in, kMessage);
    if (message) co_return parse_header(text, reply.tools);
    const bool end = co_await any_literal(reply.in, ends);
    if (end) co_return std::nullopt;
    const std::optional<char> next = co_await peek(reply.in);
    if (!next && text.find("<|") != text.npos) co_return Header{};
    if (!next) co_return std::nullopt;
    text += *next;
    reply.in.consume(1);
  }
  co_return std::nullopt;
}

// The text of a message and the mark behind it; nothing: the text ended.
Parse<std::optional<std::size_t>> read_text(ReplyContext& reply, Kind kind) {
  const TextSink sink = [&](std::string_view text) { reply.out.text(kind, text); };
  const std::optional<std::size_t> mark = co_await text_until(reply.in, kTextEnds, sink);
  if (mark) reply.out.mark();
  co_return mark;
}

// The arguments of a call; where something else is written, it is text.
Parse<Done> read_arguments(ReplyContext& reply, const std::string& function) {
  const std::optional<char> first = co_await peek_solid(reply.in);
  bool none = !first;
  if (first == '<') none = co_await comes_next(reply.in, kTextEnds);
  if (first != '{' && !none) co_return {};
  reply.out.begin_call(function, "");
  const bool cut = !first && reply.in.cut_off();  // who knows what the arguments would have been
  if (none && !cut) reply.out.arguments("{}");
  if (none) co_return {};
  const TextSink sink = [&](std::string_view text) { reply.out.arguments(text); };
  co_await stream_json(reply.in, sink);
  co_return {};
}

}  // namespace

Parse<Done> read_harmony(ReplyContext& reply) {
  std::string begun;  // of the header
  bool at_header = co_await comes_next(reply.in, kHeaderBeginnings);
  while (true) {
    std::optional<Header> header;
    if (at_header) {
      reply.in.hold();
      header = co_await read_header(reply, begun);
      if (header) reply.in.release();
      if (header) reply.out.mark();
      if (!header) reply.in.rewind();
      if (!header) reply.out.text(Kind::content, begun);
    }
    if (header && !header->function.empty()) co_await read_arguments(reply, header->function);
    const Kind kind = header ? header->kind : Kind::content;
    reply.in_reasoning = kind == Kind::reasoning;
    const std::optional<std::size_t> mark = co_await read_text(reply, kind);
    reply.in_reasoning = false;
    if (!mark) co_return {};
    const bool begins = *mark >= kBeginningsFrom;
    begun = begins ? kTextEnds[*mark] : std::string_view();
    at_header = begins;
    if (!begins) at_header = co_await comes_next(reply.in, kHeaderBeginnings);
  }
}

}  // namespace drystone::reply
