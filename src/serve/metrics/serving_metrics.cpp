#include "serve/metrics/serving_metrics.h"

#include <algorithm>

#include "serve/http/off_loop.h"

namespace drystone {

ServingMetrics::ServingMetrics(std::string model_name) : model_name_(std::move(model_name)) {
  if (!model_name_.empty()) numbers_of(model_name_);
}

void ServingMetrics::set_loads(std::function<std::vector<ModelLoad>()> loads) {
  const std::lock_guard lock(mutex_);
  loads_ = std::move(loads);
}

ModelNumbers& ServingMetrics::numbers_of(std::string_view model) {
  const std::string_view name = model_name_.empty() ? model : model_name_;
  const std::lock_guard lock(mutex_);
  const auto found = numbers_.find(name);
  if (found != numbers_.end()) return *found->second;
  auto& numbers = numbers_[std::string(numbers_.size() < kModelsMax ? name : "")];
  if (numbers == nullptr) numbers = std::make_unique<ModelNumbers>();
  return *numbers;
}

void ServingMetrics::text_came(std::string_view model, double gap_s, std::size_t tokens) {
  numbers_of(model).text_came(gap_s, tokens);
}

void ServingMetrics::request_over(const RequestRecord& record) {
  const auto status = static_cast<std::size_t>(std::clamp(record.status, 0, 599));
  requests_by_status_[status].add();
  answer_bytes_.add(record.answer_bytes);
  if (!record.complete) incomplete_.add();
  if (record.generations > 0) numbers_of(record.model).request_over(record);
}

void ServingMetrics::write_loads(Exposition& out) const {
  std::function<std::vector<ModelLoad>()> ask;
  {
    const std::lock_guard lock(mutex_);
    ask = loads_;
  }
  if (!ask) return;
  const std::vector<ModelLoad> loads = ask();

  const auto placed = [](const ModelLoad& one) { return !one.state.empty(); };
  if (std::ranges::any_of(loads, placed)) {
    constexpr const char* kState = "drystone_model_state";
    out.family(kState, "gauge", "1 for each instance of the cluster, with its state and head.");
    for (const ModelLoad& one : loads)
      if (placed(one))
        out.sample(kState,
                   {{"model_name", one.model},
                    {"instance", one.instance},
                    {"state", one.state},
                    {"head", one.head}},
                   std::uint64_t{1});
  }
  // `value` of the engines that `has` is true of.
  const auto some = [&](const char* name, const char* type, const char* help, auto has,
                        auto value) {
    bool told = false;
    for (const ModelLoad& one : loads) {
      if (!one.load || !has(*one.load)) continue;
      if (!std::exchange(told, true)) out.family(name, type, help);
      MetricLabels labels = {{"model_name", one.model}};
      if (!one.instance.empty() && one.instance != one.model)
        labels.emplace_back("instance", one.instance);
      out.sample(name, labels, value(*one.load));
    }
  };
  const auto all = [&](const char* name, const char* type, const char* help, auto member) {
    some(
        name, type, help, [](const EngineLoad&) { return true; },
        [&](const EngineLoad& load) { return load.*member; });
  };
  all("vllm:num_requests_running", "gauge", "Requests that are being computed.",
      &EngineLoad::running);
  all("vllm:num_requests_waiting", "gauge", "Requests in the queue.", &EngineLoad::waiting);
  some(
      "vllm:kv_cache_usage_perc", "gauge", "Share of the KV cache's pages in use, 0 to 1.",
      [](const EngineLoad&) { return true; },
      [](const EngineLoad& load) {
        return load.kv_pages == 0
                   ? 0.0
                   : static_cast<double>(load.kv_pages_in_use) / static_cast<double>(load.kv_pages);
      });
  all("drystone_kv_pages", "gauge", "Pages of the KV cache.", &EngineLoad::kv_pages);
  all("drystone_kv_pages_in_use", "gauge", "Pages of the KV cache that running requests hold.",
      &EngineLoad::kv_pages_in_use);
  all("drystone_kv_page_tokens", "gauge", "Tokens of a page.", &EngineLoad::page_tokens);
  all("vllm:prefix_cache_queries_total", "counter", "Prompt tokens looked up in the cache.",
      &EngineLoad::prefix_queries_tokens);
  all("vllm:prefix_cache_hits_total", "counter", "Prompt tokens found in the cache.",
      &EngineLoad::prefix_hits_tokens);
  all("vllm:num_preemptions_total", "counter", "Requests that gave their pages back for a while.",
      &EngineLoad::preemptions);
  all("drystone_generated_tokens_total", "counter",
      "Tokens that the engine has generated, also of requests that still run.",
      &EngineLoad::generated_tokens);
  all("drystone_steps_total", "counter", "Steps of the engine.", &EngineLoad::steps);

  const auto disk = [&](const char* name, const char* type, const char* help, auto value) {
    some(
        name, type, help, [](const EngineLoad& load) { return load.kv_disk.pages > 0; },
        [&](const EngineLoad& load) { return value(load.kv_disk, load.page_tokens); });
  };
  using Disk = EngineLoad::KvDisk;
  const auto of = [](std::uint64_t Disk::* member) {
    return [member](const Disk& tier, std::uint64_t) { return tier.*member; };
  };
  disk("drystone_kv_disk_pages", "gauge", "Pages that the prefix cache's file can hold.",
       of(&Disk::pages));
  disk("drystone_kv_disk_pages_in_use", "gauge", "Pages that it holds.", of(&Disk::pages_in_use));
  disk("drystone_kv_disk_page_bytes", "gauge", "Bytes of a page.", of(&Disk::page_bytes));
  disk("drystone_kv_disk_stored_pages_total", "counter", "Pages written to it.", of(&Disk::stored));
  disk("drystone_kv_disk_restored_pages_total", "counter",
       "Pages that came back from it instead of being computed.", of(&Disk::restored));
  disk("drystone_kv_disk_restored_tokens_total", "counter", "Tokens of these.",
       [](const Disk& tier, std::uint64_t page_tokens) { return tier.restored * page_tokens; });
  disk("drystone_kv_disk_dropped_pages_total", "counter",
       "Evicted pages that it was too busy to take.", of(&Disk::dropped));
  disk("drystone_kv_disk_failed_pages_total", "counter",
       "Pages that could not be written, or not be read as they were written.", of(&Disk::failed));
}

void ServingMetrics::write_requests(Exposition& out) const {
  std::vector<std::pair<std::string, const ModelNumbers*>> models;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, numbers] : numbers_) models.emplace_back(name, numbers.get());
  }
  if (models.empty()) return;
  const auto counter = [&](const char* name, const char* help, const Counter ModelNumbers::* one) {
    out.family(name, "counter", help);
    for (const auto& [model, numbers] : models)
      out.sample(name, {{"model_name", model}}, (numbers->*one).value());
  };
  const auto histogram = [&](const char* name, const char* help,
                             const Histogram ModelNumbers::* one) {
    out.family(name, "histogram", help);
    for (const auto& [model, numbers] : models)
      out.samples(name, {{"model_name", model}}, numbers->*one);
  };
  counter("vllm:prompt_tokens_total", "Prompt tokens of requests that are over.",
          &ModelNumbers::prompt_tokens);
  counter("vllm:prompt_tokens_cached_total", "Of these, taken from the prefix cache.",
          &ModelNumbers::cached_tokens);
  counter("vllm:generation_tokens_total", "Generated tokens of requests that are over.",
          &ModelNumbers::generation_tokens);
  constexpr const char* kSuccess = "vllm:request_success_total";
  out.family(kSuccess, "counter", "Requests by how their generation ended.");
  for (const auto& [model, numbers] : models)
    for (std::size_t i = 0; i < ModelNumbers::kFinishes.size(); ++i)
      out.sample(kSuccess, {{"model_name", model}, {"finished_reason", ModelNumbers::kFinishes[i]}},
                 numbers->finished[i].value());
  histogram("vllm:time_to_first_token_seconds", "From the queue to the first text.",
            &ModelNumbers::first_token);
  histogram("vllm:inter_token_latency_seconds", "Between one token and the next.",
            &ModelNumbers::inter_token);
  histogram("vllm:request_time_per_output_token_seconds", "Mean of a request after its first text.",
            &ModelNumbers::per_output_token);
  histogram("vllm:e2e_request_latency_seconds", "From the queue to the end.", &ModelNumbers::e2e);
  histogram("vllm:request_queue_time_seconds", "In the queue.", &ModelNumbers::queue);
  histogram("vllm:request_prefill_time_seconds", "Computing the prompt.", &ModelNumbers::prefill);
  histogram("vllm:request_decode_time_seconds", "Generating.", &ModelNumbers::decode);
  histogram("vllm:request_prompt_tokens", "Prompt tokens of a request.",
            &ModelNumbers::prompt_length);
  histogram("vllm:request_generation_tokens", "Generated tokens of a request.",
            &ModelNumbers::output_length);
}

std::string ServingMetrics::text() const {
  Exposition out;
  write_loads(out);
  write_requests(out);
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
    HttpReply reply{.content_type = "text/plain; version=0.0.4; charset=utf-8"};
    // By name: gcc 12 destroys what a conversion makes in a co_await twice.
    const std::function<void()> job = [&] { reply.body = metrics_.text(); };
    if (const auto refusal = co_await reading_.run(job)) reply = error_reply(*refusal);
    co_await sink.send(std::move(reply));
  }
  const ServingMetrics& metrics_;
  OffLoop reading_;  // last: its thread uses the rest
};

}  // namespace

EndpointsFactory metrics_endpoint(const ServingMetrics& metrics) {
  return [&metrics](const EndpointsContext&) { return std::make_unique<MetricsEndpoint>(metrics); };
}

}  // namespace drystone
