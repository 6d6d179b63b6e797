#include "app/load/read_bandwidth.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "base/units.h"
#include "compute/thread_pool.h"

namespace drystone {
namespace {

constexpr int kRounds = 6;

// A cache line at a time, in whatever registers the machine has; several sums, so that no addition
// waits for another.
using Line = std::uint64_t __attribute__((vector_size(64)));

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) &&                                       \
    !defined(__SANITIZE_THREAD__)  // they start after the choice
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
std::uint64_t
sum(const std::byte* begin, const std::byte* end) {
  Line a = {}, b = {}, c = {}, d = {};
  const auto* line = reinterpret_cast<const Line*>(begin);
  for (; line + 4 <= reinterpret_cast<const Line*>(end); line += 4) {
    a += line[0];
    b += line[1];
    c += line[2];
    d += line[3];
  }
  a += b + c + d;
  return a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7];
}

}  // namespace

double measure_read_bandwidth(int threads, const Clock& clock, Bytes buffer_bytes) {
  void* memory =
      mmap(nullptr, buffer_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
#ifdef MADV_HUGEPAGE
  madvise(memory, buffer_bytes, MADV_HUGEPAGE);  // as weights are held
#endif
  auto* bytes = static_cast<std::byte*>(memory);
  ThreadPool pool(threads);
  constexpr std::int64_t kGrain = kMiB;
  // Each thread writes what it reads later, so that pages lie near it.
  pool.for_ranges(buffer_bytes, kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::memset(bytes + begin, 1, static_cast<std::size_t>(end - begin));
  });
  std::atomic<std::uint64_t> kept = 0;
  double best_s = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = clock.monotonic();
    pool.for_ranges(buffer_bytes, kGrain, [&](std::int64_t begin, std::int64_t end) {
      kept += sum(bytes + begin, bytes + end);
    });
    best_s = std::min(best_s, seconds(clock.monotonic() - start));
  }
  munmap(memory, buffer_bytes);
  return static_cast<double>(buffer_bytes) / best_s;
}

}  // namespace drystone
