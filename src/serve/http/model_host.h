#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "serve/http/api_error.h"
#include "serve/http/served_model.h"

namespace drystone {

inline std::int64_t unix_seconds(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time_since_epoch()).count();
}

// The model of a server, from its start (still loading) to its end, under the names that clients
// may ask for. set_progress(), ready() and find() from any thread, the latter two once ready() has
// succeeded; else on the loop thread.
class ModelHost {
 public:
  // `names` is not empty; the first is the one that answers carry.
  explicit ModelHost(std::vector<std::string> names);

  void set_progress(double done) { progress_ = done; }
  double progress() const { return progress_; }

  void set_model(std::unique_ptr<ServedModel> model, std::int64_t unix_time_s);  // once
  void close();  // no further request; what runs or waits is cancelled

  const std::vector<std::string>& names() const { return names_; }
  bool has_name(std::string_view name) const;
  std::int64_t loaded_unix_s() const { return loaded_unix_s_; }

  struct Ready {
    ServedModel& model;
  };
  // Errors: 503 while the model is loading, or when the server stops.
  ApiResult<Ready> ready() const;
  // The same, for a client that asks for a model by name; "" is any. Errors: also 404
  // model_not_found.
  ApiResult<Ready> find(std::string_view name) const;

 private:
  std::vector<std::string> names_;
  std::atomic<double> progress_ = 0;
  std::int64_t loaded_unix_s_ = 0;
  std::atomic<bool> closed_ = false;
  std::unique_ptr<ServedModel> model_;
};

}  // namespace drystone
