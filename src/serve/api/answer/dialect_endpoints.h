#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/api/answer/answer_writer.h"
#include "serve/api/answer/vector_request.h"
#include "serve/http/endpoints.h"
#include "serve/http/off_loop.h"
#include "serve/http/pending_reply.h"

namespace drystone {

// A request that is understood and fits the model.
struct PreparedAnswer {
  HeldModel held;
  std::vector<GenerateRequest> jobs;  // one for each choice; at least one
  ChoiceAnswer::Options answer;
  std::unique_ptr<AnswerWriter> writer;
  std::string id;
  bool stream = false;
  std::vector<std::string> ignored;  // parameters that we do not know
};

// What the endpoints of every dialect share: requests are read on a thread of their own, so that a
// long prompt delays nobody's stream, and answered from the loop, whole or as a stream. What is
// only looked up (GET, DELETE) has another thread, so that it does not wait for a long prompt
// either. On the loop thread.
class DialectEndpoints : public Endpoints {
 public:
  DialectEndpoints(const EndpointsContext& context, ErrorBody error_body)
      : context_(context), error_body_(error_body) {}
  // Its end waits for requests that are being prepared.

 protected:
  // These run off the loop, and only when a request can be served at all.
  using Prepare = std::function<ApiResult<PreparedAnswer>(const HttpRequest&)>;
  using PrepareVectors = std::function<ApiResult<VectorRequest>(const HttpRequest&)>;
  using Work = std::function<ApiResult<boost::json::value>(const HttpRequest&)>;

  void add_answer(Router& router, std::string path, Prepare prepare);          // POST
  void add_vectors(Router& router, std::string path, PrepareVectors prepare);  // POST
  void add_work(Router& router, std::string method, std::string path, Work work);

  const EndpointsContext& context() const { return context_; }

 private:
  struct Running;
  class Quiet;
  struct RunningVectors;

  boost::asio::awaitable<void> answer(const HttpRequest& request, ReplySink& sink,
                                      const Prepare& prepare);
  boost::asio::awaitable<void> vectors(const HttpRequest& request, ReplySink& sink,
                                       const PrepareVectors& prepare);
  boost::asio::awaitable<void> work(const HttpRequest& request, ReplySink& sink, const Work& work,
                                    OffLoop& thread);
  boost::asio::awaitable<void> send_whole(Running& running, ReplySink& sink);
  boost::asio::awaitable<void> send_stream(Running& running, ReplySink& sink);
  // Returns when one of the choices has something, or after `patience`.
  boost::asio::awaitable<void> wait_for_any(Running& running, std::chrono::milliseconds patience);
  HttpReply refusal(const ApiError& error) const;
  static void add_headers(HttpHeaders& headers, const std::string& id,
                          const std::vector<std::string>& ignored);

  EndpointsContext context_;
  ErrorBody error_body_;
  OffLoop preparing_, looking_up_;
};

}  // namespace drystone
