#include "app/node/instances/instance_host.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "app/node/instances/instance_life.h"
#include "app/node/instances/instance_list.h"
#include "app/node/instances/unmeasured.h"

namespace drystone {
namespace {

constexpr std::chrono::seconds kFiguresWithin{15};
constexpr std::chrono::seconds kGoneWithin{15};  // what was just unloaded

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

// What somebody waits for, so far.
struct InstanceHost::Asked {
  std::string path_or_name;
  DesiredInstance desired;
  std::optional<ModelCatalog::Found> found;
  bool name_is_free = false;
  std::optional<Clock::Nanoseconds> free_by, figures_by;
  bool figures_are_known = false;
  FiguresWait::Turn measured;
};

InstanceHost::Steps<InstanceHost::Planned> InstanceHost::plan(std::string path_or_name,
                                                              DesiredInstance desired,
                                                              std::uint32_t prompt_tokens) {
  const auto asked = std::make_shared<Asked>(
      Asked{.path_or_name = std::move(path_or_name), .desired = std::move(desired)});
  asked->name_is_free = true;  // nobody asks for it yet
  return [this, asked, prompt_tokens]() -> std::optional<Result<Planned>> {
    auto figures = prepare(*asked, "a plan");
    if (!figures) return std::move(figures).error();
    if (!*figures) return std::nullopt;
    const auto machines = machines_for(asked->desired.model);
    if (!machines) return machines.error();
    Planned planned{
        .plan = plan_on(*machines, asked->found->figures, asked->desired, prompt_tokens),
        .waited = (*figures)->waited};
    for (const Unmeasured& one : (*figures)->missing) planned.unmeasured.push_back(one.what);
    return planned;
  };
}

InstanceHost::Steps<InstanceHost::Wish> InstanceHost::load(std::string path_or_name,
                                                           DesiredInstance desired) {
  const auto asked = std::make_shared<Asked>(
      Asked{.path_or_name = std::move(path_or_name), .desired = std::move(desired)});
  return [this, asked]() -> std::optional<Result<Wish>> {
    auto figures = prepare(*asked, "a load");
    if (!figures) return std::move(figures).error();
    if (!*figures) return std::nullopt;
    const auto machines = machines_for(asked->desired.model);
    if (!machines) return machines.error();
    const Plan planned =
        plan_on(*machines, asked->found->figures, asked->desired, /*prompt_tokens=*/0);
    if (planned.offers.empty())
      return planned.error ? *planned.error : Error(Errc::out_of_memory, "it fits nowhere");
    auto wanted =
        life_->ask([found = *asked->found, desired = with_ids(asked->desired, *machines)](
                       InstanceLife& life) { return life.wishes().want(found, desired); });
    if (!wanted) return std::move(wanted).error();
    return Wish{.model = asked->desired.model,
                .advice = planned.advice,
                .waited = (*figures)->waited,
                .desired = *std::move(wanted)};
  };
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

// All that comes before a plan; nullopt: not yet.
Result<std::optional<FiguresWait::Outcome>> InstanceHost::prepare(Asked& asked,
                                                                  const std::string& who) {
  if (!asked.found) {
    asked.found = TRY(find(asked.path_or_name));
    asked.desired.model = asked.found->source.model;
  }
  if (!TRY(is_name_free(asked)) || !are_figures_known(asked))
    return std::optional<FiguresWait::Outcome>();
  return figures_wait_.look(asked.measured, who, clock_.monotonic(),
                            life_->ask([](InstanceLife& life) -> Result<std::vector<Unmeasured>> {
                              return unmeasured(life.core().map(), life.members().alive());
                            }));
}

// The model that had its name may be on its way out.
Result<bool> InstanceHost::is_name_free(Asked& asked) {
  if (asked.name_is_free) return true;
  auto is_free = life_->ask([found = *asked.found](InstanceLife& life) {
    ModelCatalog::Found asked_for = found;
    return life.wishes().check_name(asked_for);
  });
  const auto now = clock_.monotonic();
  if (!asked.free_by) asked.free_by = now + kGoneWithin;
  if (is_free.is(Errc::unavailable) && now < *asked.free_by) return false;
  if (!is_free) return std::move(is_free).error();
  return asked.name_is_free = true;
}

// Nodes that have just come are measured first: who plans without them would plan anew in a moment.
bool InstanceHost::are_figures_known(Asked& asked) {
  if (asked.figures_are_known) return true;
  const auto known = life_->ask([](InstanceLife& life) -> Result<bool> {
    if (!life.members().settled()) return false;
    return std::ranges::all_of(life.members().alive(), [&](const std::string& node) {
      return life.view().get(std::string(kFiguresPrefix) + node) != nullptr;
    });
  });
  const auto now = clock_.monotonic();
  if (!asked.figures_by) asked.figures_by = now + kFiguresWithin;
  return asked.figures_are_known = !known || *known || now >= *asked.figures_by;
}

Result<FreeMachines> InstanceHost::machines_for(const std::string& model) {
  return life_->ask([model](InstanceLife& life) -> Result<FreeMachines> {
    return free_machines(life.core().map(), life.members(), model);
  });
}

}  // namespace drystone
