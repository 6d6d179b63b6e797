#include "app/node/instances/instance_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "app/load/engine_metrics.h"
#include "app/node/instances/figures_wait.h"
#include "app/node/instances/instance_json.h"
#include "app/node/instances/instance_view.h"
#include "app/node/instances/part_runner.h"
#include "app/node/instances/plan_thread.h"
#include "app/node/instances/served_instances.h"
#include "app/node/instances/unmeasured.h"
#include "app/node/instances/visit_gate.h"
#include "app/node/members/loop_call.h"
#include "app/node/members/node_name.h"
#include "app/node/models/model_source.h"
#include "cluster/instance/instance_map.h"
#include "serve/jobs/job_server.h"

namespace drystone {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using cluster::ClusterEvent;

constexpr std::chrono::milliseconds kTickEvery{250};
constexpr std::chrono::seconds kFiguresWithin{15};
constexpr std::chrono::seconds kGoneWithin{15};  // what was just unloaded
constexpr std::chrono::milliseconds kLookEvery{100};
constexpr std::size_t kUnloadedMax = 256;  // models that the map knows though nobody wants them
constexpr int kRoundsMax = 64;  // of actions at once; what is left comes with the next tick

// Another number each time.
std::uint64_t wall_ms(const Clock& clock) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch())
          .count());
}

}  // namespace

// All but start, gate and destructor on the cluster's loop.
struct InstanceHost::Inner : std::enable_shared_from_this<InstanceHost::Inner> {
  Inner(Options given, ClusterHost& host, DataDoor& data_door, ModelCatalog& models,
        const Clock& own_clock)
      : options(std::move(given)),
        cluster(host),
        door(data_door),
        catalog(models),
        clock(own_clock),
        self(cluster.self()),
        own_name(name_of(self)),
        figures_wait(options.measured_within, [this](const std::string& text) { say(text); }),
        part_dialer(DataPurpose::part, cluster.dialer()),
        job_dialer(DataPurpose::jobs, cluster.dialer()),
        switchboard(clock),
        timer(std::in_place, cluster.executor()),
        core({.self = self, .boot = wall_ms(clock), .now = clock.monotonic(), .plans = &plans},
             view) {}

  void begin(ModelHost& host);
  void end();
  void on_event(const ClusterEvent& event);
  void tick();
  void wake();
  void act();
  void carry_out(const InstanceAction& action);
  void take_change(const std::string& key);
  std::set<std::string> wanted_identities() const;
  void serve_jobs(std::unique_ptr<DataStream> stream);
  PartRunner::Events part_events();
  void say(const std::string& text) const {
    if (options.say) options.say(text);
  }

  std::string name_of(const std::string& node) const { return node_name(cluster.core(), node); }
  // From another thread: what `work` gives on the loop.
  template <typename Work>
  auto ask(Work work);
  Result<ModelCatalog::Found> find(const std::string& path_or_name);
  void wait_for_figures();
  FiguresWait::Outcome wait_until_measured(const std::string& who);
  Result<Plan> plan(const ModelFigures& model, const DesiredInstance& desired,
                    std::uint32_t prompt_tokens = 0);

  Result<ModelCatalog::Found> known(const std::string& model) const;
  bool is_current(const InstanceStatus& status) const;
  struct Machines {
    std::vector<NodeFigures> nodes;
    LinkTable links;
    std::vector<std::pair<std::string, std::string>> dead;  // id and name of the other members
  };
  Machines machines_for(const std::string& model) const;
  bool is_placed(const std::string& model) const;
  Result<void> check_name(ModelCatalog::Found& found) const;
  Result<void> wait_for_name(const ModelCatalog::Found& found);
  Result<void> forget_models();
  Result<void> put(const std::string& key, const json::value& value);
  Result<DesiredInstance> want(ModelCatalog::Found found, DesiredInstance desired);
  Result<void> unload(const std::string& model);

