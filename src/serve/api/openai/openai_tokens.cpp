#include "serve/api/openai/openai_tokens.h"

#include <fmt/format.h>

#include "serve/api/answer/generation.h"
#include "serve/api/openai/openai_options.h"
#include "serve/api/openai/openai_parse.h"
#include "serve/http/utf8.h"

namespace drystone {
namespace json = boost::json;

namespace {

ApiResult<std::vector<TokenId>> read_text(RequestFields& fields, const ServedModel& model) {
  std::string text;
  fields.string("content", text);  // llama.cpp's name
  fields.string("prompt", text);
  if (fields.ok() && fields.find("prompt") == nullptr && fields.find("content") == nullptr)
    fields.fail("prompt",
                "There is nothing to tokenize: send 'prompt' (or 'content'), or 'messages'.");
  for (const std::string_view name :  // llama.cpp's names, and vLLM's
       {"add_special", "add_special_tokens", "parse_special"}) {
    bool on = true;
    fields.boolean(name, on);
    if (!on)
      fields.fail(name,
                  fmt::format("'{}' must be true: the ids are those of a prompt, with the model's "
                              "first token and with control tokens.",
                              name),
                  "unsupported_parameter");
  }
  refuse_unknown(fields);
  if (fields.error()) return *fields.error();
  return model.text_prompt(text);
}

}  // namespace

ApiResult<json::value> tokenize(std::string_view body, const ModelHost& host) {
  const auto object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  std::string name;
  bool texts = false;
  fields.string("model", name);
  fields.boolean("with_pieces", texts);
  fields.boolean("return_token_strs", texts);
  if (fields.error()) return *fields.error();
  const auto held = host.find(name);
  if (!held) return held.error();
  const ServedModel& model = held->model();
  ApiResult<std::vector<TokenId>> ids = std::vector<TokenId>();
  if (fields.find("messages") != nullptr) {
    const auto chat = parse_chat_request(body);
    if (!chat) return chat.error();
    for (const std::string& unknown : chat->options.ignored)
      if (object->contains(unknown) && unknown != "with_pieces" && unknown != "return_token_strs")
        return unknown_parameter(unknown);
    ids = chat_prompt(*chat, model);
  } else {
    ids = read_text(fields, model);
  }
  if (fields.error()) return *fields.error();
  if (!ids) return ids.error();
  json::array tokens, pieces;
  for (const TokenId id : *ids) {
    tokens.emplace_back(id);
    if (texts) pieces.emplace_back(valid_utf8(model.piece(id)));
  }
  json::object out = {
      {"count", tokens.size()}, {"max_model_len", model.context()}, {"tokens", std::move(tokens)}};
  if (texts) out["token_strs"] = std::move(pieces);
  return json::value(std::move(out));
}

ApiResult<json::value> detokenize(std::string_view body, const ModelHost& host) {
  const auto object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  std::string name, text;
  fields.string("model", name);
  const json::array* tokens = fields.array("tokens");
  if (fields.ok() && tokens == nullptr) fields.fail("tokens", "'tokens' is missing.");
  std::vector<TokenId> ids;
  if (tokens != nullptr) ids = read_token_ids(fields, "tokens", *tokens);
  refuse_unknown(fields);
  if (fields.error()) return *fields.error();
  const auto held = host.find(name);
  if (!held) return held.error();
  const ServedModel& model = held->model();
  for (const TokenId id : ids) {
    if (static_cast<std::uint32_t>(id) >= model.vocab())
      return invalid_request("tokens",
                             fmt::format("'tokens' has the id {}; this model has ids 0 to {}.", id,
                                         model.vocab() - 1));
    text += model.piece(id);
  }
  text = valid_utf8(text);
  return json::value{{"prompt", text}, {"content", text}};
}

}  // namespace drystone
