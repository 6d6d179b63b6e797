#include "serve/http/reply_writer.h"

#include "serve/http/cors.h"
#include "serve/http/reply_text.h"

namespace drystone {
using boost::asio::awaitable;

// Of an answer's header, what the record of its request needs.
void ReplyWriter::note_answer(int status, const HttpHeaders& headers) {
  exchange_.replied = true;
  RequestRecord& record = exchange_.request.trace->record;
  record.status = status;
  for (const auto& [name, value] : headers)
    if (name == "X-Request-Id") record.id = value;
}

awaitable<bool> ReplyWriter::send(HttpReply reply) {
  note_answer(reply.status, reply.headers);
  add_cors(reply.headers, exchange_.cors_origin);
  std::string text = reply_head(reply, {.keep_alive = exchange_.keep_alive && !context_.stopping,
                                        .http_1_0 = exchange_.http_1_0});
  if (!exchange_.head) text += reply.body;
  co_return co_await write(std::move(text));
}

awaitable<bool> ReplyWriter::begin_events(HttpHeaders headers) {
  note_answer(200, headers);
  add_cors(headers, exchange_.cors_origin);
  exchange_.events_open = true;
  if (exchange_.http_1_0)
    exchange_.keep_alive = false;  // No chunks there: the end of the connection ends the answer.
  std::string head =
      events_head(headers, {.keep_alive = exchange_.keep_alive, .http_1_0 = exchange_.http_1_0});
  co_return co_await write(std::move(head));
}

awaitable<bool> ReplyWriter::write_events(std::string events) {
  if (!exchange_.http_1_0) events = chunk_text(events);
  co_return co_await write(std::move(events));
}

awaitable<bool> ReplyWriter::end_events() {
  exchange_.events_open = false;
  std::string last(exchange_.http_1_0 ? "" : kLastChunk);
  co_return co_await write(std::move(last));
}

awaitable<void> ReplyWriter::refuse(const ApiError& error) {
  const std::string& path = exchange_.request.path;
  HttpReply reply{.status = error.status, .body = context_.router.error_body(path, error)};
  if (error.retry_after_s > 0)
    reply.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  if (error.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (error.status == 405) reply.headers.emplace_back("Allow", context_.router.allowed(path));
  co_await send(std::move(reply));
}

awaitable<bool> ReplyWriter::write(std::string text) {
  const bool taken = co_await connection_.write(std::move(text), context_.limits.write_max,
                                                exchange_.request.trace->record.answer_bytes);
  if (!taken) exchange_.client_gone = true;
  co_return taken;
}

}  // namespace drystone