  const Options options;
  ClusterHost& cluster;
  DataDoor& door;
  ModelCatalog& catalog;
  const Clock& clock;
  const std::string self, own_name;
  FiguresWait figures_wait;
  PurposeDialer part_dialer, job_dialer;
  Switchboard switchboard;
  VisitGate<JobServer> job_gate;
  VisitGate<Switchboard> part_gate;
  std::optional<asio::steady_timer> timer;  // until end(): the loop may go then
  InstanceView view;
  PlanThread plans;
  InstanceCore core;
  bool awake = false;          // act() is on its way
  bool wishes_changed = true;  // since the catalog was told of them
  std::unique_ptr<PartRunner> parts;
  ModelHost* models = nullptr;  // since begin()
  std::unique_ptr<ServedInstances> served;
};

InstanceHost::InstanceHost(Options options, ClusterHost& cluster, DataDoor& door,
                           ModelCatalog& catalog, const Clock& clock)
    : inner_(std::make_shared<Inner>(std::move(options), cluster, door, catalog, clock)) {
  inner_->parts = std::make_unique<PartRunner>(
      PartRunner::Options{.self = inner_->self,
                          .name = inner_->own_name,
                          .threads = inner_->options.threads,
                          .memory_bytes = inner_->options.memory_bytes},
      catalog, inner_->part_dialer, inner_->switchboard, clock, inner_->part_events());
}

InstanceHost::~InstanceHost() { inner_->end(); }

void InstanceHost::start(ModelHost& models) { inner_->begin(models); }

Bytes InstanceHost::reserved_bytes() const { return inner_->parts->reserved_bytes(); }

template <typename Work>
auto InstanceHost::Inner::ask(Work work) {
  return call_on(
      cluster.executor(), [&] { return cluster.ended(); },
      [weak = weak_from_this(), work = std::move(work)]() -> decltype(work(*this)) {
        const auto inner = weak.lock();
        if (inner == nullptr) return Error(Errc::unavailable, "this node is stopping");
        return work(*inner);
      });
}

// ---- Beginning and end

void InstanceHost::Inner::begin(ModelHost& host) {
  models = &host;
  served = std::make_unique<ServedInstances>(ServedInstances::Rooms{.self = self,
                                                                    .parts = *parts,
                                                                    .dialer = job_dialer,
                                                                    .catalog = catalog,
                                                                    .models = host,
                                                                    .clock = clock});
  for (const auto& [key, text] : cluster.core().list("")) view.set(key, &text);
  for (const std::string& node : cluster.core().alive()) core.node_alive(node);
  const std::weak_ptr<Inner> weak = weak_from_this();
  cluster.listen([weak](const ClusterEvent& event) {
    if (const auto inner = weak.lock()) inner->on_event(event);
  });
  door.serve(DataPurpose::part, [weak](std::unique_ptr<DataStream> stream) {
    const auto inner = weak.lock();
    if (inner == nullptr || !inner->part_gate.enter(&inner->switchboard)) return;
    inner->switchboard.accept(std::move(stream));
    inner->part_gate.leave(&inner->switchboard);
  });
  door.serve(DataPurpose::jobs, [weak](std::unique_ptr<DataStream> stream) {
    if (const auto inner = weak.lock()) inner->serve_jobs(std::move(stream));
  });
  plans.start([weak, loop = cluster.executor()] {
    asio::post(loop, [weak] {
      const auto inner = weak.lock();
      if (inner == nullptr) return;
      inner->core.plan_made();
      inner->wake();
    });
  });
  asio::post(cluster.executor(), [weak] {
    if (const auto inner = weak.lock()) inner->tick();
  });
}

void InstanceHost::Inner::end() {
  door.serve(DataPurpose::part, nullptr);
  door.serve(DataPurpose::jobs, nullptr);
  served.reset();  // this node's own requests let go of heads
  job_gate.close([](JobServer& server) { server.close(); });
  part_gate.close([](Switchboard& board) { board.close(); });
  plans.stop();
  switchboard.close();
  parts.reset();
  timer.reset();
}

