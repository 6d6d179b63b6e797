#include "serve/metrics/serving_metrics.h"

#include <algorithm>

#include "serve/metrics/exposition.h"

namespace drystone {

namespace {

constexpr double kSeconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75,
                               1,     2.5,    5,     7.5,  10,    20,   40,  80,   160, 640};
constexpr double kGapSeconds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1,
                                  0.15,   0.2,   0.3,    0.4,   0.5,  0.75,  1,    2.5,   5};
constexpr double kTokens[] = {1,   2,    5,    10,   20,    50,    100,   200,
                              500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

void observe_if(Histogram& histogram, double value) {
  if (value >= 0) histogram.observe(value);
}

}  // namespace

ServingMetrics::ServingMetrics(std::string model_name)
    : model_name_(std::move(model_name)),
      first_token_(kSeconds),
      inter_token_(kGapSeconds),
      per_output_token_(kGapSeconds),
      e2e_(kSeconds),
      queue_(kSeconds),
      prefill_(kSeconds),
      decode_(kSeconds),
      prompt_length_(kTokens),
      output_length_(kTokens) {}

void ServingMetrics::set_engine_load(std::function<EngineLoad()> load) {
  const std::lock_guard lock(load_mutex_);
  load_ = std::move(load);
}

void ServingMetrics::text_came(double gap_s, std::size_t tokens) {
  inter_token_.observe(gap_s / static_cast<double>(tokens), tokens);
}

void ServingMetrics::request_over(const RequestRecord& record) {
  const auto status = static_cast<std::size_t>(std::clamp(record.status, 0, 599));
  requests_by_status_[status].add();
  answer_bytes_.add(record.answer_bytes);
  if (!record.complete) incomplete_.add();
  if (record.generations == 0) return;
  prompt_tokens_.add(record.prompt_tokens);
  cached_tokens_.add(record.cached_tokens);
  generation_tokens_.add(record.completion_tokens);
  for (std::size_t i = 0; i < kFinishes.size(); ++i)
    if (record.finish == kFinishes[i]) finished_[i].add();
  observe_if(first_token_, record.first_text_s);
  observe_if(e2e_, record.generate_s);
  observe_if(queue_, record.queue_s);
  observe_if(prefill_, record.prefill_s);
  observe_if(decode_, record.decode_s);
  if (record.prompt_tokens > 0) prompt_length_.observe(static_cast<double>(record.prompt_tokens));
  if (record.completion_tokens > 0)
    output_length_.observe(static_cast<double>(record.completion_tokens));
  if (record.completion_tokens > 1 && record.first_text_s >= 0)
    per_output_token_.observe((record.generate_s - record.first_text_s) /
                              static_cast<double>(record.completion_tokens - 1));
}

