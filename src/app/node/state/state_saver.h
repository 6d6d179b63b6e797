#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <string>

#include "app/node/state/state_folder.h"
#include "net/loop_timer.h"

namespace drystone {

// Keeps a node's cluster file up to date without holding up its loop: a disk may take seconds. At
// most every kEvery, one write at a time; what changes meanwhile is in the next one. A disk that
// refuses is said once, and asked again every kAgainAfter. On the executor.
class StateSaver {
 public:
  static constexpr std::chrono::milliseconds kEvery{200};
  static constexpr std::chrono::milliseconds kAgainAfter{5000};

  // Makes what is to be written; on a thread of the saver, for up to seconds.
  using MakeText = std::function<std::string()>;
  // `look` is called on the executor and takes what the text is to be made of. Borrows the folder.
  StateSaver(boost::asio::any_io_executor executor, const StateFolder& folder,
             std::function<MakeText()> look, std::function<void(const std::string&)> say);
  ~StateSaver();  // waits for the write under way; what is newer is not written

  void changed();
  // Waits for the write under way, then nothing is written any more. Whether something newer is not
  // on disk.
  bool close();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  boost::asio::thread_pool thread_{1};
  LoopTimer timer_;
  bool waiting_ = false, closed_ = false;

  void write();
  void wait(std::chrono::milliseconds pause);
};

}  // namespace drystone