void InstanceHost::Inner::serve_jobs(std::unique_ptr<DataStream> stream) {
  JobServer server(
      std::move(stream),
      [this](const std::string& instance,
             std::uint64_t epoch) -> Result<std::shared_ptr<ServedModel>> {
        auto head = parts->head(instance, epoch);
        if (head == nullptr)
          return Error(Errc::unavailable,
                       fmt::format("{} is not ready on {} in epoch {}", instance, own_name, epoch));
        ServedModel& model = head->model();
        return std::shared_ptr<ServedModel>(std::move(head), &model);
      });
  if (!job_gate.enter(&server)) return;
  static_cast<void>(server.serve());  // however it ended, its jobs are cancelled
  job_gate.leave(&server);
}

PartRunner::Events InstanceHost::Inner::part_events() {
  const std::weak_ptr<Inner> weak = weak_from_this();
  // On the loop, as long as that and this live.
  const auto later = [weak, loop = cluster.executor()](auto&& then) {
    asio::post(loop, [weak, then = std::forward<decltype(then)>(then)] {
      const auto inner = weak.lock();
      if (inner == nullptr) return;
      then(*inner);
      inner->wake();
    });
  };
  return {.progress =
              [later](const std::string& instance, const Epoch& epoch, double done) {
                later([=](Inner& inner) { inner.core.part_progress(instance, epoch, done); });
              },
          .loaded =
              [later](const std::string& instance, const Epoch& epoch, bool kept) {
                later([=](Inner& inner) {
                  inner.say(fmt::format("{}: this node's part is {} (epoch {})", instance,
                                        kept ? "still in memory" : "loaded", epoch.number));
                  inner.core.part_loaded(instance, epoch);
                });
              },
          .failed =
              [later](const std::string& instance, const Epoch& epoch, const std::string& error) {
                later([=](Inner& inner) {
                  const std::string named = with_names(inner.cluster.core(), error);
                  inner.say(fmt::format("{}: this node's part ended (epoch {}): {}", instance,
                                        epoch.number, named));
                  inner.core.part_failed(instance, epoch, named);
                });
              }};
}

// ---- On the loop

void InstanceHost::Inner::on_event(const ClusterEvent& event) {
  switch (event.kind) {
    case ClusterEvent::Kind::node_alive:
    case ClusterEvent::Kind::node_restarted:
      core.node_alive(event.node);
      break;
    case ClusterEvent::Kind::node_dead:
    case ClusterEvent::Kind::node_left:
    case ClusterEvent::Kind::member_removed:
      core.node_dead(event.node);
      break;
    case ClusterEvent::Kind::key_changed:
      if (!InstanceView::concerns(event.key)) return;
      view.set(event.key, cluster.core().get(event.key));
      take_change(event.key);
      break;
    case ClusterEvent::Kind::node_suspect:
    case ClusterEvent::Kind::member_added:
    case ClusterEvent::Kind::removed_self:
      return;
  }
  wake();
}

void InstanceHost::Inner::tick() {
  core.tick(clock.monotonic());
  act();
  timer->expires_after(kTickEvery);
  timer->async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (const auto inner = weak.lock()) inner->tick();
  });
}

// Many keys change at once: they are acted on together.
void InstanceHost::Inner::wake() {
  if (std::exchange(awake, true)) return;
  asio::post(cluster.executor(), [weak = weak_from_this()] {
    if (const auto inner = weak.lock()) inner->act();
  });
}

void InstanceHost::Inner::act() {
  awake = false;
  // What was known before our start may be told to clients at once: their requests wait.
  if (!cluster.core().settled()) return served->follow(core, view);
  core.tick(clock.monotonic());  // before what a pause of ours has made old is acted on
  bool acted = false;
  for (int round = 0; round < kRoundsMax; ++round) {
    const auto actions = core.take_actions();
    if (actions.empty()) break;
    acted = true;
    for (const InstanceAction& action : actions) carry_out(action);
  }
  served->follow(core, view);
  if (std::exchange(wishes_changed, false)) catalog.set_wanted(wanted_identities());
  if (acted) cluster.follow();
}

void InstanceHost::Inner::carry_out(const InstanceAction& action) {
  if (const auto* one = std::get_if<Publish>(&action)) {
    const auto done = put(one->key, one->value);
    if (!done) say(fmt::format("cannot publish {}: {}", one->key, done.error().message()));
  } else if (const auto* load = std::get_if<LoadPart>(&action)) {
    parts->load(load->placement, view.source(load->placement.model));
  } else if (const auto* drop = std::get_if<DropPart>(&action)) {
    parts->drop(drop->instance, drop->epoch, drop->may_return);
  }
}

