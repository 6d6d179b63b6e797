#include "serve/http/health.h"

#include <boost/json.hpp>

namespace drystone {
namespace asio = boost::asio;
namespace json = boost::json;

namespace {

class Health final : public Endpoints {
 public:
  explicit Health(const ModelHost& host) : host_(host) {}

  void add_to(Router& router) override {
    router.add("GET", "/health",
               [this](const HttpRequest&, ReplySink& sink) { return answer(sink); });
  }

 private:
  asio::awaitable<void> answer(ReplySink& sink) {
    HttpReply reply{.body = R"({"status":"ok"})"};
    if (const auto error = host_.refusal()) {
      reply = error_reply(*error);
      const auto models = host_.list();
      const bool loading = error->code == "model_loading";
      const bool failed = error->code == "model_failed";
      reply.body =
          json::serialize(json::value{{"status", loading  ? "loading"
                                                 : failed ? "failed"
                                                          : "stopping"},
                                      {"progress", models.empty() ? 0 : models[0].progress},
                                      {"error", json::parse(reply.body).at("error")}});
    }
    co_await sink.send(std::move(reply));
  }

  const ModelHost& host_;
};

}  // namespace

std::unique_ptr<Endpoints> health_endpoint(const EndpointsContext& context) {
  return std::make_unique<Health>(context.host);
}

}  // namespace drystone
