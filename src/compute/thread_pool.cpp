#include "compute/thread_pool.h"

#include "base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace drystone {
namespace {

// A pause takes 10 to 140 cycles, so this is 50 us to 1 ms: longer than the serial gaps inside a
// step, shorter than a person notices.
constexpr int kSpins = 20000;

// The caller waits for workers that have begun together with it: if they are not done soon, another
// program has their core, and may want this one too.
constexpr int kWaitSpins = 2000;

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  CHECK(threads >= 1, threads);
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { worker(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : workers_) thread.join();
}

void ThreadPool::run_erased(Call call, void* context) {
  if (workers_.empty()) return call(context, 0);
  call_ = call;
  context_ = context;
  unfinished_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_seq_cst);
  if (parked_.load(std::memory_order_seq_cst) > 0) {
    {
      std::lock_guard lock(mutex_);
    }
    wake_.notify_all();
  }
  call(context, 0);
  for (int spins = 0; unfinished_.load(std::memory_order_acquire) > 0; ++spins) {
    if (spins < kWaitSpins)
      relax();
    else
      std::this_thread::yield();  // More threads than cores: let the others finish.
  }
}

void ThreadPool::worker(int thread) {
  std::uint32_t seen = 0;
  while (true) {
    int spins = 0;
    while (generation_.load(std::memory_order_acquire) == seen &&
           !stopping_.load(std::memory_order_relaxed)) {
      if (++spins < kSpins) {
        relax();
        continue;
      }
      std::unique_lock lock(mutex_);
      parked_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock,
                 [&] { return generation_.load(std::memory_order_seq_cst) != seen || stopping_; });
      parked_.fetch_sub(1, std::memory_order_relaxed);
    }
    if (stopping_) return;
    ++seen;
    call_(context_, thread);
    unfinished_.fetch_sub(1, std::memory_order_acq_rel);
  }
}

}  // namespace drystone
