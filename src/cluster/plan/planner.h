#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/plan/link_figures.h"
#include "cluster/plan/model_figures.h"
#include "cluster/plan/node_figures.h"
#include "cluster/plan/placement.h"

namespace drystone {

constexpr std::size_t kPlanNodesMax = 256;
constexpr std::size_t kOffersMax = 32;    // the best ones are kept
constexpr std::size_t kRefusalsMax = 32;  // one per kind and number of nodes

// What a placement is to be good at.
enum class Objective {
  automatic,     // one_stream for one stream, else many_streams
  one_stream,    // tokens per second of a single answer
  many_streams,  // tokens per second of all answers together
  prompt,        // tokens per second of reading a prompt
};

// A node that is known and not to be used: it is not there, or has another replica.
constexpr std::string_view kDead = "is dead", kRemoved = "was removed", kHasLeft = "has left",
                           kTaken = "has another replica of the model";
struct AbsentNode {
  std::string id, name;
  std::string_view why = kDead;  // one of these
};

struct PlanRequest {
  std::string instance;         // "": the model's name
  std::uint32_t context = 0;    // positions of one request; 0: what the model is made for
  std::uint32_t streams = 1;    // requests at once, each of them with the whole context
  std::uint32_t kv_tokens = 0;  // positions of the cache over all requests; 0: context * streams
  KvFormat kv_format = KvFormat::f16;
  std::uint32_t rows_max = 512;  // rows of a step
  // Speeds are those of reading a prompt of that many tokens, and of writing behind it. 0: 512, or
  // half the context where that is less.
  std::uint32_t prompt_tokens = 0;

  // What was forced; nullopt or empty: the planner chooses.
  std::optional<std::uint32_t> stages, shards, replicas;
  std::optional<RowFormat> row_format;
  std::vector<std::string> nodes;  // as find_node takes them: no others are used
  std::string head;                // as find_node takes it
  // Not among the nodes to plan with, only for what is said of them. That a named one is taken is
  // no mistake as long as another one is there.
  std::vector<AbsentNode> absent;
  // Nodes that may share a memory with those to plan with, these among them or not.
  std::vector<NodeFigures> neighbours;
  Objective objective = Objective::automatic;
};

enum class PlanKind { one_node, replicas, stages, shards, stages_of_shards };
std::string_view to_string(PlanKind kind);  // "one node", "stages", ...

// nullopt: something on the way has not been measured; `unknown` names it.
struct Estimate {
  std::optional<double> prefill_tok_s;       // one prompt
  std::optional<double> one_stream_tok_s;    // one answer
  std::optional<double> many_streams_tok_s;  // all streams together
  std::vector<std::string> terms;    // "stage 2 on nova: 8 layers, 340 MB at 21 GB/s = 16 ms"
  std::vector<std::string> unknown;  // "read bandwidth of nova"
};

// What a node gives to an offer.
struct NodeShare {
  std::string node, name;
  PartBytes bytes;
  Bytes reserve = 0;    // left to the system beside it
  Bytes available = 0;  // of which bytes.total() are taken
};

struct Offer {
  PlanKind kind;
  std::string summary;                // "2 stages: atlas (head) layers 0..12, nova 12..22"
  std::vector<Placement> placements;  // one; several for replicas. Epochs are left 0.
  std::vector<NodeShare> nodes;
  Estimate estimate;
  std::string reason;  // why it stands where it stands
};

struct Refusal {
  PlanKind kind;
  std::string summary;  // "2 stages: atlas, nova"
  std::string reason;   // "needs 41.2 GiB, free 36.5 GiB (atlas 20.1 GiB, nova 16.4 GiB)"
};

struct Plan {
  std::vector<Offer> offers;  // the best first
  std::vector<Refusal> refusals;
  std::string advice;  // "fits on atlas alone: 42 tok/s; 2 stages: 39 tok/s. ..."
  // Why there is no offer, as a message to the user. Only without offers.
  std::optional<Error> error;
  std::string why;  // the reason in it alone: "that takes 3 nodes, and 2 can be used"
  // Work that was done, for tests of the algorithm's cost: placements whose division was computed.
  std::uint64_t divisions = 0;
};

// Every sensible way to place `model` on `nodes`. All orders and groups of up to kExactNodesMax
// nodes are compared; of more, those that the fastest, largest and nearest nodes make, in time
// polynomial in nodes and layers. Equal input gives equal output, in whatever order the nodes come.
// Errors (in Plan::error):
//   invalid_argument  what was forced cannot be: unknown nodes, more stages than layers
//   out_of_memory     nothing fits; `refusals` say by how much
constexpr std::size_t kExactNodesMax = 5;
Plan plan(const ModelFigures& model, const std::vector<NodeFigures>& nodes, const LinkTable& links,
          const PlanRequest& request);

}  // namespace drystone
