#include "app/node/instances/instance_host.h"

#include <algorithm>
#include <boost/json.hpp>
#include <thread>
#include <utility>

#include "app/node/instances/free_machines.h"
#include "app/node/instances/instance_life.h"
#include "app/node/instances/instance_list.h"
#include "app/node/instances/unmeasured.h"

namespace drystone {
namespace {

constexpr std::chrono::seconds kFiguresWithin{15};
constexpr std::chrono::seconds kGoneWithin{15};  // what was just unloaded
constexpr std::chrono::milliseconds kLookEvery{100};

}  // namespace

InstanceHost::InstanceHost(Options options, ClusterHost& cluster, DataDoor& door,
                           ModelCatalog& catalog, const Clock& clock)
    : catalog_(catalog),
      clock_(clock),
      figures_wait_(options.measured_within,
                    [say = options.say](const std::string& text) {
                      if (say) say(text);
                    }),
      life_(InstanceLife::make(
          {.threads = options.threads, .memory_bytes = options.memory_bytes, .say = options.say},
          {.cluster = cluster, .door = door, .catalog = catalog, .clock = clock})) {}

InstanceHost::~InstanceHost() { life_->end(); }

void InstanceHost::start(ModelHost& models) { life_->begin(models); }

Bytes InstanceHost::reserved_bytes() const { return life_->parts().reserved_bytes(); }

Result<boost::json::array> InstanceHost::instances() {
  return life_->ask([](InstanceLife& life) -> Result<boost::json::array> {
    return list_instances(
        life.core(), [&](const std::string& node) { return life.name_of(node); },
        [&](const std::string& model) { return static_cast<bool>(life.models().find(model)); });
  });
}

Result<boost::json::array> InstanceHost::unloaded() {
  return life_->ask([](InstanceLife& life) -> Result<boost::json::array> {
    boost::json::array all;
    for (const cluster::MapEntry* entry : life.members().state_map().entries())
      if (!entry->value && entry->key.starts_with(kWantPrefix))
        all.push_back({{"model", entry->key.substr(kWantPrefix.size())},
                       {"node", entry->version.node},
                       {"name", life.name_of(entry->version.node)}});
    return all;
  });
}

std::vector<ModelLoad> InstanceHost::loads() {
  auto all = life_->ask([](InstanceLife& life) -> Result<std::vector<ModelLoad>> {
    return list_loads(
        life.core(), [&](const std::string& node) { return life.name_of(node); }, life.parts());
  });
  return all ? *std::move(all) : std::vector<ModelLoad>();
}

Result<InstanceHost::Planned> InstanceHost::plan(const std::string& path_or_name,
                                                 DesiredInstance desired,
                                                 std::uint32_t prompt_tokens) {
  const ModelCatalog::Found found = TRY(find(path_or_name));
  desired.model = found.source.model;
  wait_for_figures();
  const FiguresWait::Outcome figures = wait_until_measured("a plan");
  Planned planned{.plan = TRY(plan_now(found.figures, desired, prompt_tokens)),
                  .waited = figures.waited};
  for (const Unmeasured& one : figures.missing) planned.unmeasured.push_back(one.what);
  return planned;
}

Result<InstanceHost::Wish> InstanceHost::load(const std::string& path_or_name,
                                              DesiredInstance desired) {
  const ModelCatalog::Found found = TRY(find(path_or_name));
  desired.model = found.source.model;
  TRY(wait_for_name(found));
  wait_for_figures();
  const std::string waited = wait_until_measured("a load").waited;
  const Plan planned = TRY(plan_now(found.figures, desired, /*prompt_tokens=*/0));
  if (planned.offers.empty())
    return planned.error ? *planned.error : Error(Errc::out_of_memory, "it fits nowhere");
  auto wanted = TRY(life_->ask(
      [found, desired](InstanceLife& life) { return life.wishes().want(found, desired); }));
  return Wish{.model = desired.model,
              .advice = planned.advice,
              .waited = waited,
              .desired = std::move(wanted)};
}

Result<void> InstanceHost::unload(const std::string& model) {
  return life_->ask([model](InstanceLife& life) { return life.wishes().unwant(model); });
}

// Here, or elsewhere under a name that the cluster knows.
Result<ModelCatalog::Found> InstanceHost::find(const std::string& path_or_name) {
  auto here = catalog_.find(path_or_name);
  if (here || !here.is(Errc::not_found)) return here;
  auto elsewhere =
      life_->ask([path_or_name](InstanceLife& life) { return life.wishes().known(path_or_name); });
  if (elsewhere) return elsewhere;
  return here;
}

// The model that had its name may be on its way out.
Result<void> InstanceHost::wait_for_name(const ModelCatalog::Found& found) {
  const auto deadline = clock_.monotonic() + kGoneWithin;
  while (true) {
    auto is_free = life_->ask([found](InstanceLife& life) {
      ModelCatalog::Found asked = found;
      return life.wishes().check_name(asked);
    });
    if (is_free || !is_free.is(Errc::unavailable) || clock_.monotonic() >= deadline) return is_free;
    std::this_thread::sleep_for(kLookEvery);
  }
}

// Nodes that have just come are measured first: who plans without them would plan anew in a moment.
void InstanceHost::wait_for_figures() {
  const auto deadline = clock_.monotonic() + kFiguresWithin;
  const auto complete = [](InstanceLife& life) -> Result<bool> {
    if (!life.members().settled()) return false;
    return std::ranges::all_of(life.members().alive(), [&](const std::string& node) {
      return life.view().get(std::string(kFiguresPrefix) + node) != nullptr;
    });
  };
  while (clock_.monotonic() < deadline) {
    const auto known = life_->ask(complete);
    if (!known || *known) return;
    std::this_thread::sleep_for(kLookEvery);
  }
}

FiguresWait::Outcome InstanceHost::wait_until_measured(const std::string& who) {
  return figures_wait_.wait(clock_, who, [this] {
    return life_->ask([](InstanceLife& life) -> Result<std::vector<Unmeasured>> {
      return unmeasured(life.core().map(), life.members().alive());
    });
  });
}

// On the calling thread: the loop gives the figures alone.
Result<Plan> InstanceHost::plan_now(const ModelFigures& model, const DesiredInstance& desired,
                                    std::uint32_t prompt_tokens) {
  const FreeMachines machines =
      TRY(life_->ask([name = desired.model](InstanceLife& life) -> Result<FreeMachines> {
        return free_machines(life.core().map(), life.members(), name);
      }));
  return plan_on(machines, model, desired, prompt_tokens);
}

}  // namespace drystone
