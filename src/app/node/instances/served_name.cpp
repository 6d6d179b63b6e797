#include "app/node/instances/served_name.h"

#include <exception>
#include <utility>

#include "serve/remote_model.h"

namespace drystone {

ServedName::ServedName(std::string name, std::shared_ptr<JobQueue> jobs, ModelCatalog& catalog,
                       ModelHost& models, const Clock& clock)
    : name_(std::move(name)),
      jobs_(std::move(jobs)),
      catalog_(catalog),
      models_(models),
      clock_(clock) {
  // Where the host is full, or has the name for something else, what follows comes to nothing.
  static_cast<void>(models_.add({name_}));
  thread_ = std::thread([this] { run(); });
}

ServedName::~ServedName() {
  close();
  thread_.join();
}

void ServedName::loading(double done) {
  const std::lock_guard lock(mutex_);
  if (closed_ || is_served_) return;
  if (std::exchange(was_refused_, false)) {
    models_.remove(name_);
    static_cast<void>(models_.add({name_}));
  }
  models_.set_progress(name_, done);
}

void ServedName::refused(const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (closed_ || is_served_) return;
  was_refused_ = true;
  models_.set_failed(name_, Error(Errc::unavailable, why));
}

void ServedName::placed(const ModelSource& source, std::uint32_t context) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  Wanted wanted{source, context};
  if (wanted_ && wanted_->is_like(wanted)) return;
  wanted_ = std::move(wanted);
  changed_.notify_all();
}

void ServedName::ready() {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  is_ready_ = true;
  serve();
}

void ServedName::serve() {
  if (!is_ready_ || made_ == nullptr) return;
  models_.set_ready(name_, std::move(made_));
  made_ = nullptr;
  is_served_ = true;
  was_refused_ = false;
}

void ServedName::close() {
  {
    const std::lock_guard lock(mutex_);
    if (closed_.exchange(true)) return;
    changed_.notify_all();
  }
  models_.remove(name_);
}

void ServedName::run() {
  std::unique_lock lock(mutex_);
  std::chrono::milliseconds pause{};
  while (!closed_) {
    if (!wanted_ || (made_of_ && made_of_->is_like(*wanted_))) {
      changed_.wait(lock);
      continue;
    }
    if (pause.count() > 0) changed_.wait_for(lock, pause, [&] { return closed_.load(); });
    if (closed_) return;
    const Wanted wanted = *wanted_;
    lock.unlock();
    auto model = make(wanted);
    lock.lock();
    if (closed_) return;
    pause = model ? std::chrono::milliseconds(0) : kRetryEvery;
    if (model) {
      made_ = *std::move(model);
      made_of_ = wanted;
      serve();
    } else if (is_ready_ && !is_served_) {
      was_refused_ = true;
      models_.set_failed(name_, model.error());
    }
  }
}

Result<std::shared_ptr<ServedModel>> ServedName::make(const Wanted& wanted) {
  try {
    const GgufFile header = TRY(catalog_.open_header(wanted.source, closed_));
    auto classifier = TRY(Classifier::of(header));
    auto model = TRY(make_remote_model({.metadata = header.metadata(),
                                        .weights_bytes = header.file_bytes(),
                                        .context = wanted.context,
                                        .jobs = jobs_,
                                        .classifier = std::move(classifier)},
                                       clock_));
    return std::shared_ptr<ServedModel>(std::move(model));
  } catch (const std::exception& failure) {  // out of memory, mostly
    return Error(Errc::out_of_memory, failure.what());
  }
}

}  // namespace drystone
