#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace drystone {

// The compute threads of a device. The caller of run() is thread 0 and works too. Workers spin
// briefly between operations of a step and park when idle. Not reentrant: one run() at a time.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls work(thread) once on each thread, thread in [0, threads()), and returns when all are
  // done.
  template <typename Work>
  void run(Work&& work) {
    run_erased([](void* context,
                  int thread) { (*static_cast<std::remove_reference_t<Work>*>(context))(thread); },
               const_cast<void*>(static_cast<const void*>(&work)));
  }

  // Calls work(begin, end) for parts of [0, count), each a multiple of `grain` long (but the last),
  // contiguous per thread. Which thread takes which part never changes a result.
  template <typename Work>
  void for_ranges(std::int64_t count, std::int64_t grain, Work&& work) {
    const std::int64_t grains = (count + grain - 1) / grain;
    const auto part = [&](int thread) { return grains * thread / threads() * grain; };
    if (grains <= 1) return work(std::int64_t{0}, count);
    run([&](int thread) {
      const std::int64_t begin = part(thread), end = std::min(part(thread + 1), count);
      if (begin < end) work(begin, end);
    });
  }

 private:
  using Call = void (*)(void* context, int thread);
  void run_erased(Call call, void* context);
  void worker(int thread);

  std::vector<std::thread> workers_;
  Call call_ = nullptr;
  void* context_ = nullptr;
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<int> unfinished_{0};
  alignas(64) std::atomic<int> parked_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace drystone
