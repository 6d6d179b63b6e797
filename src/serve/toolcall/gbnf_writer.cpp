#include "serve/toolcall/gbnf_writer.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"

namespace drystone::reply {
namespace {

// A character class of everything but these two, for characters of ASCII.
std::string none_of(char a, char b) {
  const auto escaped = [](char c) {
    if (c == '\n') return std::string("\\n");
    return c == '\\' || c == ']' || c == '[' ? std::string{'\\', c} : std::string{c};
  };
  return "[^" + escaped(a) + (a == b ? "" : escaped(b)) + "]";
}

// A text without a mark is a chain of steps. Either one character that does not begin the mark, or
// the beginning of the mark, any number of times cut short by the next beginning, and then cut
// short for good by a character that neither goes on with the mark nor begins it.
struct TextSteps {
  std::string again;  // cut short by the next beginning, without the first character
  std::string for_good;
};

TextSteps text_steps(std::string_view mark) {
  const std::string first = GbnfWriter::quoted(mark.substr(0, 1));
  TextSteps steps;
  for (std::size_t read = 1; read < mark.size(); ++read) {
    const std::string_view bar = read == 1 ? "" : " | ";
    const std::string tail = read == 1 ? "" : GbnfWriter::quoted(mark.substr(1, read - 1));
    steps.again += fmt::format("{}{} {}", bar, tail, first);
    steps.for_good += fmt::format("{}{} {}", bar, tail, none_of(mark[0], mark[read]));
  }
  return steps;
}

std::string without_mark(std::string_view mark, const TextSteps& steps) {
  return fmt::format("( {} | {} ( {} )* ( {} ) )*", none_of(mark[0], mark[0]),
                     GbnfWriter::quoted(mark.substr(0, 1)), steps.again, steps.for_good);
}

}  // namespace

std::string GbnfWriter::quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += std::string{'\\', c};
    else if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + '"';
}

std::string GbnfWriter::rule(std::string_view name, std::string_view right_side) {
  std::string full = fmt::format("{}-{}", name, made_++);
  rules_ += fmt::format("{} ::= {}\n", full, right_side);
  return full;
}

std::string GbnfWriter::json(const boost::json::value& schema) {
  std::string name = fmt::format("json-{}", made_++);
  schemas_.emplace_back(name, schema);
  return name;
}

std::string GbnfWriter::shared_rule(std::string_view kind, std::string_view mark,
                                    std::string_view right_side) {
  std::string& name = shared_[fmt::format("{} {}", kind, mark)];
  if (name.empty()) name = rule(kind, right_side);
  return name;
}

std::string GbnfWriter::text_and_mark(std::string_view mark) {
  CHECK(mark.size() > 1 && mark.find(mark[0], 1) == mark.npos, mark);
  const TextSteps steps = text_steps(mark);
  const std::string end =
      fmt::format("{} ( {} )* {}", quoted(mark.substr(0, 1)), steps.again, quoted(mark.substr(1)));
  return shared_rule("text", mark, without_mark(mark, steps) + " " + end);
}

std::string GbnfWriter::text_line_and_mark(std::string_view mark) {
  CHECK(mark.size() > 1 && mark.find(mark[0], 1) == mark.npos, mark);
  const TextSteps steps = text_steps(mark);
  std::string begun;  // a beginning of the mark that the line end cuts short
  for (std::size_t read = 2; read < mark.size(); ++read)
    begun += (begun.empty() ? "" : " | ") + quoted(mark.substr(1, read - 1));
  const std::string cut =
      fmt::format("( {} ( {} )* ( {} )? )?", quoted(mark.substr(0, 1)), steps.again, begun);
  return shared_rule(
      "lines", mark,
      without_mark(mark, steps) + " " + cut + " " + quoted("\n" + std::string(mark)));
}

ToolGrammar GbnfWriter::finish(std::string_view root) && {
  return {.gbnf = fmt::format("root ::= {}\n{}", root, rules_), .schemas = std::move(schemas_)};
}

}  // namespace drystone::reply