void InstanceHost::Inner::take_change(const std::string& key) {
  core.key_changed(key);
  wishes_changed |= key.starts_with(kWantPrefix) || key.starts_with(kSourcePrefix);
}

std::set<std::string> InstanceHost::Inner::wanted_identities() const {
  std::set<std::string> identities;
  for (const std::string& key : view.keys(kWantPrefix))
    if (const auto source = view.source(key.substr(kWantPrefix.size())))
      identities.insert(source->identity);
  return identities;
}

Result<void> InstanceHost::Inner::put(const std::string& key, const json::value& value) {
  cluster::ClusterCore& shared = cluster.core();
  const auto done = value.is_null() ? shared.erase(key, clock.wall())
                                    : shared.put(key, json::serialize(value), clock.wall());
  view.set(key, shared.get(key));
  take_change(key);
  return done;
}

// ---- What people ask for

// Of a model that somebody has loaded before, wherever its file is.
Result<ModelCatalog::Found> InstanceHost::Inner::known(const std::string& model) const {
  const ModelFigures* figures = core.map().model(model);
  if (figures == nullptr) return Error(Errc::not_found, "the cluster knows no model of that name");
  return ModelCatalog::Found{.source = TRY(view.source(model)), .figures = *figures};
}

// Whether what is there answers the newest wish, as the keeper has decided: it has the wished
// shape, or replaces it where that cannot be.
bool InstanceHost::Inner::is_current(const InstanceStatus& status) const {
  const InstanceMap& map = core.map();
  const auto wanted = map.wanted();
  const auto desired = wanted.find(status.instance);
  if (desired == wanted.end() || !status.answered) return false;
  const ModelFigures* model = map.model(status.model);
  return !status.placement || model == nullptr ||
         satisfies(*status.placement, desired->second, *model, map);
}

// Those alive whose figures are known. What the model has now counts as free: it would give it
// back.
InstanceHost::Inner::Machines InstanceHost::Inner::machines_for(const std::string& model) const {
  const InstanceMap& map = core.map();
  std::map<std::string, Bytes> own;
  for (std::uint32_t i = 0; i < kReplicasMax; ++i) {
    const auto place = map.place(instance_name(model, i));
    if (!place || !place->placement) continue;
    for (const PlacedPart& part : place->placement->parts) own[part.node] += part.bytes.total();
  }
  Machines machines{.nodes = {}, .links = map.links(), .dead = {}};
  for (const auto& [id, name] : node_names(cluster.core()))
    if (cluster.core().state(id) == cluster::NodeState::dead ||
        cluster.core().state(id) == cluster::NodeState::left)
      machines.dead.emplace_back(id, name);
  for (const std::string& id : cluster.core().alive())
    if (const NodeFigures* figures = map.node(id)) {
      const Bytes reserved = figures->reserved_bytes;
      machines.nodes.push_back(figures->with_reserved(reserved - std::min(reserved, own[id])));
    }
  return machines;
}

// On the calling thread: the loop gives the figures alone.
Result<Plan> InstanceHost::Inner::plan(const ModelFigures& model, const DesiredInstance& desired,
                                       std::uint32_t prompt_tokens) {
  const Machines machines = TRY(ask([name = desired.model](Inner& inner) -> Result<Machines> {
    return inner.machines_for(name);
  }));
  if (machines.nodes.empty()) {
    Plan none;
    none.error = Error(Errc::unavailable,
                       "no node has published its figures yet; try again in some seconds");
    return none;
  }
  PlanRequest request = desired.request(desired.model);
  request.replicas = desired.replicas > 1 ? std::optional(desired.replicas) : std::nullopt;
  request.prompt_tokens = prompt_tokens;
  request.dead = machines.dead;
  return drystone::plan(model, machines.nodes, machines.links, request);
}

