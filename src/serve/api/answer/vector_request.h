#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/api_error.h"
#include "serve/http/model_host.h"

namespace drystone {

// A request for vectors or scores, understood and fitting the model: what its texts' hidden states
// make together is the answer.
struct VectorRequest {
  HeldModel held;
  std::vector<GenerateRequest> jobs;  // with `pooling`; may be none
  // The body of the answer, from the results in the order of the jobs. Runs off the loop.
  std::function<std::string(const std::vector<GenerateResult>&)> write;
  std::string id;
  std::vector<std::string> ignored;  // parameters that we do not know
};

// What the texts of one such request have in common.
struct VectorOptions {
  Pooling pooling = Pooling::last;
  std::int32_t priority = 0;
  std::string cache_salt;
};

// The priority of a request for so many texts that names none: an index can wait, a question's
// vector cannot.
std::int32_t default_priority(std::size_t texts);

// The job for one text, which `field` names in messages ("input[3]"). Errors: 400, with the figures
// where it does not fit the context.
ApiResult<GenerateRequest> to_vector_job(std::vector<TokenId> ids, std::string field,
                                         const VectorOptions& options, const ServedModel& model);

// How the model makes one vector of a text, if it can. `asked`: what the request says. Errors: 400.
ApiResult<Pooling> choose_pooling(std::optional<Pooling> asked, const ServedModel& model);

// Appends "[0.5,-1,...]": the shortest decimals that read back as the same floats.
void append_json(std::string& out, std::span<const float> values);

// The floats' little-endian bytes in base64, as OpenAI's clients read them.
std::string base64(std::span<const float> values);

}  // namespace drystone
