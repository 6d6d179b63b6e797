#include "serve/metrics/serving_metrics.h"

#include <gtest/gtest.h>

#include "serve/api/dialects.h"
#include "serve/http/test_server.h"
#include "serve/metrics/request_log.h"

namespace drystone {
namespace {

ServerOptions with_metrics(ServingMetrics& metrics, std::vector<std::string> keys = {}) {
  ServerOptions options{.api_keys = std::move(keys), .observer = &metrics};
  options.endpoints = all_dialects();
  options.endpoints.push_back(metrics_endpoint(metrics));
  return options;
}

double value_of(const std::string& text, const std::string& series) {
  const std::size_t at = text.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
}

TEST(ServingMetrics, CountWhatRequestsCost) {
  ServingMetrics metrics("m");
  metrics.set_loads([] {
    return std::vector<ModelLoad>{
        {.model = "m", .load = EngineLoad{.running = 3, .kv_pages = 8, .kv_pages_in_use = 2}}};
  });
  TestServer server(with_metrics(metrics));
  TestClient client = server.connect();
  ASSERT_EQ(client.ask("POST", "/v1/chat/completions", chat_body("Hello")).status, 200);
  ASSERT_EQ(client.ask("POST", "/v1/chat/completions", chat_body("Hi", R"("stream":true)")).status,
            200);
  ASSERT_EQ(client.ask("POST", "/v1/chat/completions", "{").status, 400);
  TestReply reply = client.ask("GET", "/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  const std::string model = R"({model_name="m"})";
  EXPECT_EQ(value_of(reply.body, "vllm:num_requests_running" + model), 3);
  EXPECT_EQ(value_of(reply.body, "vllm:kv_cache_usage_perc" + model), 0.25);
  EXPECT_EQ(value_of(reply.body, "vllm:prompt_tokens_total" + model), 7);
  EXPECT_EQ(value_of(reply.body, "vllm:generation_tokens_total" + model), 8 + 5);
  EXPECT_EQ(value_of(reply.body, "vllm:time_to_first_token_seconds_count" + model), 2);
  EXPECT_EQ(value_of(reply.body, "vllm:inter_token_latency_seconds_count" + model), 7 + 4);
  EXPECT_EQ(
      value_of(reply.body, R"(vllm:request_success_total{model_name="m",finished_reason="stop"})"),
      2);
  EXPECT_EQ(value_of(reply.body, R"(drystone_http_requests_total{code="200"})"), 2);
  EXPECT_EQ(value_of(reply.body, R"(drystone_http_requests_total{code="400"})"), 1);
  EXPECT_EQ(value_of(reply.body, "drystone_http_connections"), 1);
}

// Who turns the second tier on wants to see whether it is of use.
TEST(ServingMetrics, TellOfTheSecondTierWhereThereIsOne) {
  ServingMetrics metrics("m");
  metrics.set_loads(
      [] { return std::vector<ModelLoad>{{.model = "m", .load = EngineLoad{.page_tokens = 64}}}; });
  EXPECT_EQ(metrics.text().find("kv_disk"), std::string::npos);
  metrics.set_loads([] {
    const EngineLoad load{.page_tokens = 64,
                          .kv_disk = {.pages = 8, .pages_in_use = 3, .stored = 5, .restored = 2}};
    return std::vector<ModelLoad>{{.model = "m", .load = load}};
  });
  const std::string text = metrics.text();
  EXPECT_EQ(value_of(text, R"(drystone_kv_disk_pages_in_use{model_name="m"})"), 3);
  EXPECT_EQ(value_of(text, R"(drystone_kv_disk_stored_pages_total{model_name="m"})"), 5);
  EXPECT_EQ(value_of(text, R"(drystone_kv_disk_restored_tokens_total{model_name="m"})"), 128);
}

// A node serves several models, some of which are computed elsewhere.
TEST(ServingMetrics, TellModelsApart) {
  ServingMetrics metrics("");
  metrics.set_loads([] {
    return std::vector<ModelLoad>{
        {.model = "m", .instance = "m", .state = "ready", .head = "atlas", .load = EngineLoad{}},
        {.model = "m", .instance = "m#1", .state = "loading", .head = "nova"}};
  });
  TestServer server(with_metrics(metrics));
  ASSERT_EQ(server.connect().ask("POST", "/v1/chat/completions", chat_body("Hello")).status, 200);
  const std::string text = server.connect().ask("GET", "/metrics").body;
  EXPECT_EQ(
      value_of(
          text,
          R"(drystone_model_state{model_name="m",instance="m#1",state="loading",head="nova"})"),
      1);
  EXPECT_EQ(value_of(text, R"(vllm:num_requests_running{model_name="m"})"), 0);
  EXPECT_EQ(text.find(R"(vllm:num_requests_running{model_name="m",instance)"), std::string::npos);
  EXPECT_GT(value_of(text, R"(vllm:generation_tokens_total{model_name="scripted"})"), 0);
  EXPECT_GT(value_of(text, R"(vllm:inter_token_latency_seconds_count{model_name="scripted"})"), 0);
}

// A client that leaves is no success, and its tokens were still computed.
TEST(ServingMetrics, CountAClientThatLeavesAsAbort) {
  ServingMetrics metrics("m");
  TestServer server(with_metrics(metrics));
  server.script.hold(true);
  server.script.allowed = 2;
  TestClient leaver = server.connect();
  leaver.send("POST", "/v1/chat/completions", chat_body("Hi", R"("stream":true)"));
  ASSERT_EQ(leaver.read_head().status, 200);
  ASSERT_TRUE(server.script.wait_for([](auto& script) { return script.allowed == 0; }));
  leaver.close();
  ASSERT_TRUE(server.script.wait_for([](auto& script) { return script.cancelled == 1; }));
  const std::string text = server.connect().ask("GET", "/metrics").body;
  EXPECT_EQ(value_of(text, R"(vllm:request_success_total{model_name="m",finished_reason="abort"})"),
            1);
  EXPECT_EQ(value_of(text, R"(vllm:generation_tokens_total{model_name="m"})"), 2);
  EXPECT_EQ(value_of(text, "drystone_http_incomplete_total"), 1);
}

// Numbers tell what a company does with its machine: they are for those who have a key.
TEST(ServingMetrics, NeedTheKeyWhereThereIsOne) {
  ServingMetrics metrics("m");
  TestServer server(with_metrics(metrics, {"secret"}));
  EXPECT_EQ(server.connect().ask("GET", "/metrics").status, 401);
  EXPECT_EQ(server.connect().ask("GET", "/metrics", "", "Authorization: Bearer secret\r\n").status,
            200);
}

TEST(RequestLog, SaysWhatARequestCost) {
  RequestRecord record{.id = "chatcmpl-1",
                       .client = "127.0.0.1",
                       .method = "POST",
                       .path = "/v1/a b",
                       .status = 200,
                       .total_s = 0.0125,
                       .answer_bytes = 99,
                       .generations = 1,
                       .finish = "stop",
                       .prompt_tokens = 5,
                       .completion_tokens = 7,
                       .queue_s = 0.001,
                       .first_text_s = 0.002};
  EXPECT_EQ(log_line(record, false),
            "method=POST path=\"/v1/a b\" status=200 client=127.0.0.1 ms=12.5 bytes=99 "
            "id=chatcmpl-1 finish=stop prompt_tokens=5 cached_tokens=0 completion_tokens=7 "
            "queue_ms=1 first_text_ms=2");
  EXPECT_EQ(boost::json::parse("{" + log_line(record, true)).at("prompt_tokens"), 5);
}

// A path is foreign text: it must not begin a line of its own in the log.
TEST(RequestLog, KeepsAForeignPathInOneLine) {
  for (const bool as_json : {false, true}) {
    const std::string line = log_line({.path = "/x\nstatus=200 {\"a\":1}"}, as_json);
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  }
}

TEST(RequestLog, RefusesALevelThatItDoesNotKnow) {
  EXPECT_TRUE(make_request_log({.level = "loud"}).is(Errc::invalid_argument));
  EXPECT_TRUE(make_request_log({.format = "xml"}).is(Errc::invalid_argument));
}

}  // namespace
}  // namespace drystone
