#include "app/node/measure/step_measure.h"

#include "app/node/measure/sample_steps.h"

namespace drystone {
namespace {

using namespace sample_steps;

ModelConfig empty_layers(std::uint32_t layers) { return TinyModel::config(layers, 1, 1); }

// One more than is used, so that the head stands behind none of them.
ModelConfig common_layers() {
  ModelConfig config = TinyModel::config(kMore + 1, kHeads, kKvHeads);
  config.d_model = kWidth;
  config.ff_width = kFf;
  return config;
}

}  // namespace

StepMeasure::StepMeasure(Device& device)
    : few_(TinyModel::load(device, empty_layers(kFew), kFew)),
      many_(TinyModel::load(device, empty_layers(kMany), kMany)),
      attention_(TinyModel::load(device, TinyModel::config(1, kHeads, kKvHeads), 1)),
      one_(TinyModel::load(device, common_layers(), 1, kType)),
      more_(TinyModel::load(device, common_layers(), kMore, kType)) {}

StepTimes StepMeasure::measure(const Clock& clock) {
  const auto time = [&](const std::unique_ptr<TinyModel>& model, std::uint32_t rows,
                        std::uint32_t position, RowKind kind) {
    return model == nullptr ? std::nullopt : model->step_s(clock, rows, position, kind);
  };
  return {.few_layers = time(few_, 1, 0, RowKind::generated),
          .many_layers = time(many_, 1, 0, RowKind::generated),
          .prompt_near = time(attention_, kRows, 0, RowKind::prompt),
          .prompt_far = time(attention_, kRows, kContext - kRows, RowKind::prompt),
          .generated_near = time(attention_, 1, 0, RowKind::generated),
          .generated_far = time(attention_, 1, kContext - 1, RowKind::generated),
          .one_layer = time(one_, kRows, 0, RowKind::prompt),
          .more_layers = time(more_, kRows, 0, RowKind::prompt)};
}

}  // namespace drystone
