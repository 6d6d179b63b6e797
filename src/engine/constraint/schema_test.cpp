#include <gtest/gtest.h>

#include "engine/constraint/random_model.h"
#include "engine/constraint/schema_validator.h"

namespace drystone {
namespace {

using Kind = ConstraintSpec::Kind;
namespace json = boost::json;

// Any text of a schema must be accepted by whoever validates it, and this is the promise that the
// whole library is for.
class RandomSchemas {
 public:
  explicit RandomSchemas(std::uint64_t seed) : rng_(seed) {}

  json::object make() {
    json::object root = schema(3).as_object();
    root["$defs"] = json::object{{"leaf", scalar()}, {"tree", tree()}};
    return root;
  }

 private:
  json::value tree() {
    return json::parse(R"({"type": "object", "properties": {"v": {"$ref": "#/$defs/leaf"},
        "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 3}},
        "required": ["v"], "additionalProperties": false})");
  }
  bool chance(std::uint64_t one_in) { return rng_.below(one_in) == 0; }

  json::value scalar() {
    json::object made;
    switch (rng_.below(8)) {
      case 0:
        made["type"] = "string";
        if (chance(2)) made["minLength"] = rng_.below(6);
        if (chance(2)) made["maxLength"] = 6 + rng_.below(200);
        break;
      case 1: {
        static const char* const kPatterns[] = {"^[a-c]{2,5}$", "x", "^\\d+(\\.\\d+)?$",
                                                "é|\\\\|\"", "^.{3}"};
        made["type"] = "string";
        made["pattern"] = kPatterns[rng_.below(5)];
        break;
      }
      case 2: {
        const auto low = static_cast<std::int64_t>(rng_.below(3000)) - 1500;
        made["type"] = "integer";
        if (chance(2)) made[chance(3) ? "exclusiveMinimum" : "minimum"] = low;
        if (chance(2))
          made[chance(3) ? "exclusiveMaximum" : "maximum"] =
              low + 2 + static_cast<std::int64_t>(rng_.below(2000));
        break;
      }
      case 3: {
        const double low = (static_cast<double>(rng_.below(4000)) - 2000) / 64;
        made["type"] = "number";
        if (chance(2)) made[chance(3) ? "exclusiveMinimum" : "minimum"] = low;
        if (chance(2))
          made[chance(3) ? "exclusiveMaximum" : "maximum"] =
              low + static_cast<double>(1 + rng_.below(200)) / 128;
        break;
      }
      case 4:
        made["enum"] = json::parse(R"(["a", "ä\"b", 12, -1.5, null, true, {"k": [1]}])");
        break;
      case 5:
        made["type"] = json::array{"boolean", "null"};
        break;
      case 6:
        made["const"] = "only \"this\"\n";
        break;
      default:
        made["type"] = json::array{"string", "integer"};
        made["nullable"] = chance(2);
        break;
    }
    return made;
  }

  json::value object(int depth) {
    static const char* const kNames[] = {"a", "b", "name", "na", "key \"q\"", "größe", "id"};
    json::object properties;
    json::array required;
    for (const char* name : kNames) {
      if (chance(2)) continue;
      properties[name] = schema(depth - 1);
      if (chance(2)) required.emplace_back(name);
    }
    const bool extra = chance(6);
    if (extra) required.emplace_back("extra");
    json::object made = {{"type", "object"}, {"properties", properties}, {"required", required}};
    if (chance(3)) {
      made["additionalProperties"] = scalar();
    } else if (chance(2)) {
      made["additionalProperties"] = extra || chance(2);
    }
    return made;
  }

  json::value array(int depth) {
    json::object made = {{"type", "array"}};
    if (chance(3)) {
      made["prefixItems"] = json::array{schema(depth - 1), schema(depth - 1)};
      if (chance(2)) made["items"] = false;
    }
    if (!made.contains("items") && chance(2)) made["items"] = schema(depth - 1);
    const bool closed = made.contains("items") && made["items"] == false;
    const std::uint64_t min = rng_.below(closed ? 3 : 5);
    if (chance(2)) made["minItems"] = min;
    if (chance(2)) made["maxItems"] = min + rng_.below(40);
    return made;
  }

