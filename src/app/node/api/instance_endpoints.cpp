#include "app/node/api/instance_endpoints.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <utility>

#include "app/node/api/cluster_endpoints.h"
#include "app/node/api/plan_json.h"
#include "app/node/wire/load_request.h"
#include "serve/http/off_loop.h"

namespace drystone {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

HttpReply reply_of(const Result<json::value>& result) {
  if (result) return {.body = json::serialize(*result) + "\n"};
  return error_reply(cluster_api_error(result.error()));
}

class InstanceEndpoints final : public Endpoints {
 public:
  explicit InstanceEndpoints(InstanceHost& host) : host_(host) {}

  void add_to(Router& router) override {
    add(router, "GET", "/cluster/v1/instances", quick_,
        [this](const HttpRequest&) -> Result<json::value> {
          return json::value(TRY(host_.instances()));
        });
    add(router, "GET", "/cluster/v1/unloaded", quick_,
        [this](const HttpRequest&) -> Result<json::value> {
          return json::value(TRY(host_.unloaded()));
        });
    add_steps(router, "/cluster/v1/plan", [this](const HttpRequest& asked) { return plan(asked); });
    add_steps(router, "/cluster/v1/load", [this](const HttpRequest& asked) { return load(asked); });
    add(router, "POST", "/cluster/v1/unload", quick_,
        [this](const HttpRequest& asked) -> Result<json::value> {
          const std::string model = TRY(parse_unload_request(asked.body));
          TRY(host_.unload(model));
          return json::value{{"model", model}};
        });
  }

 private:
  using Work = std::function<Result<json::value>(const HttpRequest&)>;
  using Steps = InstanceHost::Steps<json::value>;
  using Begin = std::function<Result<Steps>(const HttpRequest&)>;

  void add(Router& router, std::string method, std::string path, OffLoop& where, Work work) {
    router.add(std::move(method), std::move(path),
               [&where, work = std::move(work)](const HttpRequest& request, ReplySink& sink) {
                 return answer(where, work, request, sink);
               });
  }

  // The work waits for disks and for the cluster's loop.
  static asio::awaitable<void> answer(OffLoop& where, const Work& work, const HttpRequest& request,
                                      ReplySink& sink) {
    if (const auto refused = refuse_foreign_page(request)) {
      HttpReply reply = error_reply(*refused);
      co_await sink.send(std::move(reply));
      co_return;
    }
    Result<json::value> result = Error(Errc::io, "not done");
    // By name: gcc 12 destroys what a conversion makes in a co_await twice.
    const std::function<void()> job = [&] { result = work(request); };
    const auto refusal = co_await where.run(job);
    HttpReply reply = refusal ? error_reply(*refusal) : reply_of(result);
    co_await sink.send(std::move(reply));
  }

  void add_steps(Router& router, std::string path, Begin begin) {
    router.add("POST", std::move(path),
               [this, begin = std::move(begin)](const HttpRequest& request, ReplySink& sink) {
                 return answer_in_steps(begin, request, sink);
               });
  }

  // No thread waits between the steps, so that one load that waits holds up no other. A client that
  // leaves ends them: what it did not hear of is not done.
  asio::awaitable<void> answer_in_steps(const Begin& begin, const HttpRequest& request,
                                        ReplySink& sink) {
    if (const auto refused = refuse_foreign_page(request)) {
      HttpReply reply = error_reply(*refused);
      co_await sink.send(std::move(reply));
      co_return;
    }
    Result<Steps> steps = begin(request);
    std::optional<Result<json::value>> result;
    if (!steps) result = steps.error();
    const std::function<void()> job = [&] { result = (*steps)(); };
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!result) {
      const auto refusal = co_await slow_.run(job);
      if (refusal) {
        HttpReply reply = error_reply(*refusal);
        co_await sink.send(std::move(reply));
        co_return;
      }
      if (result) break;
      timer.expires_after(InstanceHost::kLookEvery);
      co_await timer.async_wait(asio::use_awaitable);
    }
    HttpReply reply = reply_of(*result);
    co_await sink.send(std::move(reply));
  }

  Result<Steps> plan(const HttpRequest& asked) {
    PlanQuestion question = TRY(parse_plan_question(asked.body));
    return in_json(host_.plan(std::move(question.wish.path_or_name),
                              std::move(question.wish.desired), question.prompt_tokens),
                   [](const InstanceHost::Planned& planned) {
                     json::object answer = to_json(planned.plan);
                     answer["waited"] = planned.waited;
                     answer["unmeasured"] =
                         json::array(planned.unmeasured.begin(), planned.unmeasured.end());
                     return json::value(std::move(answer));
                   });
  }

  Result<Steps> load(const HttpRequest& asked) {
    LoadRequest request = TRY(parse_load_request(asked.body));
    return in_json(host_.load(std::move(request.path_or_name), std::move(request.desired)),
                   [](const InstanceHost::Wish& wish) {
                     return json::value{{"model", wish.model},
                                        {"advice", wish.advice},
                                        {"waited", wish.waited},
                                        {"wish", to_json(wish.desired)}};
                   });
  }

  template <typename Answer, typename Write>
  static Steps in_json(InstanceHost::Steps<Answer> steps, Write write) {
    return [steps = std::move(steps), write]() -> std::optional<Result<json::value>> {
      auto answer = steps();
      if (!answer) return std::nullopt;
      if (!*answer) return std::move(*answer).error();
      return write(**answer);
    };
  }

  InstanceHost& host_;
  OffLoop quick_, slow_;  // last: their threads use the rest
};

}  // namespace

EndpointsFactory instance_endpoints(InstanceHost& host) {
  return [&host](const EndpointsContext&) { return std::make_unique<InstanceEndpoints>(host); };
}

}  // namespace drystone
