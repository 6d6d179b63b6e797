#include "serve/api/anthropic/anthropic_endpoints.h"

#include "serve/api/answer/dialect_endpoints.h"
#include "serve/api/answer/generation.h"
#include "serve/api/anthropic/anthropic_error.h"
#include "serve/api/anthropic/anthropic_parse.h"
#include "serve/api/anthropic/anthropic_writer.h"

namespace drystone {
namespace json = boost::json;

namespace {

class AnthropicEndpoints final : public DialectEndpoints {
 public:
  explicit AnthropicEndpoints(const EndpointsContext& lent)
      : DialectEndpoints(lent, anthropic_error) {}

  void add_to(Router& router) override {
    add_answer(router, "/v1/messages",
               [this](const HttpRequest& request) { return message(request); });
    add_work(router, "POST", "/v1/messages/count_tokens",
             [this](const HttpRequest& request) { return count_tokens(request); });
  }

 private:
  ApiResult<PreparedAnswer> message(const HttpRequest& http) const {
    auto request = parse_messages_request(http.body);
    if (!request) return request.error();
    const auto held = context().host.find(request->model);
    if (!held) return held.error();
    const ServedModel& model = held->model();
    auto generation = chat_generation(*request, model);
    if (!generation) return generation.error();
    PreparedAnswer out{.held = *held,
                       .jobs = std::move(generation->jobs),
                       .answer = std::move(generation->answer),
                       .id = random_id("msg_"),
                       .stream = request->options.stream,
                       .ignored = request->options.ignored};
    out.writer = anthropic_writer(
        {.id = out.id, .model = held->name(), .prompt_tokens = out.jobs[0].prompt.size()});
    return out;
  }

  ApiResult<json::value> count_tokens(const HttpRequest& http) const {
    auto request = parse_messages_request(http.body, /*counting=*/true);
    if (!request) return request.error();
    const auto held = context().host.find(request->model);
    if (!held) return held.error();
    const ServedModel& model = held->model();
    const auto prompt = chat_prompt(*request, model);
    if (!prompt) return prompt.error();
    return json::value{{"input_tokens", prompt->size()}};
  }
};

}  // namespace

std::unique_ptr<Endpoints> anthropic_endpoints(const EndpointsContext& context) {
  return std::make_unique<AnthropicEndpoints>(context);
}

}  // namespace drystone
