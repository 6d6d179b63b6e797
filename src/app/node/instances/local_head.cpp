#include "app/node/instances/local_head.h"

#include <utility>

#include "engine/constraint/constraint.h"
#include "serve/engine_model.h"

namespace drystone {
namespace {

// Constraints of a model without weights know the tokens that its header lists; the engine's may
// know more.
class HeadJobs final : public JobQueue {
 public:
  explicit HeadJobs(ServedModel& model) : model_(model) {}

  Result<std::uint64_t> submit(GenerationJob job) override {
    if (const auto& given = job.request.constraint; given != nullptr) {
      const bool calls = !given->vocabulary().visible().empty();
      job.request.constraint = TRY(model_.compile_spec(given->spec(), calls));
    }
    return model_.jobs().submit(std::move(job));
  }
  std::size_t queue_max() const override { return model_.jobs().queue_max(); }
  void cancel(std::uint64_t id) override { model_.jobs().cancel(id); }
  void cancel_all() override { model_.jobs().cancel_all(); }
  std::size_t position(std::uint64_t id) const override { return model_.jobs().position(id); }
  bool lost() const override { return model_.jobs().lost(); }

 private:
  ServedModel& model_;
};

}  // namespace

LocalHead::LocalHead(std::unique_ptr<Device> device, std::unique_ptr<Engine> engine,
                     const Clock& clock, std::function<void()> on_end)
    : on_end_(std::move(on_end)),
      device_(std::move(device)),
      engine_(std::move(engine)),
      model_(make_engine_model(*engine_, clock)),
      jobs_(std::make_unique<HeadJobs>(*model_)) {}

LocalHead::~LocalHead() {
  model_.reset();
  engine_.reset();
  device_.reset();
  if (on_end_) on_end_();
}

}  // namespace drystone
