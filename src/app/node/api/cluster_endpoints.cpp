#include "app/node/api/cluster_endpoints.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "app/node/api/ask_loop.h"
#include "app/node/api/nodes_json.h"
#include "app/node/members/join_cluster.h"
#include "cluster/wire/json_fields.h"
#include "serve/http/request_fields.h"

namespace drystone {
namespace asio = boost::asio;
namespace json = boost::json;
using asio::awaitable;

namespace {

constexpr std::chrono::seconds kAnswerWithin{5};
constexpr std::size_t kBodyBytesMax = 8192;
constexpr std::int64_t kExpiresDefaultS = 3600, kExpiresMaxS = 30 * 24 * 3600;

class ClusterEndpoints final : public Endpoints {
 public:
  ClusterEndpoints(ClusterHost& host, const Clock& clock) : host_(host), clock_(clock) {}

  void add_to(Router& router) override {
    const auto add = [&](const char* method, const char* path, auto member) {
      router.add(method, path, [this, member](const HttpRequest& request, ReplySink& sink) {
        return (this->*member)(request, sink);
      });
    };
    add("GET", "/cluster/v1/nodes", &ClusterEndpoints::nodes);
    add("GET", "/cluster/v1/invitations", &ClusterEndpoints::invitations);
    add("POST", "/cluster/v1/invitations", &ClusterEndpoints::invite);
    add("POST", "/cluster/v1/invitations/withdraw", &ClusterEndpoints::withdraw);
    add("POST", "/cluster/v1/join", &ClusterEndpoints::join);
    add("POST", "/cluster/v1/leave", &ClusterEndpoints::leave);
    add("POST", "/cluster/v1/nodes/remove", &ClusterEndpoints::remove);
  }

 private:
  using Answer = Result<std::string>;  // JSON
  using Done = std::function<void(Answer)>;
  // What the host does, on its loop. Names of their own throughout: GCC 12 destroys temporaries of
  // a co_await expression twice.
  using Work = std::function<void(ClusterHost&, Done)>;

  // Runs `work` on the host's loop and sends what it answers.
  awaitable<void> answer(const HttpRequest& request, ReplySink& sink, Work work,
                         std::chrono::milliseconds within);
  static awaitable<void> refuse(ReplySink& sink, ApiError wrong);
  // The object that a request carries; an empty body is an empty one.
  static ApiResult<json::object> body(const HttpRequest& request);

  awaitable<void> nodes(const HttpRequest& request, ReplySink& sink);
  awaitable<void> invitations(const HttpRequest& request, ReplySink& sink);
  awaitable<void> invite(const HttpRequest& request, ReplySink& sink);
  awaitable<void> withdraw(const HttpRequest& request, ReplySink& sink);
  awaitable<void> join(const HttpRequest& request, ReplySink& sink);
  awaitable<void> leave(const HttpRequest& request, ReplySink& sink);
  awaitable<void> remove(const HttpRequest& request, ReplySink& sink);
  // The one text that such a request has; else it is refused here.
  awaitable<std::optional<std::string>> only_text(const HttpRequest& request, ReplySink& sink,
                                                  std::string_view name);

