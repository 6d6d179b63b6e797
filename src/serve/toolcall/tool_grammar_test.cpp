#include "serve/toolcall/tool_grammar.h"

#include <gtest/gtest.h>

#include "engine/constraint/automaton.h"
#include "engine/constraint/gbnf_parser.h"
#include "engine/constraint/parses.h"
#include "serve/toolcall/gbnf_sampler.h"
#include "serve/toolcall/gbnf_writer.h"
#include "serve/toolcall/joined_parts.h"

namespace drystone {
namespace {

namespace json = boost::json;

const json::array& tools() {
  static const json::array tools = json::parse(R"([
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
      "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "a\"<b"]},
                     "days": {"$ref": "#/$defs/count"}, "note": {"type": ["string", "null"]}},
      "required": ["city", "days"], "$defs": {"count": {"type": "integer"}}}}},
    {"type": "function", "function": {"name": "stop-all"}}])")
                                       .as_array();
  return tools;
}

std::vector<ReplyFormat> formats() {
  std::vector<ReplyFormat> all;
  for (int format = 1; format <= static_cast<int>(ToolFormat::harmony); ++format) {
    const bool harmony = format == static_cast<int>(ToolFormat::harmony);
    const ReasoningMarks marks = format % 2 == 0 ? ReasoningMarks{"<think>", "</think>"}
                                                 : ReasoningMarks{"[THINK]", "[/THINK]"};
    all.push_back({static_cast<ToolFormat>(format), harmony ? ReasoningMarks{} : marks});
  }
  return all;
}

// With what the constraint engine writes for the schemas, here by hand.
std::map<std::string, std::string> values(const ToolGrammar& grammar) {
  std::map<std::string, std::string> given;
  for (const auto& [name, schema] : grammar.schemas) {
    const json::object& object = schema.as_object();
    given[name] = object.contains("properties") ? R"({"city": "Br\n}</tool_call>", "days": -7})"
                  : object.contains("$ref")     ? "-7"
                                                : "{}";
  }
  return given;
}

std::string sample(const ToolGrammar& grammar, std::uint64_t seed) {
  return GbnfSampler(grammar.gbnf, values(grammar), seed).sample();
}

struct Read {
  std::string content, reasoning;
  std::vector<std::pair<std::string, std::string>> calls;
};

Read read(std::string_view text, const ReplyFormat& format, bool reasoning_open) {
  Read read;
  const SplitterOptions options{
      .format = format, .tools = tools(), .reasoning_open = reasoning_open};
  for (const ReplyPart& part : joined_parts({text}, options)) {
    if (part.kind == ReplyPart::Kind::content) read.content += part.text;
    if (part.kind == ReplyPart::Kind::reasoning) read.reasoning += part.text;
    if (part.kind == ReplyPart::Kind::tool_call) read.calls.push_back({part.name, ""});
    if (part.kind == ReplyPart::Kind::tool_arguments) read.calls[part.call].second += part.text;
  }
  return read;
}

// What the grammar allows, the splitter must read as exactly that: calls, and nothing beside them.
TEST(ToolGrammar, WhateverItAllowsIsReadBack) {
  for (const ReplyFormat& format : formats()) {
    for (const bool open : {false, true}) {
      for (const bool parallel : {false, true}) {
        if (open && format.reasoning.open.empty()) continue;
        const auto grammar =
            tool_grammar(format, tools(), {.parallel = parallel, .reasoning_open = open});
        ASSERT_TRUE(grammar) << grammar.error().message();
        bool several = false;
        for (std::uint64_t seed = 0; seed < 150; ++seed) {
          const std::string text = sample(*grammar, seed);
          const Read found = read(text, format, open);
          EXPECT_EQ(found.content, "") << to_string(format.tools) << ": " << text;
          ASSERT_GE(found.calls.size(), 1U) << to_string(format.tools) << ": " << text;
          several = several || found.calls.size() > 1;
          for (const auto& [name, arguments] : found.calls) {
            boost::system::error_code failed;
            const json::value parsed = json::parse(arguments, failed);
            ASSERT_TRUE(!failed && parsed.is_object()) << arguments << " in " << text;
            if (name != "get_weather") continue;
            ASSERT_TRUE(parsed.as_object().contains("city")) << text;
            EXPECT_TRUE(parsed.at("city").is_string()) << text;
            EXPECT_EQ(parsed.at("days"), -7) << text;
            const json::value* unit = parsed.as_object().if_contains("unit");
            EXPECT_TRUE(unit == nullptr || *unit == "c" || *unit == "a\"<b") << text;
          }
        }
        EXPECT_EQ(several, parallel && format.tools != ToolFormat::harmony)
            << to_string(format.tools);
      }
    }
  }
}

