#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "serve/http/served_model.h"
#include "serve/jobs/job_wire.h"

namespace drystone {

// The other end of ClientJobs: runs the orders of one connection on models of this process. What
// JobServer (job_server.h) is between its threads, and simulations without any. Held by its jobs,
// whose callbacks may come after the connection has gone. Thread-safe.
class ServerJobs : public std::enable_shared_from_this<ServerJobs> {
 public:
  static constexpr std::size_t kJobsMax = 1024;  // at once

  // The model of an instance that is ready here in this epoch; jobs hold it until they end, and may
  // let go of it on any thread, its own among them (a lease of a ModelHost may). Errors tell the
  // other node that the instance is lost.
  using Find = std::function<Result<std::shared_ptr<ServedModel>>(const std::string& instance,
                                                                  std::uint64_t epoch)>;
  explicit ServerJobs(Find find) : find_(std::move(find)) {}
  virtual ~ServerJobs() = default;

  // A frame of the other side. Errors, after which the connection is to be given up: corrupt.
  Result<void> take(JobFrame type, std::uint64_t tag, std::span<const std::byte> payload);
  void cancel_all();
  // Tells the other side the places of jobs that wait, where they changed.
  void tell_positions();

 protected:
  // Returns at once. What cannot be sent is noticed by whoever reads the connection.
  virtual void send(JobFrame type, std::uint64_t tag, std::span<const std::byte> payload,
                    std::uint16_t flags) = 0;
  // Does `work`, which may take seconds, beside whoever reads the connection; here at once.
  virtual void beside(std::function<void()> work) { work(); }

 private:
  struct Open {
    std::shared_ptr<ServedModel> model;
    bool compiling = false;           // its constraint: nothing of it runs yet
    std::optional<std::uint64_t> id;  // in its queue, once it was taken
    bool begun = false, cancelled = false;
    std::uint32_t position = 0;  // that was told
  };

  Result<void> start(std::uint64_t tag, std::span<const std::byte> message);
  bool is_wanted(std::uint64_t tag, bool compiled);
  void compile(std::uint64_t tag, JobOrder order, ServedModel& model);
  void submit(std::uint64_t tag, JobOrder order, ServedModel& model);
  void refuse(std::uint64_t tag, const Error& error, ServedModel& model);
  GenerationJob job_of(std::uint64_t tag, JobOrder order);
  void cancel(std::uint64_t tag);
  void send_delta(std::uint64_t tag, const Delta& delta);
  void send_error(JobFrame type, std::uint64_t tag, const Error& error, bool lost);
  Open close_job(std::uint64_t tag);

  const Find find_;
  std::mutex mutex_;  // of open_
  std::map<std::uint64_t, Open> open_;
  std::uint64_t last_tag_ = 0;
};

}  // namespace drystone
