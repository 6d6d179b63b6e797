#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/endpoints.h"
#include "serve/http/request_record.h"
#include "serve/metrics/exposition.h"
#include "serve/metrics/metric.h"
#include "serve/metrics/model_numbers.h"

namespace drystone {

// A model that a server offers, as it stands now.
struct ModelLoad {
  std::string model;
  std::string instance;            // of a cluster: "llama-8b#1" is a second replica; else ""
  std::string state, head;         // of a cluster: "ready" and a node's name; else ""
  std::optional<EngineLoad> load;  // where its engine is in this process
};

// The numbers of a server, under the names that vLLM uses where the meaning is the same and as
// drystone_... where it is not; docs/formats/http.md lists them. The observer's functions are for
// one thread, reading is for any.
class ServingMetrics final : public ServerObserver {
 public:
  static constexpr std::size_t kModelsMax = 256;  // what others cost counts under the name ""

  // `model_name` is the label of all requests' numbers; empty: that of the model that each asked
  // for, from its first request on.
  explicit ServingMetrics(std::string model_name);

  // May wait and is called from any thread, until it is replaced by an empty one.
  void set_loads(std::function<std::vector<ModelLoad>()> loads);

  void connection_opened() override { connections_.add(1); }
  void connection_closed() override { connections_.add(-1); }
  void connection_refused() override { refused_connections_.add(); }
  void text_came(std::string_view model, double gap_s, std::size_t tokens) override;
  void request_over(const RequestRecord& record) override;

  // In Prometheus' text format.
  std::string text() const;

 private:
  ModelNumbers& numbers_of(std::string_view model);
  void write_loads(Exposition& out) const;
  void write_requests(Exposition& out) const;

  const std::string model_name_;
  mutable std::mutex mutex_;
  std::function<std::vector<ModelLoad>()> loads_;
  std::map<std::string, std::unique_ptr<ModelNumbers>, std::less<>> numbers_;  // none goes

  Gauge connections_;
  Counter refused_connections_;
  std::array<Counter, 600> requests_by_status_;
  Counter incomplete_, answer_bytes_;
};

// GET /metrics, read on a thread of its own. Borrows `metrics`.
EndpointsFactory metrics_endpoint(const ServingMetrics& metrics);

}  // namespace drystone