bool InstanceHost::Inner::is_placed(const std::string& model) const {
  for (std::uint32_t i = 0; i < kReplicasMax; ++i) {
    const auto place = core.map().place(instance_name(model, i));
    if (place && place->placement) return true;
  }
  return false;
}

// Adds the holders that are known already. A name is free again when its model is gone.
// Errors: invalid_argument (another model has its name).
Result<void> InstanceHost::Inner::check_name(ModelCatalog::Found& found) const {
  const std::string& model = found.source.model;
  const auto before = known(model);
  if (!before) return {};
  const ModelSource& source = before->source;
  if (source.identity == found.source.identity) {
    for (const std::string& holder : source.holders)
      if (std::ranges::find(found.source.holders, holder) == found.source.holders.end())
        found.source.holders.push_back(holder);
  } else if (view.get(want_key(model)) != nullptr) {
    return Error(
        Errc::invalid_argument,
        fmt::format("another model is loaded as {0} in this cluster ({1}). `drystone unload "
                    "{0}` ends that one; or rename the file",
                    model, source.path));
  } else if (is_placed(model)) {
    return Error(Errc::unavailable,
                 fmt::format("another model that was loaded as {} ({}) is just being unloaded; try "
                             "again in some seconds",
                             model, source.path));
  }
  return {};
}

// So that the map is bounded: what is not loaded can be found again by its file.
Result<void> InstanceHost::Inner::forget_models() {
  const std::vector<std::string> keys = view.keys(kSourcePrefix);
  std::size_t left = keys.size();
  for (const std::string& key : keys) {
    if (left <= kUnloadedMax) break;
    const std::string model = key.substr(kSourcePrefix.size());
    if (view.get(want_key(model)) != nullptr || is_placed(model)) continue;
    TRY(put(key, nullptr));
    TRY(put(std::string(kModelPrefix) + model, nullptr));
    --left;
  }
  return {};
}

Result<DesiredInstance> InstanceHost::Inner::want(ModelCatalog::Found found,
                                                  DesiredInstance desired) {
  TRY(check_name(found));
  TRY(forget_models());
  // Also where two ask within a millisecond.
  desired.asked = wall_ms(clock);
  const auto wanted = core.map().wanted();
  if (const auto before = wanted.find(desired.model); before != wanted.end())
    desired.asked = std::max(desired.asked, before->second.asked + 1);
  TRY(put(std::string(kSourcePrefix) + desired.model, to_json(found.source)));
  TRY(put(std::string(kModelPrefix) + desired.model, to_json(found.figures)));
  TRY(put(want_key(desired.model), to_json(desired)));
  cluster.follow();
  wake();
  return desired;
}

Result<void> InstanceHost::Inner::unload(const std::string& model) {
  if (view.get(want_key(model)) == nullptr) {
    std::string loaded;
    for (const std::string& key : view.keys(kWantPrefix))
      loaded += (loaded.empty() ? "" : ", ") + key.substr(kWantPrefix.size());
    return Error(Errc::not_found, fmt::format("{} is not loaded; loaded: {}", model,
                                              loaded.empty() ? "nothing" : loaded));
  }
  TRY(put(want_key(model), nullptr));
  cluster.follow();
  wake();
  return {};
}

// ---- From other threads

// Here, or elsewhere under a name that the cluster knows.
Result<ModelCatalog::Found> InstanceHost::Inner::find(const std::string& path_or_name) {
  auto here = catalog.find(path_or_name);
  if (here || !here.is(Errc::not_found)) return here;
  auto elsewhere = ask([path_or_name](Inner& inner) { return inner.known(path_or_name); });
  if (elsewhere) return elsewhere;
  return here;
}

// The model that had its name may be on its way out.
Result<void> InstanceHost::Inner::wait_for_name(const ModelCatalog::Found& found) {
  const auto deadline = clock.monotonic() + kGoneWithin;
  while (true) {
    auto is_free = ask([found](Inner& inner) {
      ModelCatalog::Found asked = found;
      return inner.check_name(asked);
    });
    if (is_free || !is_free.is(Errc::unavailable) || clock.monotonic() >= deadline) return is_free;
    std::this_thread::sleep_for(kLookEvery);
  }
}

