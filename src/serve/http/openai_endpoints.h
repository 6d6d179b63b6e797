#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "serve/http/access.h"
#include "serve/http/limits.h"
#include "serve/http/model_host.h"
#include "serve/http/openai_reply.h"
#include "serve/http/pending_reply.h"
#include "serve/http/router.h"

namespace drystone {

// /v1/chat/completions, /v1/completions, /v1/models and /health (docs/formats/openai-api.md). Runs
// on the loop thread; parsing, templates and tokenization run on a thread of their own, so that a
// long prompt delays nobody's stream.
class OpenAiEndpoints {
 public:
  struct Options {
    ServerLimits limits;
    const Clock& clock;
  };
  // Borrows all but the limits.
  OpenAiEndpoints(boost::asio::any_io_executor loop, ModelHost& host, const AccessRules& access,
                  Options options);
  ~OpenAiEndpoints();  // waits for requests that are being prepared

  void add_to(Router& router);

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
  boost::asio::awaitable<void> health(const HttpRequest& request, ReplySink& sink);
  boost::asio::awaitable<void> list_models(const HttpRequest& request, ReplySink& sink);
  boost::asio::awaitable<void> show_model(const HttpRequest& request, ReplySink& sink);

  boost::asio::any_io_executor loop_;
  ModelHost& host_;
  const AccessRules& access_;
  Options options_;
  boost::asio::thread_pool preparing_{1};
};

}  // namespace drystone
