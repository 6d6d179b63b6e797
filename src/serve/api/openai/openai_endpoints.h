#pragma once

#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <string>
#include <vector>

#include "serve/api/openai/openai_reply.h"
#include "serve/http/endpoints.h"
#include "serve/http/pending_reply.h"

namespace drystone {

// /v1/chat/completions, /v1/completions, and /v1/models (docs/formats/openai-api.md). Runs
// on the loop thread; parsing, templates and tokenization run on a thread of their own, so that a
// long prompt delays nobody's stream.
class OpenAiEndpoints final : public Endpoints {
 public:
  explicit OpenAiEndpoints(const EndpointsContext& context) : context_(context) {}
  ~OpenAiEndpoints() override;  // waits for requests that are being prepared

  void add_to(Router& router) override;

 private:
  // A request that is understood and fits the model.
  struct Prepared {
    GenerateRequest request;
    ReplyInfo info;
    bool chat = true;
    bool stream = false;
    std::vector<std::string> ignored;
  };

  boost::asio::awaitable<void> generate(const HttpRequest& request, ReplySink& sink, bool chat);
  boost::asio::awaitable<ApiResult<Prepared>> prepare(const HttpRequest& request, bool chat);
  boost::asio::awaitable<void> send_whole(PendingReply pending, ReplyWriter& writer,
                                          HttpHeaders headers, ReplySink& sink);
  boost::asio::awaitable<void> send_stream(PendingReply pending, ReplyWriter& writer,
                                           HttpHeaders headers, bool usage, ReplySink& sink);
  boost::asio::awaitable<void> list_models(const HttpRequest& request, ReplySink& sink);
  boost::asio::awaitable<void> show_model(const HttpRequest& request, ReplySink& sink);

  EndpointsContext context_;
  boost::asio::thread_pool preparing_{1};
};

std::unique_ptr<Endpoints> openai_endpoints(const EndpointsContext& context);

}  // namespace drystone
