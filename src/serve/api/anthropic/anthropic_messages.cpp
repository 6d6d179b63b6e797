#include <fmt/format.h>

#include <map>

#include "serve/api/answer/conversation_builder.h"
#include "serve/api/answer/request_body.h"
#include "serve/api/anthropic/anthropic_parse.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

std::string_view without_billing_lines(std::string_view system) {
  constexpr std::string_view kName = "x-anthropic-billing-header";
  while (system.starts_with(kName)) {
    const std::size_t end = system.find('\n');
    system.remove_prefix(end == std::string_view::npos ? system.size() : end + 1);
    while (system.starts_with('\n')) system.remove_prefix(1);
  }
  return system;
}

namespace {

// Reads the blocks of messages one by one.
class BlockReader {
 public:
  BlockReader(RequestFields& errors, std::vector<std::string>& ignored)
      : errors_(errors), ignored_(ignored) {}

  void read_system(const json::value& system) {
    if (system.is_string()) return add_system(system.get_string());
    if (!system.is_array())
      return errors_.wrong_kind("system", "a string or an array of text blocks", system);
    add_system(join_text(system.get_array(), "system"));
  }

  void read_message(const json::value& value, const std::string& path) {
    if (!value.is_object())
      return errors_.wrong_kind(path, "an object with 'role' and 'content'", value);
    RequestFields message(value.get_object(), path + ".");
    std::string role;
    message.string("role", role);
    if (message.ok() && role != "user" && role != "assistant" && role != "system")
      message.fail("role", fmt::format("'{}.role' must be 'user' or 'assistant'.", path),
                   "invalid_value");
    const json::value* content = message.find("content");
    if (message.ok() && content == nullptr)
      message.fail("content", fmt::format("'{}.content' is missing.", path));
    if (message.error()) return errors_.fail(*message.error());
    message.accept({"id", "type", "model", "stop_reason", "stop_sequence", "usage"});  // of answers
    note_unknown(message, path + ".", "messages", ignored_);
    if (content->is_string()) return add_text(role, content->get_string());
    if (!content->is_array())
      return errors_.wrong_kind(path + ".content", "a string or an array of blocks", *content);
    if (role == "system") return add_text(role, join_text(content->get_array(), path + ".content"));
    read_blocks(content->get_array(), role, path + ".content");
  }

  json::array take() { return out_.take(); }

 private:
  void add_system(std::string_view text) {
    text = without_billing_lines(text);
    if (!text.empty()) out_.add_system(text);
  }
  void add_text(std::string_view role, std::string_view text) {
    if (role == "system")
      out_.add_system(text);
    else if (role == "user")
      out_.add_user(text);
    else
      out_.add_assistant_text(text);
  }

  void read_blocks(const json::array& blocks, const std::string& role, const std::string& path) {
    std::string text;  // of the user: blocks of text become one message
    bool has_text = false;
    for (std::size_t i = 0; i < blocks.size() && errors_.ok(); ++i) {
      const std::string name = fmt::format("{}[{}]", path, i);
      if (!blocks[i].is_object()) return errors_.wrong_kind(name, "an object", blocks[i]);
      RequestFields block(blocks[i].get_object(), name + ".");
      std::string type, piece;
      block.string("type", type);
      if (role == "user" && type == "tool_result") {
        read_result(block, name);
      } else if (role == "user" && (type == "text" || type == "document")) {
        piece = type == "text" ? read_text(block, name) : read_document(block, name);
        if (has_text) text += '\n';
        text += piece;
        has_text = true;
      } else if (role == "assistant") {
        read_assistant_block(block, type, name);
      } else if (block.ok()) {
        unknown(block, type, name);
      }
      if (block.error()) errors_.fail(*block.error());
      note_block(block, name);
    }
    if (errors_.ok() && has_text) out_.add_user(text);
  }

  void read_assistant_block(RequestFields& block, const std::string& type,
                            const std::string& name) {
    if (type == "text") {
      const std::string text = read_text(block, name);
      if (!text.empty()) out_.add_assistant_text(text);
    } else if (type == "thinking") {
      std::string text;
      block.string("thinking", text);
      block.accept({"signature"});
      if (!text.empty()) out_.add_reasoning(text);
    } else if (type == "tool_use") {
      read_call(block, name);
    } else if (type == "redacted_thinking") {  // sealed: nobody but its maker can read it
      block.accept({"data"});
    } else {
      unknown(block, type, name);
    }
  }

  void note_block(RequestFields& block, const std::string& name) {
    block.accept({"cache_control", "citations", "caller"});
    note_unknown(block, name + ".", "messages.content", ignored_);
  }

