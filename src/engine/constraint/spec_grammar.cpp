#include "engine/constraint/spec_grammar.h"

#include <fmt/format.h>

#include "engine/constraint/expression.h"
#include "engine/constraint/gbnf_parser.h"
#include "engine/constraint/json_rules.h"
#include "engine/constraint/limits.h"
#include "engine/constraint/regex_parser.h"
#include "engine/constraint/schema_compiler.h"

namespace drystone::constraint {

namespace {

Result<Grammar> regex_grammar(const std::string& text) {
  const Expression expression = TRY(parse_regex(text, RegexMatch::whole));
  Grammar grammar;
  grammar.root = grammar.add_rule("the regular expression");
  const NfaState end = TRY(write(grammar, grammar.root, expression, Rule::kStart, Encoding::utf8));
  grammar.rule(grammar.root).add_nothing(end, Rule::kEnd);
  return grammar;
}

Result<Grammar> choice_grammar(const std::vector<std::string>& choices) {
  if (choices.empty())
    return Error(Errc::invalid_argument, "choice: at least one text to choose from belongs here");
  if (choices.size() > kChoicesMax) {
    return Error(Errc::limit,
                 fmt::format("choice: {} texts, at most {}", choices.size(), kChoicesMax));
  }
  std::size_t bytes = 0;
  Grammar grammar;
  grammar.root = grammar.add_rule("the choices");
  Rule& rule = grammar.rule(grammar.root);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    bytes += choices[i].size();
    if (choices[i].empty())
      return Error(Errc::invalid_argument, fmt::format("choice: text {} is empty", i));
    if (bytes > kSpecBytesMax) {
      return Error(Errc::limit, fmt::format("choice: {} bytes or more together, at most {}", bytes,
                                            kSpecBytesMax));
    }
    rule.add_nothing(rule.add_literal(Rule::kStart, choices[i]), Rule::kEnd);
  }
  return grammar;
}

Result<Grammar> schema_grammar(const std::string& text) {
  const SchemaSource source = TRY(SchemaSource::parse(text));
  return SchemaCompiler(source).compile();
}

Result<Grammar> gbnf_grammar(const ConstraintSpec& spec) {
  std::map<std::string, Grammar, std::less<>> schemas;
  for (const auto& [name, schema] : spec.schemas) {
    auto grammar = schema_grammar(schema);
    if (!grammar) return std::move(grammar).error().with("the schema of " + name);
    schemas.emplace(name, *std::move(grammar));
  }
  return parse_gbnf(spec.text, schemas);
}

Grammar object_grammar() {
  Grammar grammar;
  JsonRules json(grammar);
  const RuleId object = json.object();
  grammar.root = grammar.add_rule("any JSON object");
  grammar.rule(grammar.root).add_call(Rule::kStart, object, Rule::kEnd);
  return grammar;
}

}  // namespace

Result<Grammar> make_grammar(const ConstraintSpec& spec) {
  switch (spec.kind) {
    case ConstraintSpec::Kind::json_object:
      return object_grammar();
    case ConstraintSpec::Kind::json_schema:
      return schema_grammar(spec.text);
    case ConstraintSpec::Kind::regex:
      return regex_grammar(spec.text);
    case ConstraintSpec::Kind::choice:
      return choice_grammar(spec.choices);
    case ConstraintSpec::Kind::gbnf:
      return gbnf_grammar(spec);
  }
  return Error(Errc::invalid_argument, "a kind of constraint that does not exist");
}

}  // namespace drystone::constraint
