#include "serve/peer/split/loaded_part.h"

#include <utility>

namespace drystone {

// What a stage takes for its reducer, whatever the links are at present.
class LoadedPart::Relay final : public Reducer {
 public:
  Relay(std::uint32_t rank, std::uint32_t ranks) : rank_(rank), ranks_(ranks) {}

  std::uint32_t rank() const override { return rank_; }
  std::uint32_t ranks() const override { return ranks_; }
  Result<void> all_reduce(std::span<float> values,
                          const std::function<void()>& meanwhile) override {
    if (links_ == nullptr) return Error(Errc::unavailable, "the ranks are not connected");
    return links_->all_reduce(values, meanwhile);
  }
  void connect(Reducer* links) {
    CHECK(links == nullptr || (links->rank() == rank_ && links->ranks() == ranks_), rank_, ranks_);
    links_ = links;
  }

 private:
  const std::uint32_t rank_, ranks_;
  Reducer* links_ = nullptr;
};

LoadedPart::LoadedPart(std::unique_ptr<Device> device) : device_(std::move(device)) {}
LoadedPart::~LoadedPart() = default;

Result<void> LoadedPart::load(const Placement& placement, std::uint32_t part,
                              const PartProgram& program, const GgufFile& file,
                              const std::function<void(double done)>& progress,
                              const std::atomic<bool>& stop) {
  CHECK(!is_loaded(), placement.instance, part);
  const PlacedPart& here = placement.parts[part];
  if (here.ranks > 1) relay_ = std::make_unique<Relay>(here.rank, here.ranks);
  stages_ = TRY(load_part(placement, part, program, file, *device_, relay_.get(), progress, stop));
  return {};
}

void LoadedPart::connect(Reducer* links) {
  if (relay_ != nullptr) relay_->connect(links);
}

}  // namespace drystone
