#pragma once

#include <boost/json.hpp>
#include <map>
#include <string>
#include <string_view>

namespace drystone::reply {

// What the tools of a request say about their parameters.
class ToolSchemas {
 public:
  // As OpenAI writes them, [{"type": "function", "function": {"name", "parameters"}}], or without
  // the wrapping "function". Entries of another shape are passed over.
  explicit ToolSchemas(const boost::json::array& tools);

  bool empty() const { return parameters_.empty(); }
  bool knows(std::string_view tool) const { return parameters_.find(tool) != parameters_.end(); }

  // Whether a string may stand there, among others.
  bool may_be_text(std::string_view tool, std::string_view parameter) const;

  // Whether only a string may stand there, so that a plain text is that string as it is.
  bool is_text(std::string_view tool, std::string_view parameter) const;

  // The JSON of a value that was written as plain text: what the schema allows there, tried from
  // the strictest to a string, which every text can be. An unknown parameter may have any type.
  std::string json_of(std::string_view tool, std::string_view parameter,
                      std::string_view text) const;

 private:
  // A bit for each JSON type that `schema` allows; a schema that takes more than `steps` to read
  // allows any.
  unsigned types_of(const boost::json::value& schema, const boost::json::value& root,
                    int& steps) const;
  unsigned types_of(std::string_view tool, std::string_view parameter) const;

  std::map<std::string, boost::json::value, std::less<>> parameters_;  // by tool
};

// `text` as it stands inside a JSON string, without the quotes.
std::string json_escaped(std::string_view text);

// The function object of a tool in either shape; null where there is none or it has no name.
const boost::json::object* function_of(const boost::json::value& tool);

}  // namespace drystone::reply