  json::value schema(int depth) {
    if (depth == 0)
      return chance(5) ? json::value(json::object{{"$ref", "#/$defs/leaf"}}) : scalar();
    switch (rng_.below(9)) {
      case 0:
      case 1:
      case 2:
        return object(depth);
      case 3:
      case 4:
        return array(depth);
      case 5:
        return json::object{
            {chance(2) ? "anyOf" : "oneOf", json::array{schema(depth - 1), schema(depth - 1)}}};
      case 6:
        return json::object{{"$ref", chance(2) ? "#/$defs/tree" : "#/$defs/leaf"}, {"title", "x"}};
      case 7: {
        json::value inner = object(depth);
        inner.as_object().erase("additionalProperties");
        return json::object{
            {"allOf",
             json::array{inner, json::object{{"properties", json::object{{"more", scalar()}}}}}}};
      }
      default:
        return scalar();
    }
  }

  Rng rng_;
};

void expect_valid_answers(const std::shared_ptr<const ConstraintVocabulary>& vocabulary,
                          std::uint64_t seed, int schemas, int answers) {
  RandomSchemas random(seed);
  Rng rng(seed);
  int written = 0, unended = 0;
  for (int i = 0; i < schemas; ++i) {
    const json::object schema = random.make();
    const std::string text = json::serialize(schema);
    const auto compiled = compile({Kind::json_schema, text, {}}, vocabulary);
    ASSERT_TRUE(compiled) << compiled.error().message() << "\n" << text;
    for (int k = 0; k < answers; ++k) {
      const auto answer = write_answer(*compiled, rng, 600);
      if (testing::Test::HasFailure()) FAIL() << text;
      if (!answer) {
        ++unended;
        continue;
      }
      ++written;
      boost::system::error_code code;
      json::parse_options options;
      options.max_depth = 500;
      const json::value value = json::parse(*answer, code, {}, options);
      ASSERT_FALSE(code) << code.message() << "\n" << text << "\n" << *answer;
      const std::string wrong = SchemaValidator(schema).why_invalid(value);
      ASSERT_EQ(wrong, "") << text << "\n" << *answer;
    }
  }
  EXPECT_GT(written, unended * 4) << written << " answers, " << unended << " without an end";
}

TEST(Schema, RandomAnswersToRandomSchemasAreValidByteByByte) {
  expect_valid_answers(
      toy_vocabulary({"{\"", "\":", "\",\"", "\"}", "\"}}", "]}", "true", "\": \"", "},{"}), 1, 300,
      4);
}

TEST(Schema, RandomAnswersToRandomSchemasAreValidWithARealVocabulary) {
  const auto vocabulary = shared_vocabulary("ggml-vocab-gpt-2.gguf");
  if (!vocabulary) GTEST_SKIP() << "../shared/data/vocab/ggml-vocab-gpt-2.gguf is missing";
  expect_valid_answers(vocabulary, 2, 60, 3);
}

// json_object is used by clients that parse what they get.
TEST(Schema, AnyObjectIsAnObjectThatParses) {
  Rng rng(3);
  const auto constraint =
      compile_or_fail({Kind::json_object, "", {}}, toy_vocabulary({"\":", "\\u", "d83d"}));
  int written = 0;
  for (int i = 0; i < 300; ++i) {
    const auto answer = write_answer(constraint, rng, 400);
    if (!answer) continue;
    ++written;
    boost::system::error_code code;
    json::parse_options options;
    options.max_depth = 500;
    const json::value value = json::parse(*answer, code, {}, options);
    ASSERT_FALSE(code) << code.message() << "\n" << *answer;
    ASSERT_TRUE(value.is_object());
  }
  EXPECT_GT(written, 200);
}

struct Example {
  const char *schema, *good, *bad;  // JSON lists of texts
};

