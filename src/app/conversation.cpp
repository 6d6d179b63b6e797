#include "app/conversation.h"

#include <chrono>
#include <ctime>

#include "base/clock.h"

namespace drystone {
namespace {

std::tm local_time() {
  const std::time_t now = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(SystemClock().wall()));
  std::tm out = {};
  localtime_r(&now, &out);
  return out;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos
             ? ""
             : text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

// Whether parsing special tokens would find one in `text`.
bool spells_special(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.encode(text, {.parse_special = true}) !=
         tokenizer.encode(text, {.parse_special = false});
}

void append(std::vector<TokenId>& ids, const std::vector<TokenId>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

}  // namespace

Conversation::Conversation(const Engine& engine, std::string system)
    : engine_(engine), system_(std::move(system)) {
  clear();
}

void Conversation::add(std::string_view role, std::string_view content) {
  messages_.push_back({{"role", role}, {"content", content}});
}

void Conversation::drop_last() {
  CHECK(!messages_.empty());
  messages_.pop_back();
}

void Conversation::clear() {
  messages_.clear();
  if (!system_.empty()) add("system", system_);
}

Result<std::vector<TokenId>> Conversation::prompt() const {
  CHECK(!messages_.empty());
  const Tokenizer& tokenizer = engine_.tokenizer();
  if (engine_.chat_template() == nullptr)
    return tokenizer.encode(std::string_view(messages_.back().at("content").as_string()),
                            {.add_special = true});
  boost::json::object variables = {{"messages", messages_}, {"add_generation_prompt", true}};
  variables["bos_token"] = tokenizer.bos() ? tokenizer.text(*tokenizer.bos()) : "";
  variables["eos_token"] = tokenizer.eos() ? tokenizer.text(*tokenizer.eos()) : "";
  return encode(TRY(engine_.chat_template()->render(variables, local_time())));
}

// The whole text at once, so that words join as in training; only a message that spells out special
// tokens is cut out and encoded by itself, as plain text.
std::vector<TokenId> Conversation::encode(const std::string& rendered) const {
  const Tokenizer& tokenizer = engine_.tokenizer();
  std::vector<TokenId> ids;
  std::size_t done = 0, searched = 0;
  bool first = true;
  const auto append_template = [&](std::size_t end) {
    append(ids, tokenizer.encode(std::string_view(rendered).substr(done, end - done),
                                 {.parse_special = true, .add_special = first}));
    first = false;
  };
  for (const auto& message : messages_) {
    const std::string_view content = trimmed(std::string_view(message.at("content").as_string()));
    const std::size_t at = content.empty() ? std::string::npos : rendered.find(content, searched);
    if (at == std::string::npos) continue;
    searched = at + content.size();
    if (!spells_special(tokenizer, content)) continue;
    append_template(at);
    append(ids, tokenizer.encode(content, {}));
    done = searched;
  }
  append_template(rendered.size());
  return ids;
}

}  // namespace drystone
