#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace drystone {

// The copies with holes of other nodes' models, each in a folder named by its model's identity
// (serve/peer/files/sparse_copy.h), and how long they stay. A copy whose model somebody wants, or
// which a thread works on, is never dropped; of the others each goes that nobody has used for
// kUnusedMax, and the one unused for longest while the disk is short of room. Looks at its start,
// and every kLookEvery, on a thread of its own. Thread-safe.
class CopyShelf {
 public:
  static constexpr std::chrono::hours kUnusedMax{30 * 24};
  static constexpr std::chrono::hours kLookEvery{1};
  static constexpr double kFreeShareMin = 0.05;  // of the disk: below, it is short of room

  // `wall`: empty: no copy is ever too old.
  explicit CopyShelf(std::filesystem::path folder, std::function<Clock::WallTime()> wall = {});
  ~CopyShelf();
  CopyShelf(const CopyShelf&) = delete;
  CopyShelf& operator=(const CopyShelf&) = delete;

  // At most one thread at a time works on the copy of a model.
  class Lease {
   public:
    bool held() const { return lock_.owns_lock(); }
    const std::filesystem::path& folder() const { return folder_; }

   private:
    friend class CopyShelf;
    std::filesystem::path folder_;
    std::shared_ptr<std::timed_mutex> mutex_;
    std::unique_lock<std::timed_mutex> lock_;
  };
  // Waits until nobody else has it, or until `stop`: then it is not held. It counts as used now.
  Lease take(const std::string& identity, const std::atomic<bool>& stop);

  // The identities of all models that somebody wants. Before the first call nothing is dropped.
  void set_wanted(std::set<std::string> identities);

  // What ought to go now; happens by itself.
  void tidy();
  // The disk is full, as somebody found out: drops the one unused for longest of those that may go.
  // False: there is none, or the disk has room and something else was wrong.
  bool make_room();
  bool drop_one();  // the same, whatever the disk has

 private:
  struct Copy {
    std::string identity;
    std::chrono::seconds used;  // since 1970
  };
  std::vector<Copy> copies() const;  // unused for longest first
  bool drop(const Copy& copy);
  bool is_short() const;  // of room
  std::shared_ptr<std::timed_mutex> mutex_of(const std::string& identity);
  void run();

  const std::filesystem::path folder_;
  const std::function<Clock::WallTime()> wall_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<std::timed_mutex>> locks_;  // by identity
  std::optional<std::set<std::string>> wanted_;
  bool look_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace drystone