  static std::string read_text(RequestFields& block, const std::string& name) {
    std::string text;
    if (block.ok() && block.find("text") == nullptr)
      block.fail("text", fmt::format("'{}.text' is missing.", name));
    block.string("text", text);
    return text;
  }

  std::string read_document(RequestFields& block, const std::string& name) {
    std::string type, text, title, about;
    if (const json::object* source = block.object("source")) {
      RequestFields inner(*source, name + ".source.");
      inner.string("type", type);
      if (type == "text") inner.string("data", text);
      if (inner.error()) errors_.fail(*inner.error());
    }
    if (const json::object* citations = block.object("citations")) {
      RequestFields inner(*citations, name + ".citations.");
      inner.refuse("enabled", "answers cite nothing");
      if (inner.error()) errors_.fail(*inner.error());
    }
    block.string("title", title);
    block.string("context", about);
    if (block.ok() && type != "text")
      block.fail("source", fmt::format("'{}' is a document of another kind than text.", name),
                 "unsupported_content");
    for (const std::string& head : {about, title})
      if (!head.empty()) text = head + "\n" + text;
    return text;
  }

  void read_call(RequestFields& block, const std::string& name) {
    std::string id, function;
    block.string("id", id);
    block.string("name", function);
    const json::object* input = block.object("input");
    if (block.ok() && (id.empty() || function.empty()))
      block.fail("name", fmt::format("'{}' needs 'id' and 'name'.", name));
    if (!block.ok()) return;
    names_[id] = function;
    out_.add_call(id, function, input == nullptr ? json::object{} : *input);
  }

  void read_result(RequestFields& block, const std::string& name) {
    std::string id, text;
    bool failed = false;
    block.string("tool_use_id", id);
    block.boolean("is_error", failed);
    if (block.ok() && id.empty())
      block.fail("tool_use_id", fmt::format("'{}.tool_use_id' is missing.", name));
    if (const json::value* content = block.find("content"))
      text = content->is_string() ? std::string(content->get_string())
             : content->is_array()
                 ? join_text(content->get_array(), name + ".content")
                 : (block.wrong_kind("content", "a string or an array of text blocks", *content),
                    std::string());
    if (block.ok() && errors_.ok())
      out_.add_result(id, names_[id], failed ? "Error: " + text : text);
  }

  std::string join_text(const json::array& blocks, const std::string& path) {
    std::string text;
    for (std::size_t i = 0; i < blocks.size() && errors_.ok(); ++i) {
      const std::string name = fmt::format("{}[{}]", path, i);
      if (!blocks[i].is_object()) return errors_.wrong_kind(name, "an object", blocks[i]), "";
      RequestFields block(blocks[i].get_object(), name + ".");
      std::string type;
      block.string("type", type);
      if (block.ok() && type != "text") unknown(block, type, name);
      std::string piece = block.ok() ? read_text(block, name) : std::string();
      if (block.error()) return errors_.fail(*block.error()), "";
      note_block(block, name);
      if (path == "system") piece = without_billing_lines(piece);
      if (!text.empty() && !piece.empty()) text += '\n';
      text += piece;
    }
    return text;
  }

  static void unknown(RequestFields& block, std::string_view type, const std::string& name) {
    if (type.size() > 64) type = "a long text";
    block.fail("type",
               fmt::format("'{}.type' is '{}'; this server reads text, tool calls and their "
                           "results, and thinking.",
                           name, type),
               "unsupported_content");
  }

  RequestFields& errors_;
  std::vector<std::string>& ignored_;
  ConversationBuilder out_;
  std::map<std::string, std::string> names_;  // of calls, by id
};

}  // namespace

json::array read_anthropic_messages(RequestFields& fields, std::vector<std::string>& ignored) {
  BlockReader reader(fields, ignored);
  if (const json::value* system = fields.find("system")) reader.read_system(*system);
  const json::array* messages = fields.array("messages");
  if (!fields.ok()) return {};
  if (messages == nullptr || messages->empty())
    return fields.fail("messages", "'messages' must be an array of at least one message."),
           json::array{};
  if (messages->size() > kMessagesMax)
    return fields.fail("messages", fmt::format("'messages' has {} messages; at most {} are read.",
                                               messages->size(), kMessagesMax)),
           json::array{};
  for (std::size_t i = 0; i < messages->size() && fields.ok(); ++i)
    reader.read_message((*messages)[i], fmt::format("messages[{}]", i));
  json::array out = reader.take();
  if (fields.ok() && out.empty())
    fields.fail("messages", "'messages' has nothing in it that could be answered.");
  return out;
}

}  // namespace drystone
