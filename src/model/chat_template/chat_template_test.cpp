#include "model/chat_template/chat_template.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace drystone {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::tm noon() {  // 2026-11-20T12:00:00, a Friday
  std::tm now{};
  now.tm_year = 126, now.tm_mon = 10, now.tm_mday = 20, now.tm_hour = 12, now.tm_wday = 5,
  now.tm_yday = 323;
  return now;
}

Result<std::string> render(std::string_view source, const boost::json::object& variables = {}) {
  auto parsed = ChatTemplate::parse(source);
  if (!parsed) return parsed.error();
  return parsed->render(variables, noon());
}

std::string text_of(const boost::json::value& v) {
  return {v.as_string().data(), v.as_string().size()};
}

// A prompt that differs by one space from what a model was trained on makes it answer worse,
// silently.
TEST(ChatTemplate, RealTemplatesRenderExactlyAsJinja2) {
  const std::filesystem::path folder =
      std::filesystem::path(DRYSTONE_SHARED_DIR) / "data/chat-templates";
  if (!std::filesystem::exists(folder / "golden.json"))
    GTEST_SKIP() << "the chat templates of ../shared are not here";
  const auto golden = boost::json::parse(read(folder / "golden.json"));
  int cases = 0;
  for (const auto& [name, rendered] : golden.at("rendered").as_object()) {
    auto parsed = ChatTemplate::parse(read(folder / (std::string(name) + ".jinja")));
    ASSERT_TRUE(parsed) << name << ": " << parsed.error().message();
    for (const auto& [conversation, expected] : rendered.as_object()) {
      auto variables = golden.at("conversations").at(conversation).as_object();
      variables["add_generation_prompt"] = true;
      variables["bos_token"] = "<BOS>";
      variables["eos_token"] = "<EOS>";
      const auto got = parsed->render(variables, noon());
      ++cases;
      if (expected.is_string()) {
        ASSERT_TRUE(got) << name << " " << conversation << ": " << got.error().message();
        EXPECT_EQ(*got, text_of(expected)) << name << " " << conversation;
      } else {
        ASSERT_TRUE(got.is(Errc::invalid_argument)) << name << " " << conversation;
        EXPECT_EQ(got.error().message(), text_of(expected.at("error")))
            << name << " " << conversation;
      }
    }
  }
  EXPECT_GE(cases, 80);
}

// Templates of models to come use corners of the language that today's do not: compare with Jinja2
// itself.
TEST(ChatTemplate, SnippetsRenderExactlyAsJinja2) {
  const auto path =
      std::filesystem::path(DRYSTONE_SOURCE_DIR) / "tests/golden/chat_template/snippets.json";
  const auto golden = boost::json::parse(read(path));
  const auto& variables = golden.at("variables").as_object();
  for (const auto& entry : golden.at("snippets").as_array()) {
    const std::string source = text_of(entry.at("source"));
    const auto got = render(source, variables);
    if (entry.as_object().contains("text")) {
      EXPECT_TRUE(got) << source << ": " << got.error().message();
      if (!got) continue;
      EXPECT_EQ(*got, text_of(entry.at("text"))) << source;
    } else {
      EXPECT_FALSE(got) << source << " rendered as " << (got ? *got : "");
    }
  }
}

// A user who mistypes a template needs the place.
TEST(ChatTemplate, ErrorsNameTheLine) {
  EXPECT_EQ(render("a\nb{% if x %}\nc").error().message(),
            "line 3: expected 'elif' or 'else' or 'endif', found end of template");
  EXPECT_EQ(render("\n\n{{ x.y }}").error().message(), "line 3: 'x' is undefined");
  EXPECT_EQ(render("{{ 1 +\n }}").error().message(), "line 2: expected an expression, found '}}'");
  EXPECT_EQ(render("\n{% nonsense %}").error().message(), "line 2: unknown tag 'nonsense'");
  EXPECT_TRUE(render("{{ '").is(Errc::corrupt));
}

// A model file comes from strangers: its template must not take the machine's time, memory or
// stack.
TEST(ChatTemplate, HostileTemplatesMeetALimit) {
  const auto repeat = [](std::string_view part, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += part;
    return out;
  };
  const std::string hostile[] = {
      "{% for i in range(10**9) %}x{% endfor %}",
      "{{ 'x' * 10**9 }}",
      "{{ ('x' * 10**6) * 10**6 }}",
      "{{ [1] * 10**12 }}",
      "{{ 10 ** 100 }}",
      "{{ 9223372036854775807 + 1 }}",
      "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
      "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}",
      "{% set a = [] %}{% set b = [] %}{% set _ = a.append(b) %}{% set _ = b.append(a) %}{{ a == b "
      "}}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% "
      "endfor %}",
      "{% for i in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
      "{{ " + repeat("(", 100'000) + " }}",
      "{{ " + repeat("(", 100'000) + "1" + repeat(")", 100'000) + " }}",
      "{{ " + repeat("[", 5'000) + repeat("]", 5'000) + " }}",
      "{{ x" + repeat(".a", 100'000) + " }}",
      "{{ 1" + repeat("+1", 100'000) + " }}",
      "{{ " + repeat("not ", 100'000) + "1 }}",
      "{{ " + repeat("-", 100'000) + "1 }}",
      repeat("{% if 1 %}", 50'000),
      "{{ '%999999999d' % 1 }}",
      "{{ range(1, 2, 1) | list | tojson(indent=1000000000) }}",
  };
  for (const auto& source : hostile) {
    const auto got = render(source);
    ASSERT_FALSE(got) << source.substr(0, 100);
    EXPECT_TRUE(got.is(Errc::limit) || got.is(Errc::corrupt))
        << source.substr(0, 100) << ": " << got.error().message();
  }
}

// Chains that are long but shallow to read are legitimate; they must not hit the bound of nesting.
TEST(ChatTemplate, LongConversationsRender) {
  boost::json::array messages;
  for (int i = 0; i < 2000; ++i)
    messages.push_back(
        {{"role", i % 2 ? "assistant" : "user"}, {"content", std::string(500, 'x')}});
  const auto got =
      render("{% for m in messages %}{{ '<' + m.role + '>' + m.content | trim }}\n{% endfor %}",
             {{"messages", messages}});
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->size(), 1000 * (6 + 11) + 2000 * 501);
}

// Clients parse the message of a refusing template as it stands.
TEST(ChatTemplate, RaiseExceptionIsVerbatim) {
  const auto got = render("{{ raise_exception('No \"system\" role.') }}");
  EXPECT_TRUE(got.is(Errc::invalid_argument));
  EXPECT_EQ(got.error().message(), "No \"system\" role.");
}

// The template's tag for training masks must not change the prompt.
TEST(ChatTemplate, GenerationTagsAreTransparent) {
  EXPECT_EQ(*render("a{% generation %}b{{ 1 }}{% endgeneration %}c"), "ab1c");
  EXPECT_EQ(
      *render("{% for i in [1, 2] %}{% generation %}\n{{ i }}\n{% endgeneration %}\n{% endfor %}"),
      "1\n2\n");
}

TEST(ChatTemplate, TheClockIsTheCallers) {
  EXPECT_EQ(*render("{{ strftime_now('%d %b %Y %H:%M') }}"), "20 Nov 2026 12:00");
}

}  // namespace
}  // namespace drystone
