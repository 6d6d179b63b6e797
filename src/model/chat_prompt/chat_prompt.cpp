#include "model/chat_prompt/chat_prompt.h"

namespace drystone {
namespace json = boost::json;

void ChatPrompt::mark(json::value& value) const {
  if (json::string* text = value.if_string()) {
    *text = marks_.marked(*text);
  } else if (json::array* array = value.if_array()) {
    for (json::value& entry : *array) mark(entry);
  } else if (json::object* object = value.if_object()) {
    json::object out(object->storage());
    for (auto& field : *object) {
      mark(field.value());
      out.insert_or_assign(marks_.marked(field.key()), std::move(field.value()));
    }
    *object = std::move(out);
  }
}

Result<std::vector<TokenId>> ChatPrompt::encode(json::object variables, std::tm now) const {
  for (auto& field : variables) mark(field.value());
  const auto text_of = [&](std::optional<TokenId> id) { return id ? tokenizer_.text(*id) : ""; };
  variables["bos_token"] = text_of(tokenizer_.bos());
  variables["eos_token"] = text_of(tokenizer_.eos());
  return marks_.encode(TRY(chat_template_.render(variables, now)), /*add_special=*/true);
}

}  // namespace drystone
