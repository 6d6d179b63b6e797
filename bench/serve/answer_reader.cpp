#include "bench/serve/answer_reader.h"

#include <boost/json.hpp>

namespace drystone {
namespace json = boost::json;

std::string_view to_string(Behaviour behaviour) {
  switch (behaviour) {
    case Behaviour::normal:
      return "normal";
    case Behaviour::cancel:
      return "cancel";
    case Behaviour::bad:
      return "bad";
    case Behaviour::oversized:
      return "oversized";
    case Behaviour::stalled:
      return "stalled";
  }
  return "";
}

namespace {

// Whether an event brings text: one of these names with a string that is not empty.
bool has_text(std::string_view event) {
  for (const std::string_view name :
       {"\"content\":\"", "\"text\":\"", "\"reasoning_content\":\"", "\"arguments\":\""}) {
    const std::size_t at = event.find(name);
    if (at != std::string_view::npos && at + name.size() < event.size() &&
        event[at + name.size()] != '"')
      return true;
  }
  return false;
}

const json::value* member(const json::value* value, std::string_view name) {
  return value != nullptr && value->is_object() ? value->as_object().if_contains(name) : nullptr;
}

std::uint64_t count(const json::value* value) {
  return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : 0;
}

}  // namespace

void AnswerReader::take(std::string_view piece, double now_s) {
  rest_ += piece;
  if (!stream_) return;
  std::size_t from = 0;
  for (std::size_t end; (end = rest_.find("\n\n", from)) != std::string::npos; from = end + 2)
    take_event(std::string_view(rest_).substr(from, end - from), now_s);
  rest_.erase(0, from);
}

void AnswerReader::take_event(std::string_view event, double now_s) {
  constexpr std::string_view kData = "data: ";
  if (!event.starts_with(kData)) return;  // a comment
  event.remove_prefix(kData.size());
  if (event == "[DONE]") {
    done_ = true;
    return;
  }
  const bool text = has_text(event);
  if (text) exchange_.chunk_times_s.push_back(now_s);
  if ((text && keep_text_) || event.find("\"prompt_tokens\":") != std::string_view::npos ||
      event.starts_with("{\"error\""))
    take_json(event);
}

void AnswerReader::take_json(std::string_view text) {
  boost::system::error_code wrong;
  const json::value value = json::parse(text, wrong);
  if (wrong) {
    exchange_.error = "not json";
    return;
  }
  if (member(&value, "error") != nullptr) exchange_.error = "error event";
  if (const json::value* usage = member(&value, "usage"); usage != nullptr && usage->is_object()) {
    exchange_.prompt_tokens = count(member(usage, "prompt_tokens"));
    exchange_.completion_tokens = count(member(usage, "completion_tokens"));
    exchange_.cached_tokens =
        count(member(member(usage, "prompt_tokens_details"), "cached_tokens"));
  }
  const json::value* choices = member(&value, "choices");
  if (!keep_text_ || choices == nullptr || !choices->is_array() || choices->as_array().empty())
    return;
  const json::value* choice = &choices->as_array().front();
  for (const json::value* part :
       {member(member(choice, "delta"), "content"), member(member(choice, "message"), "content"),
        member(choice, "text")})
    if (part != nullptr && part->is_string()) exchange_.text += std::string_view(part->as_string());
}

void AnswerReader::end() {
  if (!stream_) return take_json(rest_);
  if (exchange_.ok() && !done_) exchange_.error = "cut";
}

}  // namespace drystone
