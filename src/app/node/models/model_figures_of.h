#pragma once

#include <string>

#include "base/result.h"
#include "cluster/plan/model_figures.h"
#include "compute/device.h"
#include "model/gguf/gguf.h"

namespace drystone {

// What a planner needs to know of the model in `file`, from its program and from what `device`
// would reserve for it: weights are exact for whole layers; working memory is a line through what
// steps of two sizes and shards of two widths take, and for stages behind the first one some bytes
// too much (2 rows of the model's width). Only what stands before the tensors is read.
// Errors: those of read_config and load_program; unsupported (more layers than a planner takes).
Result<ModelFigures> model_figures_of(const GgufFile& file, std::string name, const Device& device);

}  // namespace drystone
