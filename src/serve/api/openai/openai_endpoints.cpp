#include "serve/api/openai/openai_endpoints.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <random>

#include "serve/api/openai/openai_parse.h"
#include "serve/http/sse.h"

namespace drystone {
namespace asio = boost::asio;
namespace json = boost::json;
using asio::awaitable;

namespace {

std::string random_id(std::string_view prefix) {
  static constexpr std::string_view kDigits =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::random_device random;
  std::uniform_int_distribution<std::size_t> digit(0, kDigits.size() - 1);
  std::string id(prefix);
  for (int i = 0; i < 24; ++i) id += kDigits[digit(random)];
  return id;
}

std::uint64_t random_seed() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

// Names of unknown parameters, as a header value: only what is harmless there.
std::string header_list(const std::vector<std::string>& names) {
  std::string out;
  std::size_t count = 0;
  for (const std::string& name : names) {
    const bool plain = !name.empty() && name.size() <= 64 &&
                       name.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
                           std::string::npos;
    if (plain && count++ < kIgnoredNamesMax) out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

ApiResult<GenerateRequest> to_generate_request(GenerationOptions& options,
                                               std::vector<TokenId> prompt,
                                               const ServedModel& model) {
  if (prompt.empty())
    return invalid_request("prompt",
                           "The prompt is empty: the model needs at least one token to continue.");
  for (const TokenId id : prompt)
    if (id < 0 || static_cast<std::uint32_t>(id) >= model.vocab())
      return invalid_request(
          "prompt", fmt::format("The prompt has the token id {}; this model has ids 0 to {}.", id,
                                model.vocab() - 1));
  if (prompt.size() >= model.context())
    return invalid_request(
        {},
        fmt::format("This model's maximum context length is {} tokens, but the prompt has {}; one "
                    "must be left for the answer. Shorten the prompt, or start the server with a "
                    "larger --context.",
                    model.context(), prompt.size()),
        "context_length_exceeded");
  for (const auto& [id, bias] : options.sampling.logit_bias)
    if (static_cast<std::uint32_t>(id) >= model.vocab())
      return invalid_request(
          "logit_bias", fmt::format("'logit_bias' has the token id {}; this model has ids 0 to {}.",
                                    id, model.vocab() - 1));
  GenerateRequest out;
  out.prompt = std::move(prompt);
  out.tokens_max = options.tokens_max;
  out.sampling = std::move(options.sampling);
  out.sampling.seed = options.seed ? *options.seed : random_seed();
  out.stop = std::move(options.stop);
  out.ignore_eos = options.ignore_eos;
  out.top_logprobs = options.top_logprobs;
  return out;
}

ApiError cancelled_error() {
  return {.status = 503,
          .message = "The server is stopping; the answer is incomplete.",
          .code = "server_stopping"};
}

}  // namespace

OpenAiEndpoints::~OpenAiEndpoints() { preparing_.join(); }

void OpenAiEndpoints::add_to(Router& router) {
  router.add("POST", "/v1/chat/completions", [this](const HttpRequest& request, ReplySink& sink) {
    return generate(request, sink, true);
  });
  router.add("POST", "/v1/completions", [this](const HttpRequest& request, ReplySink& sink) {
    return generate(request, sink, false);
  });
  router.add("GET", "/v1/models", [this](const HttpRequest& request, ReplySink& sink) {
    return list_models(request, sink);
  });
  router.add("GET", "/v1/models/*", [this](const HttpRequest& request, ReplySink& sink) {
    return show_model(request, sink);
  });
}

namespace {

struct Understood {
  std::string model_name;
  GenerationOptions options;
  std::vector<TokenId> prompt;
  std::string echo;
};

ApiResult<Understood> understand_chat(std::string_view body, const ModelHost& host) {
  auto request = parse_chat_request(body);
  if (!request) return request.error();
  const auto ready = host.find(request->model);
  if (!ready) return ready.error();
  auto prompt = ready->model.chat_prompt(*request);
  if (!prompt) {
    ApiError error = to_api_error(prompt.error());
    if (error.status == 400) error.param = "messages";
    return error;
  }
  return Understood{.options = std::move(request->options), .prompt = *std::move(prompt)};
}

ApiResult<Understood> understand_completion(std::string_view body, const ModelHost& host) {
  auto request = parse_completion_request(body);
  if (!request) return request.error();
  const auto ready = host.find(request->model);
  if (!ready) return ready.error();
  Understood out{.options = std::move(request->options)};
  if (const auto* text = std::get_if<std::string>(&request->prompt)) {
    out.prompt = ready->model.text_prompt(*text);
    if (request->echo) out.echo = *text;
  } else {
    out.prompt = std::get<std::vector<TokenId>>(request->prompt);
    if (request->echo)
      return invalid_request("echo", "'echo' needs a prompt of text, but the prompt is token ids.",
                             "unsupported_parameter");
  }
  return out;
}

}  // namespace

awaitable<ApiResult<OpenAiEndpoints::Prepared>> OpenAiEndpoints::prepare(const HttpRequest& request,
                                                                         bool chat) {
  const auto ready = context_.host.ready();
  if (!ready) co_return ready.error();
  const ServedModel& model = ready->model;
  // The caller's frame, which holds `request`, waits for this, also when the client leaves
  // meanwhile.
  const auto work = [this, &request, &model, chat]() -> ApiResult<Prepared> {
    auto understood = chat ? understand_chat(request.body, context_.host)
                           : understand_completion(request.body, context_.host);
    if (!understood) return understood.error();
    GenerationOptions& options = understood->options;
    Prepared out{.chat = chat, .stream = options.stream, .ignored = std::move(options.ignored)};
    out.info.logprobs = options.top_logprobs.has_value();
    out.info.include_usage = options.include_usage;
    out.info.echo = std::move(understood->echo);
    auto generate = to_generate_request(options, std::move(understood->prompt), model);
    if (!generate) return generate.error();
    out.request = *std::move(generate);
    return out;
  };
  std::optional<ApiResult<Prepared>> prepared;
  const auto on_thread = [&work, &prepared]() -> awaitable<void> {
    prepared = work();
    co_return;
  };
  co_await asio::co_spawn(preparing_, on_thread, asio::use_awaitable);
  if (*prepared) {
    ReplyInfo& info = (*prepared)->info;
    info.id = random_id(chat ? "chatcmpl-" : "cmpl-");
    info.model = context_.host.names()[0];
    info.created_unix_s = unix_seconds(context_.clock);
    info.piece = [&model](TokenId id) { return model.piece(id); };
  }
  co_return *std::move(prepared);
}

awaitable<void> OpenAiEndpoints::generate(const HttpRequest& request, ReplySink& sink, bool chat) {
  auto prepared = co_await prepare(request, chat);
  auto ready = context_.host.ready();
  if (!prepared || !ready) {
    HttpReply reply = error_reply(prepared ? ready.error() : prepared.error());
    co_await sink.send(std::move(reply));
    co_return;
  }
  const bool stream = prepared->stream;
  const bool usage = prepared->info.include_usage;
  HttpHeaders headers = {{"X-Request-Id", prepared->info.id}};
  if (std::string ignored = header_list(prepared->ignored); !ignored.empty())
    headers.emplace_back("Drystone-Ignored-Parameters", std::move(ignored));
  auto writer =
      chat ? chat_reply(std::move(prepared->info)) : completion_reply(std::move(prepared->info));

  // A whole answer is collected here in any case; its bound is the context.
  const std::size_t unsent_bytes_max =
      stream ? context_.limits.unsent_bytes_max : std::numeric_limits<std::size_t>::max();
  auto pending =
      PendingReply::start(context_.loop, ready->model.jobs(), context_.access.client(request),
                          std::move(prepared->request), unsent_bytes_max);
  if (!pending) {
    HttpReply reply = error_reply({.status = 429,
                                   .type = "rate_limit_error",
                                   .message = pending.error().message(),
                                   .code = "queue_full",
                                   .retry_after_s = 5});
    co_await sink.send(std::move(reply));
    co_return;
  }
  if (stream)
    co_await send_stream(std::move(*pending), *writer, std::move(headers), usage, sink);
  else
    co_await send_whole(std::move(*pending), *writer, std::move(headers), sink);
}

awaitable<void> OpenAiEndpoints::send_whole(PendingReply pending, ReplyWriter& writer,
                                            HttpHeaders headers, ReplySink& sink) {
  std::string text;
  std::vector<Sampled> tokens;
  while (true) {
    for (Delta& delta : pending.take()) {
      text += delta.text;
      std::move(delta.tokens.begin(), delta.tokens.end(), std::back_inserter(tokens));
    }
    if (pending.result()) break;
    co_await pending.wait(context_.limits.keep_alive_every);
  }
  const Result<GenerateResult>& result = *pending.result();
  HttpReply reply;
  if (!result)
    reply = error_reply(to_api_error(result.error()));
  else if (result->finish == FinishReason::cancelled)
    reply = error_reply(cancelled_error());
  else
    reply.body = writer.whole(text, tokens, *result);
  for (auto& header : headers) reply.headers.push_back(std::move(header));
  co_await sink.send(std::move(reply));
}

awaitable<void> OpenAiEndpoints::send_stream(PendingReply pending, ReplyWriter& writer,
                                             HttpHeaders headers, bool usage, ReplySink& sink) {
  const bool begun = co_await sink.begin_events(std::move(headers));
  if (!begun) co_return;
  std::string events;
  if (const std::string first = writer.first_chunk(); !first.empty()) events = sse_data(first);
  while (true) {
    for (const Delta& delta : pending.take()) events += sse_data(writer.chunk(delta));
    if (pending.result()) break;
    if (!events.empty()) {
      const bool taken = co_await sink.write_events(std::exchange(events, {}));
      if (!taken) co_return;
    }
    co_await pending.wait(context_.limits.keep_alive_every);
    if (pending.overflowed())
      co_return;  // Too far behind. The session closes: the answer has no end.
    if (pending.idle())
      events = sse_comment(pending.position() > 0
                               ? fmt::format("waiting, {} before this", pending.position())
                               : "working");
  }
  const Result<GenerateResult>& result = *pending.result();
  if (!result || result->finish == FinishReason::cancelled) {
    events += sse_data(to_json(result ? cancelled_error() : to_api_error(result.error())));
  } else {
    events += sse_data(writer.last_chunk(*result));
    if (usage) events += sse_data(writer.usage_chunk(*result));
  }
  events += kSseDone;
  const bool taken = co_await sink.write_events(std::move(events));
  if (taken) co_await sink.end_events();
}

namespace {
json::value model_entry(const std::string& name, const ModelHost& host, const ServedModel& model) {
  return {{"id", name},
          {"object", "model"},
          {"created", host.loaded_unix_s()},
          {"owned_by", "drystone"},
          {"context_length", model.context()},
          {"max_model_len", model.context()}};
}
}  // namespace

awaitable<void> OpenAiEndpoints::list_models(const HttpRequest&, ReplySink& sink) {
  HttpReply reply;
  if (const auto ready = context_.host.ready(); !ready) {
    reply = error_reply(ready.error());
  } else {
    json::array entries;
    for (const std::string& name : context_.host.names())
      entries.push_back(model_entry(name, context_.host, ready->model));
    reply.body = json::serialize(json::value{{"object", "list"}, {"data", std::move(entries)}});
  }
  co_await sink.send(std::move(reply));
}

awaitable<void> OpenAiEndpoints::show_model(const HttpRequest& request, ReplySink& sink) {
  const std::string name = request.path.substr(std::string_view("/v1/models/").size());
  HttpReply reply;
  if (const auto ready = context_.host.find(name); !ready)
    reply = error_reply(ready.error());
  else
    reply.body = json::serialize(model_entry(name, context_.host, ready->model));
  co_await sink.send(std::move(reply));
}

std::unique_ptr<Endpoints> openai_endpoints(const EndpointsContext& context) {
  return std::make_unique<OpenAiEndpoints>(context);
}

}  // namespace drystone
