#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "serve/http/endpoints.h"
#include "serve/http/request_record.h"
#include "serve/metrics/metric.h"

namespace drystone {

// What an engine holds at present and did since its start; asked for when somebody reads metrics.
struct EngineLoad {
  std::uint64_t running = 0, waiting = 0;           // requests
  std::uint64_t kv_pages = 0, kv_pages_in_use = 0;  // of page_tokens each
  std::uint64_t page_tokens = 0;
  std::uint64_t prefix_queries_tokens = 0, prefix_hits_tokens = 0;
  std::uint64_t preemptions = 0, steps = 0;
  // The second tier of the prefix cache; without pages: there is none.
  struct KvDisk {
    std::uint64_t pages = 0, pages_in_use = 0, page_bytes = 0;
    std::uint64_t stored = 0, restored = 0, dropped = 0, failed = 0;
  } kv_disk;
};

// The numbers of a server, under the names that vLLM uses where the meaning is the same and as
// drystone_... where it is not; docs/formats/http.md lists them. The observer's functions are for
// one thread, reading is for any.
class ServingMetrics final : public ServerObserver {
 public:
  // `model_name` is the label of all of a model's numbers.
  explicit ServingMetrics(std::string model_name);

  // From any thread; the function too is called from any, until it is replaced by an empty one.
  void set_engine_load(std::function<EngineLoad()> load);

  void connection_opened() override { connections_.add(1); }
  void connection_closed() override { connections_.add(-1); }
  void connection_refused() override { refused_connections_.add(); }
  void text_came(double gap_s, std::size_t tokens) override;
  void request_over(const RequestRecord& record) override;

  // In Prometheus' text format.
  std::string text() const;

 private:
  static constexpr std::array<const char*, 4> kFinishes = {"stop", "length", "abort", "error"};

  std::string model_name_;
  mutable std::mutex load_mutex_;
  std::function<EngineLoad()> load_;

  Gauge connections_;
  Counter refused_connections_;
  std::array<Counter, 600> requests_by_status_;
  Counter incomplete_, answer_bytes_;
  Counter prompt_tokens_, cached_tokens_, generation_tokens_;
  std::array<Counter, kFinishes.size()> finished_;
  Histogram first_token_, inter_token_, per_output_token_, e2e_, queue_, prefill_, decode_;
  Histogram prompt_length_, output_length_;
};

// GET /metrics. Borrows `metrics`.
EndpointsFactory metrics_endpoint(const ServingMetrics& metrics);

}  // namespace drystone
