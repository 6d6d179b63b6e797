#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "app/node/models/model_catalog.h"
#include "base/clock.h"
#include "serve/http/model_host.h"

namespace drystone {

// A model of the cluster under its name in this node's API: announced from the start, ready once
// the cluster has it and this node has read its header, which a thread of this does meanwhile.
// Thread-safe.
class ServedName {
 public:
  static constexpr std::chrono::seconds kRetryEvery{2};  // when the header is nowhere to be had

  // Where its requests go, whoever computes them, is `jobs`. Borrows the rest.
  ServedName(std::string name, std::shared_ptr<JobQueue> jobs, ModelCatalog& catalog,
             ModelHost& models, const Clock& clock);
  ~ServedName();  // close(); waits for what its thread reads

  // All return at once. Once the model was ready it stays so: its requests wait.
  // Where it is placed, with that many tokens of context: its header is read.
  void placed(const ModelSource& source, std::uint32_t context);
  void loading(double done);
  void refused(const std::string& why);
  void ready();
  // Takes the name out of the API; what runs is cancelled.
  void close();

 private:
  struct Wanted {
    ModelSource source;
    std::uint32_t context = 0;
    bool is_like(const Wanted& other) const {  // serves as well
      return context == other.context && source.identity == other.source.identity;
    }
  };
  void run();
  void serve();  // what is made, if it may be; with the lock
  Result<std::shared_ptr<ServedModel>> make(const Wanted& wanted);

  const std::string name_;
  const std::shared_ptr<JobQueue> jobs_;
  ModelCatalog& catalog_;
  ModelHost& models_;
  const Clock& clock_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Wanted> wanted_;
  std::optional<Wanted> made_of_;      // the model that was made last
  std::shared_ptr<ServedModel> made_;  // until it is served
  bool is_ready_ = false, is_served_ = false, was_refused_ = false;
  std::atomic<bool> closed_ = false;
  std::thread thread_;
};

}  // namespace drystone