// The edges of each keyword, one by one.
TEST(Schema, KeywordsAllowAndForbidWhatTheySay) {
  const Example examples[] = {
      {R"({"type":"integer","minimum":-3,"maximum":12})", R"(["-3","0","9","10","12","-1"])",
       R"(["-4","13","1.0","-0","01","+1",""])"},
      {R"({"type":"integer","exclusiveMinimum":9,"exclusiveMaximum":1000.5})",
       R"(["10","999","1000"])", R"(["9","1001","-10"])"},
      {R"({"type":"integer","maximum":-17})", R"(["-17","-170","-99"])",
       R"(["-16","17","0","-1"])"},
      {R"({"type":"number","minimum":0,"maximum":1})", R"(["0","1","0.5","1.000","0.0"])",
       R"(["1.01","-0.1","2","1.","1e0"])"},
      {R"({"type":"number","exclusiveMinimum":0.25,"maximum":2.5})",
       R"(["0.3","0.2500001","2","2.5","2.4999","1.9"])", R"(["0.25","0.250","2.51","3","0"])"},
      {R"({"type":"number","maximum":-0.5})", R"(["-0.5","-1","-0.51","-22.4"])",
       R"(["-0.49","0","-0"])"},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       R"(["\"ab\"","\"a€😀\"","\"\\n\\u00e9\"","\"\\ud83d\\ude00a\""])",
       R"(["\"a\"","\"abcd\"","\"\\ud83d\"","ab","\"\\ud83d\\ude00\""])"},
      {R"({"enum":["a",1,null,1.5e3]})", R"(["\"a\"","1","null","1500"])", R"(["\"b\"","2"])"},
      {R"({"type":"string","enum":["a",1]})", R"(["\"a\""])", R"(["1"])"},
      {R"({"properties":{"a":{"type":"null"},"b":{"type":"boolean"}},"required":["b"]})",
       R"(["{\"a\": null, \"b\":true}","{\"b\":false}","{\n  \"a\": null,\n  \"b\": true\n}"])",
       R"(["{}","{\"a\":null}","{\"b\":true,\"a\":null}","{\"b\":true,}","{\"c\":1,\"b\":true}","{ \n\"b\":true}"])"},
      {R"({"properties":{"a":{"type":"null"}},"additionalProperties":{"type":"integer"}})",
       R"(["{}","{\"a\":null,\"b\":1}","{\"aa\":1,\"\":2}","{\"b\":1}"])",
       R"(["{\"a\":1}","{\"b\":null}","{\"\\u0061\":1}","{\"b\":1,\"a\":null}"])"},
      {R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})",
       R"(["[1,2]","[1, 2, 3]"])", R"(["[]","[1]","[1,2,3,4]","[1,\"a\"]","[1,2,]"])"},
      {R"({"type":"array","items":{"type":"null"},"maxItems":0})", R"(["[]"])", R"(["[null]"])"},
      {R"({"prefixItems":[{"type":"null"},{"type":"boolean"}],"items":{"type":"integer"},"maxItems":4})",
       R"(["[]","[null]","[null,true]","[null,false,1,2]"])",
       R"(["[true]","[null,true,1,2,3]","[null,1]"])"},
      {R"({"prefixItems":[{"type":"null"}],"items":false,"minItems":1})", R"(["[null]"])",
       R"(["[]","[null,null]"])"},
      {R"({"anyOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{"type":"null"},"b":{"type":"null"}}})",
       R"(["{\"a\":null}","{\"b\":null}","{\"a\":null,\"b\":null}"])", R"(["{}"])"},
      {R"({"allOf":[{"type":"integer","minimum":3},{"maximum":5}]})", R"(["3","5"])",
       R"(["2","6","3.5"])"},
      {R"({"$defs":{"x":{"type":"string"}},"$ref":"#/$defs/x","maxLength":1})",
       R"(["\"a\"","\"\""])", R"(["\"ab\"","1"])"},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", R"(["null"])", R"(["1"])"},
      {R"({"type":"string","format":"date"})", R"(["\"2024-02-29\"","\"1999-12-31\""])",
       R"(["\"2023-02-29\"","\"2024-04-31\"","\"1900-02-29\"","\"24-01-01\""])"},
      {R"({"type":"string","format":"date-time"})",
       R"(["\"2024-02-29T23:59:59Z\"","\"2024-01-01T00:00:00.123+05:30\""])",
       R"(["\"2024-01-01T24:00:00Z\"","\"2024-01-01T00:00:00\""])"},
      {R"({"type":"string","format":"uuid"})", R"(["\"123e4567-e89b-12d3-a456-426614174000\""])",
       R"(["\"123e4567e89b12d3a456426614174000\""])"},
      {R"({"type":"string","format":"ipv4"})", R"(["\"0.0.0.0\"","\"255.10.1.99\""])",
       R"(["\"256.0.0.1\"","\"1.2.3\"","\"01.2.3.4\""])"},
      {R"({"type":"string","format":"ipv6"})",
       R"(["\"::\"","\"::1\"","\"fe80::1:2\"","\"1:2:3:4:5:6:7:8\""])",
       R"(["\"1:2:3:4:5:6:7\"","\":::\"","\"1::2::3\""])"},
      {R"({"type":"string","format":"email"})", R"(["\"a.b@example.org\""])",
       R"(["\"a@b\"","\"@example.org\"","\"a b@example.org\""])"},
      {R"({"type":"string","format":"duration"})",
       R"(["\"P3D\"","\"PT1H30M\"","\"P1Y2M3DT4H\"","\"P2W\""])",
       R"(["\"P\"","\"PT\"","\"P1H\""])"},
      {R"({"type":"string","format":"uri"})", R"(["\"https://example.org:80/a/b?c=d#e\""])",
       R"(["\"example.org\"","\"http://a b\""])"},
      {R"(true)", R"(["1","[1,{\"a\":null}]","\"x\"","-1.5e+10"])",
       R"(["nul","[1 2]","1e","1e999","{\"a\":1,}"])"},
  };
  for (const Example& example : examples) {
    const auto constraint = schema(example.schema);
    ASSERT_TRUE(constraint);
    const json::value good = json::parse(example.good), bad = json::parse(example.bad);
    for (const json::value& text : good.as_array())
      EXPECT_TRUE(matches(constraint, std::string_view(text.as_string())))
          << example.schema << " on " << text;
    for (const json::value& text : bad.as_array())
      EXPECT_FALSE(matches(constraint, std::string_view(text.as_string())))
          << example.schema << " on " << text;
  }
}