  ClusterHost& host_;
  const Clock& clock_;
};

awaitable<void> ClusterEndpoints::answer(const HttpRequest& request, ReplySink& sink, Work work,
                                         std::chrono::milliseconds within) {
  HttpReply reply;
  if (const auto refused = refuse_foreign_page(request)) {
    reply = error_reply(*refused);
  } else {
    const std::function<void(Done)> ask = [&host = host_, work = std::move(work)](Done done) {
      work(host, std::move(done));
    };
    std::optional<Answer> got;
    if (!host_.ended()) got = co_await ask_loop<Answer>(host_.executor(), ask, within);
    const ApiError silent{.status = 503,
                          .message =
                              "This node did not answer in time: it is busy, or restarts. "
                              "Try again.",
                          .code = "unavailable",
                          .retry_after_s = 1};
    if (got && *got)
      reply.body = **got + "\n";
    else
      reply = error_reply(got ? cluster_api_error(got->error()) : silent);
  }
  co_await sink.send(std::move(reply));
}

// What was wrong with a request's fields.
awaitable<void> ClusterEndpoints::refuse(ReplySink& sink, ApiError wrong) {
  wrong.code = to_string(Errc::invalid_argument);
  HttpReply reply = error_reply(wrong);
  co_await sink.send(std::move(reply));
}

ApiResult<json::object> ClusterEndpoints::body(const HttpRequest& request) {
  if (request.body.empty()) return json::object();
  auto parsed = parse_json(request.body, {.bytes_max = kBodyBytesMax, .depth_max = 4});
  if (!parsed) return invalid_request({}, parsed.error().message());
  if (!parsed->is_object()) return invalid_request({}, "The request must be a JSON object.");
  return std::move(parsed->as_object());
}

awaitable<std::optional<std::string>> ClusterEndpoints::only_text(const HttpRequest& request,
                                                                  ReplySink& sink,
                                                                  std::string_view name) {
  const auto object = body(request);
  std::optional<ApiError> wrong;
  std::string text;
  if (!object) {
    wrong = object.error();
  } else {
    RequestFields fields(*object);
    fields.string(name, text);
    const auto unknown = fields.unknown();
    if (fields.error())
      wrong = fields.error();
    else if (!unknown.empty())
      wrong = invalid_request(unknown[0], "There is no such parameter.");
    else if (text.empty())
      wrong = invalid_request(std::string(name), fmt::format("'{}' is missing.", name));
  }
  if (!wrong) co_return text;
  co_await refuse(sink, *std::move(wrong));
  co_return std::nullopt;
}

awaitable<void> ClusterEndpoints::nodes(const HttpRequest& request, ReplySink& sink) {
  const Work work = [](ClusterHost& host, const Done& done) {
    done(json::serialize(nodes_json(host)));
  };
  co_await answer(request, sink, work, kAnswerWithin);
}

// Never the codes: nobody keeps them.
awaitable<void> ClusterEndpoints::invitations(const HttpRequest& request, ReplySink& sink) {
  const Work work = [](ClusterHost& host, const Done& done) {
    json::array list;
    for (const cluster::OpenInvitation& open : host.invitations())
      list.push_back({{"id", open.id},
                      {"expires_unix_s", open.expires_s},
                      {"uses", open.uses},
                      {"used", open.used}});
    done(json::serialize(list));
  };
  co_await answer(request, sink, work, kAnswerWithin);
}

awaitable<void> ClusterEndpoints::withdraw(const HttpRequest& request, ReplySink& sink) {
  const auto invitation = co_await only_text(request, sink, "invitation");
  if (!invitation) co_return;
  const Work work = [beginning = *invitation](ClusterHost& host, const Done& done) {
    const auto id = host.withdraw(beginning);
    if (!id) return done(id.error());
    done(json::serialize(json::object{{"withdrawn", *id}}));
  };
  co_await answer(request, sink, work, kAnswerWithin);
}

awaitable<void> ClusterEndpoints::invite(const HttpRequest& request, ReplySink& sink) {
  const auto object = body(request);
  std::int64_t expires_s = kExpiresDefaultS, uses = 1;
  bool addresses = true;
  std::optional<ApiError> wrong;
  if (!object) {
    wrong = object.error();
  } else {
    RequestFields fields(*object);
    expires_s = fields.integer("expires_s", 1, kExpiresMaxS).value_or(expires_s);
    uses = fields.integer("uses", 1, cluster::kInvitationUsesMax).value_or(uses);
    fields.boolean("addresses", addresses);
    const auto unknown = fields.unknown();
    if (fields.error())
      wrong = fields.error();
    else if (!unknown.empty())
      wrong = invalid_request(unknown[0], "There is no such parameter.");
  }
  if (wrong) {
    co_await refuse(sink, *std::move(wrong));
    co_return;
  }
  const auto until =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count() +
      expires_s;
  const Work work = [until, uses, addresses](ClusterHost& host, const Done& done) {
    const auto made =
        host.invite({.expires_s = until, .uses = static_cast<std::uint32_t>(uses)}, addresses);
    if (!made) return done(made.error());
    done(json::serialize(json::object{
        {"id", made->id}, {"code", made->code}, {"expires_unix_s", until}, {"uses", uses}}));
  };
  co_await answer(request, sink, work, kAnswerWithin);
}

awaitable<void> ClusterEndpoints::join(const HttpRequest& request, ReplySink& sink) {
  const auto code = co_await only_text(request, sink, "code");
  if (!code) co_return;
  const Work work = [code = *code](ClusterHost& host, const Done& done) {
    host.join(code, [&host, done](ClusterHost::Joined joined) {
      if (!joined) return done(std::move(joined).error());
      done(json::serialize(json::object{{"joined", true},
                                        {"node", host.self()},
                                        {"dropped", json::array(joined->begin(), joined->end())}}));
    });
  };
  co_await answer(request, sink, work, kJoinWithin + kAnswerWithin);
}

awaitable<void> ClusterEndpoints::leave(const HttpRequest& request, ReplySink& sink) {
  const Work work = [](ClusterHost& host, const Done& done) {
    if (auto left = host.leave(); !left) return done(std::move(left).error());
    done(std::string(R"({"left":true})"));
  };
  co_await answer(request, sink, work, kAnswerWithin);
}

awaitable<void> ClusterEndpoints::remove(const HttpRequest& request, ReplySink& sink) {
  const auto node = co_await only_text(request, sink, "node");
  if (!node) co_return;
  const Work work = [node = *node](ClusterHost& host, const Done& done) {
    const auto id = host.id_of(node);
    if (!id) return done(id.error());
    if (auto removed = host.remove(*id); !removed) return done(std::move(removed).error());
    done(json::serialize(json::object{{"removed", *id}}));
  };
  co_await answer(request, sink, work, kAnswerWithin);
}

}  // namespace

std::optional<ApiError> refuse_foreign_page(const HttpRequest& request) {
  if (request.origin.empty() || request.origin == "http://" + request.host ||
      request.origin == "https://" + request.host)
    return std::nullopt;
  return ApiError{.status = 403,
                  .type = "permission_error",
                  .message = "The cluster is not administered from web pages of other origins.",
                  .code = "origin_not_allowed"};
}

ApiError cluster_api_error(const Error& error) {
  const int status = [&] {
    switch (error.code()) {
      case Errc::invalid_argument:
      case Errc::corrupt:
      case Errc::unsupported:
        return 400;
      case Errc::not_found:
        return 404;
      case Errc::out_of_memory:
      case Errc::limit:
        return 409;
      case Errc::cancelled:
      case Errc::unavailable:
      case Errc::busy:
        return 503;
      default:
        return 500;
    }
  }();
  return {.status = status,
          .type = status < 500 ? "invalid_request_error" : "server_error",
          .message = error.message(),
          .code = std::string(to_string(error.code()))};
}

EndpointsFactory cluster_endpoints(ClusterHost& host, const Clock& clock) {
  return [&host, &clock](const EndpointsContext&) {
    return std::make_unique<ClusterEndpoints>(host, clock);
  };
}

}  // namespace drystone
