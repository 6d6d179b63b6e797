#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "serve/http/request_record.h"
#include "serve/metrics/metric.h"

namespace drystone {

// What requests for one model cost. One thread tells, any reads.
struct ModelNumbers {
  static constexpr std::array<const char*, 4> kFinishes = {"stop", "length", "abort", "error"};

  ModelNumbers();
  void text_came(double gap_s, std::size_t tokens);
  void request_over(const RequestRecord& record);  // of one that reached the model

  Counter prompt_tokens, cached_tokens, generation_tokens;
  std::array<Counter, kFinishes.size()> finished;
  Histogram first_token, inter_token, per_output_token, e2e, queue, prefill, decode;
  Histogram prompt_length, output_length;
};

// What an engine holds at present and did since its start; asked for when somebody reads metrics.
struct EngineLoad {
  std::uint64_t running = 0, waiting = 0;           // requests
  std::uint64_t kv_pages = 0, kv_pages_in_use = 0;  // of page_tokens each
  std::uint64_t page_tokens = 0;
  std::uint64_t prefix_queries_tokens = 0, prefix_hits_tokens = 0;
  std::uint64_t generated_tokens = 0;
  std::uint64_t preemptions = 0, steps = 0;
  // The second tier of the prefix cache; without pages: there is none.
  struct KvDisk {
    std::uint64_t pages = 0, pages_in_use = 0, page_bytes = 0;
    std::uint64_t stored = 0, restored = 0, dropped = 0, failed = 0;
  } kv_disk;
};

}  // namespace drystone