// What is not enforced must not look as if it were.
TEST(Schema, WhatIsNotSupportedIsNamedWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"properties":{"a":{"type":"string","not":{}}}})",
       "at #/properties/a: the keyword \"not\""},
      {R"({"type":"array","uniqueItems":true})", "\"uniqueItems\""},
      {R"({"patternProperties":{}})", "\"patternProperties\""},
      {R"({"type":"integer","multipleOf":2})", "\"multipleOf\""},
      {R"({"type":"text"})", "type \"text\" is not one of object"},
      {R"({"type":"string","format":"credit-card"})", "supported are date"},
      {R"({"type":"string","pattern":"a","maxLength":3})", "only one is supported"},
      {R"x({"type":"string","pattern":"(?=a)"})x", "lookahead"},
      {R"({"$ref":"#/$defs/none"})", "leads nowhere"},
      {R"({"$ref":"https://example.org/schema"})", "leads nowhere"},
      {R"({"$ref":"#"})", "no text can satisfy"},
      {R"({"enum":[]})", "no text can satisfy"},
      {R"({"type":"integer","minimum":5,"maximum":4})", "no text can satisfy"},
      {R"({"properties":{"a":{"$ref":"#"}},"required":["a"]})", "no text can satisfy"},
      {R"({"type":"array","minItems":-1})", "minItems must be"},
      {R"({"enum":["a"],"minLength":3})", "minLength beside enum"},
      {R"({"allOf":[{"properties":{"a":{}},"additionalProperties":false},{"properties":{"b":{}}}]})",
       "forbids properties"},
      {R"({"type":)", "cannot be read as JSON"},
      {R"([1])", "a schema is an object"},
      {R"({"properties":[]})", "properties must be an object"}};
  for (const auto& [text, expected] : cases) {
    const std::string error = error_of(Kind::json_schema, text);
    EXPECT_NE(error.find(expected), std::string::npos) << text << ": " << error;
  }
}

}  // namespace
}  // namespace drystone
