#pragma once

#include <boost/json.hpp>
#include <map>
#include <string>
#include <string_view>

#include "serve/toolcall/tool_grammar.h"

namespace drystone::reply {

// Writes the rules of a ToolGrammar. What its functions return stands on the right side of a rule.
class GbnfWriter {
 public:
  // "..." with what must be escaped escaped.
  static std::string quoted(std::string_view text);

  // A rule of its own for `right_side`; its name.
  std::string rule(std::string_view name, std::string_view right_side);

  // A value that follows `schema`, as JSON.
  std::string json(const boost::json::value& schema);

  // Any text without `mark`, and the mark. The first character of a mark stands in it only once.
  std::string text_and_mark(std::string_view mark);
  // Any text without `mark`, and then a line end and the mark.
  std::string text_line_and_mark(std::string_view mark);

  // The grammar that begins with `root`.
  ToolGrammar finish(std::string_view root) &&;

 private:
  std::string shared_rule(std::string_view kind, std::string_view mark,
                          std::string_view right_side);

  std::string rules_;
  int made_ = 0;
  std::map<std::string, std::string, std::less<>> shared_;  // rule names by what they read
  std::vector<std::pair<std::string, boost::json::value>> schemas_;
};

}  // namespace drystone::reply
