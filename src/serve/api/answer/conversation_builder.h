#pragma once

#include <boost/json.hpp>
#include <string_view>

namespace drystone {

// Builds the messages of a chat from dialects that have no messages of OpenAI's kind: neighbouring
// pieces of one assistant turn become one message, and system texts at the head one system message,
// because many templates take no second one.
class ConversationBuilder {
 public:
  void add_system(std::string_view text);
  void add_user(std::string_view text);
  void add_assistant_text(std::string_view text);
  void add_reasoning(std::string_view text);
  // `arguments`: JSON; an object where it is one.
  void add_call(std::string_view id, std::string_view name, boost::json::value arguments);
  void add_result(std::string_view id, std::string_view name, std::string_view text);

  bool empty() const { return messages_.empty(); }
  boost::json::array take() { return std::move(messages_); }

 private:
  boost::json::object& assistant();  // the last message, if need be a new one

  boost::json::array messages_;
};

// JSON text as the object that templates expect; the text itself where it is none.
boost::json::value arguments_value(std::string_view text);

}  // namespace drystone