// Nodes that have just come are measured first: who plans without them would plan anew in a moment.
void InstanceHost::Inner::wait_for_figures() {
  const auto deadline = clock.monotonic() + kFiguresWithin;
  const auto complete = [](Inner& inner) -> Result<bool> {
    if (!inner.cluster.core().settled()) return false;
    return std::ranges::all_of(inner.cluster.core().alive(), [&](const std::string& node) {
      return inner.view.get(std::string(kFiguresPrefix) + node) != nullptr;
    });
  };
  while (clock.monotonic() < deadline) {
    const auto known = ask(complete);
    if (!known || *known) return;
    std::this_thread::sleep_for(kLookEvery);
  }
}

FiguresWait::Outcome InstanceHost::Inner::wait_until_measured(const std::string& who) {
  return figures_wait.wait(clock, who, [this] {
    return ask([](Inner& inner) -> Result<std::vector<Unmeasured>> {
      return unmeasured(inner.core.map(), inner.cluster.core().alive());
    });
  });
}

Result<json::array> InstanceHost::instances() {
  return inner_->ask([](Inner& inner) -> Result<json::array> {
    json::array all;
    const auto wanted = inner.core.map().wanted();
    for (const InstanceStatus& status : inner.core.statuses()) {
      json::object one =
          to_json(status, [&](const std::string& node) { return inner.name_of(node); });
      if (const auto wish = wanted.find(status.instance); wish != wanted.end())
        one["wish"] = to_json(wish->second);
      one["current"] = inner.is_current(status);
      one["served"] = static_cast<bool>(inner.models->find(status.model));
      all.push_back(std::move(one));
    }
    return all;
  });
}

std::vector<ModelLoad> InstanceHost::loads() {
  auto all = inner_->ask([](Inner& inner) -> Result<std::vector<ModelLoad>> {
    std::vector<ModelLoad> loads;
    for (const InstanceStatus& status : inner.core.statuses()) {
      ModelLoad one{.model = status.model,
                    .instance = status.instance,
                    .state = std::string(to_string(status.phase))};
      if (status.placement) {
        const Placement& placement = *status.placement;
        one.head = inner.name_of(placement.head);
        if (const auto head = inner.parts->head(status.instance, placement.epoch.number))
          one.load = engine_load(head->engine().batcher().counts());
      }
      loads.push_back(std::move(one));
    }
    return loads;
  });
  return all ? *std::move(all) : std::vector<ModelLoad>();
}

Result<InstanceHost::Planned> InstanceHost::plan(const std::string& path_or_name,
                                                 DesiredInstance desired,
                                                 std::uint32_t prompt_tokens) {
  const ModelCatalog::Found found = TRY(inner_->find(path_or_name));
  desired.model = found.source.model;
  inner_->wait_for_figures();
  const FiguresWait::Outcome figures = inner_->wait_until_measured("a plan");
  Planned planned{.plan = TRY(inner_->plan(found.figures, desired, prompt_tokens)),
                  .waited = figures.waited};
  for (const Unmeasured& one : figures.missing) planned.unmeasured.push_back(one.what);
  return planned;
}

Result<InstanceHost::Wish> InstanceHost::load(const std::string& path_or_name,
                                              DesiredInstance desired) {
  const ModelCatalog::Found found = TRY(inner_->find(path_or_name));
  desired.model = found.source.model;
  TRY(inner_->wait_for_name(found));
  inner_->wait_for_figures();
  const std::string waited = inner_->wait_until_measured("a load").waited;
  const Plan planned = TRY(inner_->plan(found.figures, desired));
  if (planned.offers.empty())
    return planned.error ? *planned.error : Error(Errc::out_of_memory, "it fits nowhere");
  auto wanted =
      TRY(inner_->ask([found, desired](Inner& inner) { return inner.want(found, desired); }));
  return Wish{.model = desired.model,
              .advice = planned.advice,
              .waited = waited,
              .desired = std::move(wanted)};
}

Result<void> InstanceHost::unload(const std::string& model) {
  return inner_->ask([model](Inner& inner) { return inner.unload(model); });
}

}  // namespace drystone
