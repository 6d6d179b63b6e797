#include "app/node/state/state_saver.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>

namespace drystone {
namespace asio = boost::asio;

struct StateSaver::Shared {
  asio::any_io_executor executor;
  const StateFolder& folder;
  std::function<MakeText()> look;
  std::function<void(const std::string&)> say;
  StateSaver* saver;  // null once it is closed
  bool dirty = false, writing = false, failing = false;
};

StateSaver::StateSaver(asio::any_io_executor executor, const StateFolder& folder,
                       std::function<MakeText()> look, std::function<void(const std::string&)> say)
    : shared_(std::make_shared<Shared>(Shared{.executor = executor,
                                              .folder = folder,
                                              .look = std::move(look),
                                              .say = std::move(say),
                                              .saver = this})),
      timer_(executor) {}

StateSaver::~StateSaver() { close(); }

void StateSaver::changed() {
  shared_->dirty = true;
  if (!waiting_ && !shared_->writing) write();
}

void StateSaver::wait(std::chrono::milliseconds pause) {
  waiting_ = true;
  timer_.after(pause, [this] {
    waiting_ = false;
    if (shared_->dirty) write();
  });
}

void StateSaver::write() {
  if (closed_) return;
  shared_->dirty = false;
  shared_->writing = true;
  asio::post(thread_, [shared = shared_, make = shared_->look()] {
    auto saved = shared->folder.save_cluster(make());
    asio::post(shared->executor, [shared, saved = std::move(saved)] {
      shared->writing = false;
      if (!saved) {
        shared->dirty = true;
        if (!std::exchange(shared->failing, true))
          shared->say(
              fmt::format("{}. The cluster goes on; what changes in it is lost when this "
                          "node restarts, until there is room again",
                          saved.error().message()));
      } else if (std::exchange(shared->failing, false)) {
        shared->say("the state of the cluster is on the disk again");
      }
      if (shared->saver) shared->saver->wait(saved ? kEvery : kAgainAfter);
    });
  });
}

bool StateSaver::close() {
  if (closed_) return shared_->dirty;
  closed_ = true;
  timer_.cancel();
  shared_->saver = nullptr;
  thread_.join();
  return shared_->dirty;
}

}  // namespace drystone
