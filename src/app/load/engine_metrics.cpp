#include "app/load/engine_metrics.h"

namespace drystone {

EngineLoad engine_load(const BatcherCounts& counts) {
  EngineLoad load{.running = counts.running,
                  .waiting = counts.waiting,
                  .kv_pages = counts.pages,
                  .kv_pages_in_use = counts.pages_in_use,
                  .page_tokens = counts.page_tokens,
                  .prefix_queries_tokens = counts.prompt_tokens,
                  .prefix_hits_tokens = counts.cached_tokens,
                  .generated_tokens = counts.generated_tokens,
                  .preemptions = counts.preemptions,
                  .steps = counts.steps};
  if (counts.tier)
    load.kv_disk = {.pages = counts.tier->slots,
                    .pages_in_use = counts.tier->slots_in_use,
                    .page_bytes = counts.tier->page_bytes,
                    .stored = counts.tier->stored,
                    .restored = counts.tier->restored,
                    .dropped = counts.tier->dropped,
                    .failed = counts.tier->failed};
  return load;
}

}  // namespace drystone
