#include "app/node/models/copy_shelf.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace drystone {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kTryEvery{50};

// A copy's folder says by its own time when it was used last.
void mark_used(const fs::path& folder) {
  static_cast<void>(::utimensat(AT_FDCWD, folder.c_str(), nullptr, 0));  // it may not be there yet
}

std::optional<std::chrono::seconds> used_at(const fs::path& folder) {
  struct stat status{};
  if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  return std::chrono::seconds(status.st_mtime);
}

}  // namespace

CopyShelf::CopyShelf(fs::path folder, std::function<Clock::WallTime()> wall)
    : folder_(std::move(folder)), wall_(std::move(wall)), thread_([this] { run(); }) {}

CopyShelf::~CopyShelf() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

std::shared_ptr<std::timed_mutex> CopyShelf::mutex_of(const std::string& identity) {
  const std::lock_guard lock(mutex_);
  auto& known = locks_[identity];
  if (known == nullptr) known = std::make_shared<std::timed_mutex>();
  return known;
}

CopyShelf::Lease CopyShelf::take(const std::string& identity, const std::atomic<bool>& stop) {
  Lease lease;
  lease.folder_ = folder_ / identity;
  lease.mutex_ = mutex_of(identity);
  lease.lock_ = std::unique_lock(*lease.mutex_, std::defer_lock);
  while (!stop && !lease.held()) static_cast<void>(lease.lock_.try_lock_for(kTryEvery));
  if (lease.held()) mark_used(lease.folder_);
  return lease;
}

void CopyShelf::set_wanted(std::set<std::string> identities) {
  const std::lock_guard lock(mutex_);
  // At the first time what is there may be old.
  look_ = look_ || !wanted_;
  wanted_ = std::move(identities);
  changed_.notify_all();
}

std::vector<CopyShelf::Copy> CopyShelf::copies() const {
  std::vector<Copy> copies;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error))
    if (const auto used = used_at(at->path())) copies.push_back({at->path().filename(), *used});
  std::ranges::sort(copies, {}, &Copy::used);
  return copies;
}

// A wish that comes in this moment finds no copy and fetches a new one; who has the files mapped
// keeps them.
bool CopyShelf::drop(const Copy& copy) {
  const auto mutex = mutex_of(copy.identity);
  const std::unique_lock lock(*mutex, std::try_to_lock);
  if (!lock.owns_lock()) return false;
  {
    const std::lock_guard all(mutex_);
    if (!wanted_ || wanted_->contains(copy.identity)) return false;
  }
  std::error_code error;
  fs::remove_all(folder_ / copy.identity, error);
  return !error;
}

bool CopyShelf::drop_one() {
  return std::ranges::any_of(copies(), [&](const Copy& copy) { return drop(copy); });
}

bool CopyShelf::make_room() { return is_short() && drop_one(); }

bool CopyShelf::is_short() const {
  std::error_code error;
  const fs::space_info space = fs::space(folder_, error);
  return !error &&
         static_cast<double>(space.available) < kFreeShareMin * static_cast<double>(space.capacity);
}

void CopyShelf::tidy() {
  if (wall_) {
    const auto now = wall_().time_since_epoch();
    for (const Copy& copy : copies())
      if (now - copy.used >= kUnusedMax) drop(copy);
  }
  while (make_room()) {
  }
}

void CopyShelf::run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    changed_.wait_for(lock, kLookEvery, [&] { return ending_ || look_; });
    look_ = false;
    if (ending_ || !wanted_) continue;
    lock.unlock();
    tidy();
    lock.lock();
  }
}

}  // namespace drystone