// The constraint engine must understand every grammar, and follow the same texts to their end.
TEST(ToolGrammar, TheConstraintEngineFollowsIt) {
  for (const ReplyFormat& format : formats()) {
    const auto made = tool_grammar(format, tools(), {.parallel = true});
    ASSERT_TRUE(made) << made.error().message();
    std::string gbnf = made->gbnf;
    for (const auto& [name, value] : values(*made))
      gbnf += name + " ::= " + reply::GbnfWriter::quoted(value) + "\n";
    const auto grammar = constraint::parse_gbnf(gbnf);
    ASSERT_TRUE(grammar) << grammar.error().message() << "\n" << gbnf;
    const auto automaton = constraint::build_automaton(*grammar, std::bitset<256>().set());
    ASSERT_TRUE(automaton) << automaton.error().message() << "\n" << gbnf;
    constraint::Parses parses(*automaton);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const std::string text = sample(*made, seed);
      parses.start();
      std::size_t read = 0;
      while (read < text.size() && parses.push(static_cast<std::uint8_t>(text[read]))) ++read;
      EXPECT_EQ(read, text.size()) << to_string(format.tools) << ": " << text;
      EXPECT_TRUE(parses.complete()) << to_string(format.tools) << ": " << text;
      EXPECT_FALSE(parses.overflowed());
    }
  }
}

// tool_choice with a name leaves no other tool to the model.
TEST(ToolGrammar, ANamedFunctionIsTheOnlyOne) {
  for (const ReplyFormat& format : formats()) {
    const auto grammar =
        tool_grammar(format, tools(), {.function = "stop-all", .reasoning_allowed = false});
    ASSERT_TRUE(grammar) << grammar.error().message();
    const std::string text = sample(*grammar, 1);
    const Read found = read(text, format, false);
    ASSERT_EQ(found.calls.size(), 1U) << text;
    EXPECT_EQ(found.calls[0], std::make_pair(std::string("stop-all"), std::string("{}"))) << text;
    EXPECT_EQ(found.reasoning, "") << text;
  }
}

// An integrator resolves the rules by these schemas; $defs must travel with what refers to them.
TEST(ToolGrammar, SchemasAreCompleteInThemselves) {
  const auto whole = tool_grammar({ToolFormat::hermes, {}}, tools(), {.function = "get_weather"});
  ASSERT_TRUE(whole) << whole.error().message();
  ASSERT_EQ(whole->schemas.size(), 1U);
  EXPECT_EQ(whole->schemas[0].second, tools()[0].at("function").at("parameters"));
  EXPECT_NE(whole->gbnf.find(" " + whole->schemas[0].first + " "), std::string::npos);

  const auto parts = tool_grammar({ToolFormat::glm, {}}, tools(), {.function = "get_weather"});
  ASSERT_TRUE(parts) << parts.error().message();
  ASSERT_EQ(parts->schemas.size(), 1U);  // the others may be any text
  EXPECT_EQ(parts->schemas[0].second,
            json::parse(R"({"$ref": "#/$defs/count", "$defs": {"count": {"type": "integer"}}})"));
}

TEST(ToolGrammar, ErrorsSayWhatIsWrong) {
  const auto error = [](ToolFormat format, std::string_view tools_text, std::string function) {
    const auto grammar = tool_grammar({format, {}}, json::parse(tools_text).as_array(),
                                      {.function = std::move(function)});
    return grammar ? std::string("none") : grammar.error().message();
  };
  EXPECT_EQ(error(ToolFormat::none, "[]", ""),
            "this model's chat template has no tool calls, so none can be required of it");
  EXPECT_EQ(error(ToolFormat::hermes, R"([{"function": {"name": "f"}}])", "g"),
            "tool_choice names g, but the tools are: f");
  EXPECT_EQ(error(ToolFormat::hermes, R"([{"function": {"name": "f"}}, {"function": {}}])", ""),
            "tools[1].function.name is missing");
  EXPECT_EQ(error(ToolFormat::hermes, R"([{"function": {"name": "a b"}}])", ""),
            "tools[0].function.name is \"a b\"; use up to 256 letters, digits, _ and -");
  EXPECT_EQ(
      error(ToolFormat::glm,
            R"([{"function": {"name": "f", "parameters": {"properties": {"<": {}}}}}])", ""),
      "tool f: a parameter is called \"<\", which glm cannot write; use 1 to 256 bytes without "
      "< > \" and line ends");
}

}  // namespace
}  // namespace drystone