std::string ServingMetrics::text() const {
  Exposition out;
  const MetricLabels model = {{"model_name", model_name_}};
  const auto one = [&](const char* name, const char* type, const char* help, auto value) {
    out.family(name, type, help);
    out.sample(name, model, value);
  };
  const auto histogram = [&](const char* name, const char* help, const Histogram& values) {
    out.family(name, "histogram", help);
    out.samples(name, model, values);
  };

  std::function<EngineLoad()> ask;
  {
    const std::lock_guard lock(load_mutex_);
    ask = load_;
  }
  if (ask) {
    const EngineLoad load = ask();
    one("vllm:num_requests_running", "gauge", "Requests that are being computed.", load.running);
    one("vllm:num_requests_waiting", "gauge", "Requests in the queue.", load.waiting);
    one("vllm:kv_cache_usage_perc", "gauge", "Share of the KV cache's pages in use, 0 to 1.",
        load.kv_pages == 0
            ? 0.0
            : static_cast<double>(load.kv_pages_in_use) / static_cast<double>(load.kv_pages));
    one("drystone_kv_pages", "gauge", "Pages of the KV cache.", load.kv_pages);
    one("drystone_kv_pages_in_use", "gauge", "Pages of the KV cache that running requests hold.",
        load.kv_pages_in_use);
    one("drystone_kv_page_tokens", "gauge", "Tokens of a page.", load.page_tokens);
    one("vllm:prefix_cache_queries_total", "counter", "Prompt tokens looked up in the cache.",
        load.prefix_queries_tokens);
    one("vllm:prefix_cache_hits_total", "counter", "Prompt tokens found in the cache.",
        load.prefix_hits_tokens);
    one("vllm:num_preemptions_total", "counter", "Requests that gave their pages back for a while.",
        load.preemptions);
    one("drystone_steps_total", "counter", "Steps of the engine.", load.steps);
    if (const auto& disk = load.kv_disk; disk.pages > 0) {
      one("drystone_kv_disk_pages", "gauge", "Pages that the prefix cache's file can hold.",
          disk.pages);
      one("drystone_kv_disk_pages_in_use", "gauge", "Pages that it holds.", disk.pages_in_use);
      one("drystone_kv_disk_page_bytes", "gauge", "Bytes of a page.", disk.page_bytes);
      one("drystone_kv_disk_stored_pages_total", "counter", "Pages written to it.", disk.stored);
      one("drystone_kv_disk_restored_pages_total", "counter",
          "Pages that came back from it instead of being computed.", disk.restored);
      one("drystone_kv_disk_restored_tokens_total", "counter", "Tokens of these.",
          disk.restored * load.page_tokens);
      one("drystone_kv_disk_dropped_pages_total", "counter",
          "Evicted pages that it was too busy to take.", disk.dropped);
      one("drystone_kv_disk_failed_pages_total", "counter",
          "Pages that could not be written, or not be read as they were written.", disk.failed);
    }
  }
  one("vllm:prompt_tokens_total", "counter", "Prompt tokens of requests that are over.",
      prompt_tokens_.value());
  one("vllm:prompt_tokens_cached_total", "counter", "Of these, taken from the prefix cache.",
      cached_tokens_.value());
  one("vllm:generation_tokens_total", "counter", "Generated tokens of requests that are over.",
      generation_tokens_.value());
  out.family("vllm:request_success_total", "counter", "Requests by how their generation ended.");
  for (std::size_t i = 0; i < kFinishes.size(); ++i)
    out.sample("vllm:request_success_total",
               {{"model_name", model_name_}, {"finished_reason", kFinishes[i]}},
               finished_[i].value());
  histogram("vllm:time_to_first_token_seconds", "From the queue to the first text.", first_token_);
  histogram("vllm:inter_token_latency_seconds", "Between one token and the next.", inter_token_);
  histogram("vllm:request_time_per_output_token_seconds", "Mean of a request after its first text.",
            per_output_token_);
  histogram("vllm:e2e_request_latency_seconds", "From the queue to the end.", e2e_);
  histogram("vllm:request_queue_time_seconds", "In the queue.", queue_);
  histogram("vllm:request_prefill_time_seconds", "Computing the prompt.", prefill_);
  histogram("vllm:request_decode_time_seconds", "Generating.", decode_);
  histogram("vllm:request_prompt_tokens", "Prompt tokens of a request.", prompt_length_);
  histogram("vllm:request_generation_tokens", "Generated tokens of a request.", output_length_);

  out.family("drystone_http_requests_total", "counter", "Answered requests by status; 0: none.");
  for (std::size_t status = 0; status < requests_by_status_.size(); ++status)
    if (const std::uint64_t count = requests_by_status_[status].value(); count > 0)
      out.sample("drystone_http_requests_total", {{"code", std::to_string(status)}}, count);
  const auto plain = [&](const char* name, const char* type, const char* help, auto value) {
    out.family(name, type, help);
    out.sample(name, {}, value);
  };
  plain("drystone_http_incomplete_total", "counter",
        "Answers that their client did not take to the end.", incomplete_.value());
  plain("drystone_http_answer_bytes_total", "counter", "Bytes of answers.", answer_bytes_.value());
  plain("drystone_http_connections", "gauge", "Open connections.",
        static_cast<double>(connections_.value()));
  plain("drystone_http_connections_refused_total", "counter",
        "Connections refused because there were too many.", refused_connections_.value());
  return out.take();
}

namespace {

class MetricsEndpoint final : public Endpoints {
 public:
  explicit MetricsEndpoint(const ServingMetrics& metrics) : metrics_(metrics) {}
  void add_to(Router& router) override {
    router.add("GET", "/metrics",
               [this](const HttpRequest&, ReplySink& sink) { return answer(sink); });
  }

 private:
  boost::asio::awaitable<void> answer(ReplySink& sink) {
    HttpReply reply{.body = metrics_.text(),
                    .content_type = "text/plain; version=0.0.4; charset=utf-8"};
    co_await sink.send(std::move(reply));
  }
  const ServingMetrics& metrics_;
};

}  // namespace

EndpointsFactory metrics_endpoint(const ServingMetrics& metrics) {
  return [&metrics](const EndpointsContext&) { return std::make_unique<MetricsEndpoint>(metrics); };
}

}  // namespace drystone
