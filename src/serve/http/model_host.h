#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "serve/http/api_error.h"
#include "serve/http/last_release.h"
#include "serve/http/served_model.h"

namespace drystone {

inline std::int64_t unix_seconds(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time_since_epoch()).count();
}

// A model that a request may use for as long as it holds this. A value; cheap to copy.
class HeldModel {
 public:
  ServedModel& model() const { return *model_; }
  std::shared_ptr<ServedModel> pointer() const { return model_; }
  const std::string& name() const { return names()[0]; }  // that answers carry
  const std::vector<std::string>& names() const { return facts_->names; }
  std::int64_t loaded_unix_s() const { return facts_->loaded_unix_s; }
  // It was removed meanwhile, or the server stops: nothing more of it is answered.
  std::optional<ApiError> gone() const;

 private:
  friend class ModelHost;
  struct Facts {
    std::vector<std::string> names;
    std::int64_t loaded_unix_s;
    std::atomic<bool> removed = false, stopping = false;
  };
  std::shared_ptr<ServedModel> model_;
  std::shared_ptr<Facts> facts_;
};

// The models of a server by the names that clients may ask for. Each is announced while it loads,
// then ready or failed; models come and go while the server runs. A model that was removed lives
// until the last request has let go of it, and ends on a thread of the host. Thread-safe.
class ModelHost {
 public:
  static constexpr std::size_t kModelsMax = 256;

  // `needs_model`: without a ready one /health says so; else the server is well without any, as a
  // node of a cluster is. Borrows the clock.
  explicit ModelHost(const Clock& clock, bool needs_model = true);
  ~ModelHost();  // after all who hold a model

  // `names` is not empty; the first is the one that answers carry. Errors: invalid_argument (a name
  // is that of another model), limit.
  Result<void> add(std::vector<std::string> names);
  // Of a model that was added, by its first name; nothing happens when it was removed meanwhile.
  void set_progress(std::string_view name, double done);  // of loading, in [0, 1]
  // In place of the one before, if there is one, whose requests go on.
  void set_ready(std::string_view name, std::shared_ptr<ServedModel> model);
  void set_failed(std::string_view name, const Error& error);
  // No further request; what runs or waits is cancelled and its client told. False: no such model.
  bool remove(std::string_view name);
  void close();  // the same for all, for good: the server stops

  // The model that a client asks for by any of its names; "" where there is only one.
  // Errors: 503 while it is loading, when it failed, or when the server stops; 404
  // model_not_found; 400 ("" among several).
  ApiResult<HeldModel> find(std::string_view name) const;
  // Whether any request can be served. Errors: 503 while no model is ready, if one is needed, or
  // when the server stops.
  std::optional<ApiError> refusal() const;

  enum class State { loading, ready, failed };
  struct Shown {
    std::vector<std::string> names;
    State state = State::loading;
    double progress = 0;
    std::string error;              // failed
    std::optional<HeldModel> held;  // ready
  };
  std::vector<Shown> list() const;  // in the order in which they came

 private:
  struct Entry {
    Shown shown;
    std::uint64_t order = 0;
  };
  ApiError not_ready(const Entry& entry) const;
  ApiError not_here(std::string_view name) const;
  const Entry* find_entry(std::string_view name) const;
  std::vector<const Entry*> in_order() const;
  static void let_go(std::optional<HeldModel> held, bool stopping);

  const Clock& clock_;
  const bool needs_model_;
  LastRelease last_release_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;  // by first name
  std::uint64_t last_order_ = 0;
  bool closed_ = false;
};

}  // namespace drystone
