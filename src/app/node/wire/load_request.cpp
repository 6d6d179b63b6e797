#include "app/node/wire/load_request.h"

#include <boost/json.hpp>
#include <utility>

#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

constexpr std::string_view kWhat = "request";
constexpr std::uint32_t kPromptTokensMax = 1 << 30;

// What clients send is an argument, not a file that broke.
Error as_argument(Error error) {
  if (error.code() != Errc::corrupt) return error;
  return {Errc::invalid_argument, error.message()};
}

Result<boost::json::object> parse_object(std::string_view body) {
  auto value = parse_json(body, {.bytes_max = kLoadRequestMax}, kWhat);
  if (!value) return as_argument(std::move(value).error());
  if (auto* object = value->if_object()) return std::move(*object);
  return Error(Errc::invalid_argument, "request: expected a JSON object");
}

Result<std::string> model_of(const boost::json::object& object) {
  const boost::json::value value = object;
  JsonFields fields(value, std::string(kWhat));
  std::string model;
  fields.string("model", model, kModelPathMax);
  if (auto read = fields.finish(); !read) return as_argument(std::move(read).error());
  if (model.empty()) return Error(Errc::invalid_argument, "request: \"model\" is empty");
  return model;
}

Result<LoadRequest> load_request_of(boost::json::object object) {
  LoadRequest request{.path_or_name = TRY(model_of(object))};
  object["model"] = "model";
  auto desired = read_desired(object, kWhat);
  if (!desired) return as_argument(std::move(desired).error());
  request.desired = *std::move(desired);
  request.desired.model.clear();
  return request;
}

}  // namespace

Result<LoadRequest> parse_load_request(std::string_view body) {
  return load_request_of(TRY(parse_object(body)));
}

Result<PlanQuestion> parse_plan_question(std::string_view body) {
  boost::json::object object = TRY(parse_object(body));
  PlanQuestion question;
  {
    const boost::json::value value = object;
    JsonFields fields(value, std::string(kWhat));
    fields.maybe_integer("prompt_tokens", question.prompt_tokens, 1, kPromptTokensMax);
    if (auto read = fields.finish(); !read) return as_argument(std::move(read).error());
  }
  object.erase("prompt_tokens");
  question.wish = TRY(load_request_of(std::move(object)));
  return question;
}

Result<std::string> parse_unload_request(std::string_view body) {
  const boost::json::object object = TRY(parse_object(body));
  const boost::json::value value = object;
  JsonFields fields(value, std::string(kWhat));
  fields.find("model");
  if (auto known = fields.finish_strictly(); !known) return as_argument(std::move(known).error());
  return model_of(object);
}

}  // namespace drystone
