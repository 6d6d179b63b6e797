#pragma once

#include <string>
#include <utility>
#include <vector>

namespace drystone {

// What an answer must look like, as a user states it. docs/formats/constraints.md says what is
// understood.
struct ConstraintSpec {
  enum class Kind {
    json_object,  // any JSON object; `text` is not used
    json_schema,  // `text`: a JSON Schema
    regex,        // `text`: a regular expression that the whole answer matches
    choice,       // the answer is one of `choices`
    gbnf,         // `text`: a grammar as llama.cpp writes them, beginning with the rule `root`
  };
  Kind kind = Kind::json_object;
  std::string text;
  std::vector<std::string> choices;
  // gbnf: rules that `text` uses without defining them: a name and a JSON Schema.
  std::vector<std::pair<std::string, std::string>> schemas = {};
};

}  // namespace drystone
