#include "instance_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/check.h"
#include "cluster/instance/instance_map.h"
#include "sim_model.h"

namespace drystone::sim {
namespace {

namespace json = boost::json;
using cluster::ClusterEvent;

constexpr int kParts = 1;  // channel; 0 has the core's messages
constexpr Time kInstanceTickEvery = milliseconds(250);
constexpr Time kPlanTakes = milliseconds(700);
constexpr int kRoundsMax = 64;
constexpr std::chrono::minutes kPauseMax{10};

}  // namespace

void SimView::set(std::string_view key, const std::string* text) {
  if (text != nullptr)
    values_.insert_or_assign(std::string(key), json::parse(*text));
  else if (const auto at = values_.find(key); at != values_.end())
    values_.erase(at);
}

const json::value* SimView::get(std::string_view key) const {
  const auto at = values_.find(key);
  return at == values_.end() ? nullptr : &at->second;
}

std::vector<std::string> SimView::keys(std::string_view prefix) const {
  std::vector<std::string> keys;
  for (auto at = values_.lower_bound(prefix); at != values_.end() && at->first.starts_with(prefix);
       ++at)
    keys.push_back(at->first);
  return keys;
}

std::optional<PlaceValue> SimPlans::made(std::uint64_t number,
                                         const std::function<PlanJob()>& job) {
  if (std::exchange(current_, number) != number) {
    running_ = job();
    begun_ = network_.now();
  }
  CHECK(running_ != nullptr, number);
  if (network_.now() - begun_ < kPlanTakes) return std::nullopt;
  return std::exchange(running_, nullptr)();
}

InstanceMachine::InstanceMachine(Options options, World& world)
    : options_(options),
      world_(world),
      machine_(options.number, {}, world.directory),
      id_([&] {
        machine_.make_identity(options.number + 1);
        return machine_.id();
      }()),
      clock_(world.network) {
  machine_.on_event = [this](const ClusterEvent& event) { on_event(event); };
}

void InstanceMachine::begin_life() {
  life_ = std::make_unique<Life>();
  Life& life = *life_;
  life.number = ++lives_;
  if (options_.slow_plans) life.plans = std::make_unique<SimPlans>(world_.network);
  for (const auto& [key, text] : machine_.core()->list("")) life.view.set(key, &text);
  life.core =
      std::make_unique<InstanceCore>(InstanceCore::Options{.self = id_,
                                                           .boot = machine_.core()->start_of(id_),
                                                           .now = now(),
                                                           .plans = life.plans.get()},
                                     life.view);
  for (const std::string& node : machine_.core()->alive()) {
    life.core->process_heard(node, machine_.core()->start_of(node));
    life.core->node_alive(node);
  }
  life.jobs = std::make_unique<SimJobs>(
      [this](std::size_t machine, int channel, std::string text) {
        outbox_.push_back(
            {.peer = machine, .channel = channel, .text = std::move(text), .ordered = true});
      },
      [this](const std::string& instance,
             std::uint64_t epoch) -> Result<std::shared_ptr<ServedModel>> {
        std::shared_ptr<ServedModel> head = life_->parts->head(instance, epoch);
        if (head == nullptr) return Error(Errc::unavailable, instance + " is not ready here");
        return head;
      });
  life.parts = std::make_unique<SimParts>(SimParts::Rooms{
      .machine = number(),
      .self = id_,
      .memory = memory(),
      .rng = world_.network.rng(),
      .invariants = world_.invariants,
      .send =
          [this](const std::string& node, std::string text) {
            outbox_.push_back({.peer = world_.directory.at(node),
                               .channel = kParts,
                               .text = std::move(text),
                               .ordered = true});
          },
      .progress =
          [this](const std::string& instance, const Epoch& epoch, double done) {
            life_->core->part_progress(instance, epoch, done);
            awake_ = true;
          },
      .loaded =
          [this](const std::string& instance, const Epoch& epoch) {
            world_.say(
                fmt::format("  {} has loaded {} epoch {}", number(), instance, epoch.number));
            life_->core->part_loaded(instance, epoch);
            awake_ = true;
          },
      .failed =
          [this](const std::string& instance, const Epoch& epoch, const std::string& why) {
            world_.say(
                fmt::format("  {} fails {} epoch {}: {}", number(), instance, epoch.number, why));
            life_->core->part_failed(instance, epoch, why);
            awake_ = true;
          },
      .lost =
          [this](const std::string& instance, const Epoch& epoch, const std::string& why) {
            world_.say(
                fmt::format("  {} loses {} epoch {}: {}", number(), instance, epoch.number, why));
            life_->core->part_lost(instance, epoch, why);
            awake_ = true;
          }});
  tell_figures();
}

void InstanceMachine::end_life() {
  if (!life_) return;
  machine_.crash();
  // From the outside in; what they say to each other meanwhile goes nowhere.
  const auto life = std::exchange(life_, nullptr);
  closing_ = true;
  life->routes.clear();
  life->queues.clear();
  life->parts.reset();
  life->jobs.reset();
  closing_ = false;
  outbox_.clear();
}

void InstanceMachine::on_event(const ClusterEvent& event) {
  if (!life_) return;
  switch (event.kind) {
    case ClusterEvent::Kind::node_alive:
    case ClusterEvent::Kind::node_restarted:
      life_->core->process_heard(event.node, machine_.core()->start_of(event.node));
      life_->core->node_alive(event.node);
      break;
    case ClusterEvent::Kind::node_dead:
    case ClusterEvent::Kind::node_left:
    case ClusterEvent::Kind::member_removed:
      life_->core->node_dead(event.node);
      break;
    case ClusterEvent::Kind::key_changed:
      life_->view.set(event.key, machine_.core()->get(event.key));
      life_->core->key_changed(event.key);
      break;
    default:
      return;
  }
  awake_ = true;
}

void InstanceMachine::tick(Time now) {
  machine_.tick(now);
  if (!life_) return;
  life_->parts->tick(now);
  life_->jobs->tick(now);
  for (const auto& [instance, route] : std::map(life_->routes)) route->tick();
  if (now - life_->ticked < kInstanceTickEvery) return;
  life_->ticked = now;
  life_->core->tick(now);
  awake_ = true;
}

void InstanceMachine::receive(const Packet& packet, Time now) {
  if (packet.channel == 0) return machine_.receive(packet, now);
  if (!life_) return;
  if (packet.channel != kParts) return life_->jobs->receive(packet, now);
  for (const auto& [node, number] : world_.directory)
    if (number == packet.peer) return life_->parts->receive(node, packet.text, now);
}

void InstanceMachine::broken(std::size_t peer, int channel, Time now) {
  if (!life_) return;
  if (channel != kParts) return life_->jobs->broken(channel);
  for (const auto& [node, number] : world_.directory)
    if (number == peer) life_->parts->broken(node, now);
}

std::vector<Packet> InstanceMachine::take_outbox() {
  std::vector<Packet> packets = machine_.take_outbox();
  if (life_ && awake_) {
    act();
    for (Packet& packet : machine_.take_outbox()) packets.push_back(std::move(packet));
  }
  for (Packet& packet : std::exchange(outbox_, {})) packets.push_back(std::move(packet));
  return packets;
}

void InstanceMachine::act() {
  awake_ = false;
  if (machine_.core()->settled()) {
    life_->core->process_heard(id_, machine_.core()->start_of(id_));
    life_->core->tick(now());
    for (int round = 0; round < kRoundsMax; ++round) {
      const auto actions = life_->core->take_actions();
      if (actions.empty()) break;
      if (round == kRoundsMax - 1)
        world_.invariants.fail(fmt::format("machine {} never stops acting", number()));
      for (const InstanceAction& action : actions) carry_out(action);
    }
    tell_figures();
  }
  follow();
}

void InstanceMachine::carry_out(const InstanceAction& action) {
  if (const auto* one = std::get_if<Publish>(&action)) {
    if (one->key.starts_with(kPlacePrefix) && !one->value.is_null()) {
      const std::string instance = one->key.substr(kPlacePrefix.size());
      const auto value = place_value_from_json(one->value);
      CHECK(value.has_value(), instance);
      world_.invariants.published(instance, value->epoch, life_->number);
      std::string parts = value->placement ? "" : " refused: " + value->refused;
      if (value->placement)
        for (const PlacedPart& part : value->placement->parts)
          parts += fmt::format(" {}:{}..{}", world_.directory.at(part.node), part.layers.begin,
                               part.layers.end);
      world_.say(fmt::format("  {} places {} epoch {}:{}", number(), instance, value->epoch.number,
                             parts));
    }
    put(one->key, one->value);
  } else if (const auto* load = std::get_if<LoadPart>(&action)) {
    world_.invariants.handed(number(), load->placement, life_->handed[load->placement.instance]);
    life_->parts->load(load->placement, now());
  } else if (const auto* drop = std::get_if<DropPart>(&action)) {
    life_->parts->drop(drop->instance, drop->epoch, now());
  }
}

void InstanceMachine::put(const std::string& key, const json::value& value) {
  cluster::ClusterCore& shared = *machine_.core();
  const auto done = value.is_null() ? shared.erase(key, machine_.wall(now()))
                                    : shared.put(key, json::serialize(value), machine_.wall(now()));
  CHECK(done.has_value(), key, done.error().message());
  life_->view.set(key, shared.get(key));
  life_->core->key_changed(key);
  awake_ = true;
}

void InstanceMachine::tell_figures() {
  const std::string key = std::string(kFiguresPrefix) + id_;
  const NodeFigures figures{.id = id_,
                            .name = fmt::format("machine {}", number()),
                            .reserved_bytes = life_->parts->reserved(),
                            .limit_bytes = memory(),
                            .read_bandwidth = 10e9,
                            .rates = {{"q4_0", {1e12, 1e12}}, {kAttentionRate, {1e12, 1e12}}},
                            .step_fixed_s = 0};
  const NodeFigures* told = life_->core->map().node(id_);
  if (told == nullptr || *told != figures) put(key, to_json(figures));
  // A network on which splitting does not pay for itself.
  for (const auto& [other, machine] : world_.directory) {
    const std::string link = fmt::format("{}{}/{}", kLinkPrefix, id_, other);
    if (other == id_ || life_->view.get(link) != nullptr) continue;
    put(link,
        to_json(LinkFigures{.from = id_, .to = other, .round_trip_s = 0.02, .bandwidth = 1e8}));
  }
}

std::shared_ptr<SimRoute> InstanceMachine::make_route(const InstanceStatus& status) {
  auto& queue = life_->queues[status.model];
  if (queue == nullptr)
    queue = std::make_shared<ReplayQueue>(
        ReplayQueue::Options{.instance = status.model, .pause_max = kPauseMax, .driven = true},
        clock_);
  return std::make_shared<SimRoute>(
      queue, SimRoute::Ways{
                 .self = id_,
                 .here = [this, instance = status.instance](std::uint64_t epoch)
                     -> std::shared_ptr<JobQueue> { return life_->parts->head(instance, epoch); },
                 .dial =
                     [this, instance = status.instance](const HeadAim& aim) {
                       return life_->jobs->dial(
                           world_.directory.at(aim.node), ++world_.channels,
                           {.instance = instance, .epoch = aim.epoch, .vocab = kVocab, .width = 0},
                           now());
                     }});
}

// As app/node/instances/served_instances does.
void InstanceMachine::follow() {
  std::set<std::string> served, models;
  for (const InstanceStatus& status : life_->core->statuses()) {
    if (life_->view.get(want_key(status.model)) == nullptr) continue;
    served.insert(status.instance);
    models.insert(status.model);
    auto& route = life_->routes[status.instance];
    if (route == nullptr) route = make_route(status);
    route->aim(aim_of(status));
  }
  std::erase_if(life_->routes, [&](const auto& one) { return !served.contains(one.first); });
  closing_ = true;
  std::erase_if(life_->queues, [&](const auto& one) { return !models.contains(one.first); });
  closing_ = false;
}

bool InstanceMachine::serves(const std::string& model) const {
  return life_ && life_->queues.contains(model);
}

Result<InstanceMachine::Ticket> InstanceMachine::submit(const std::string& model,
                                                        GenerationJob job) {
  const auto at = life_->queues.find(model);
  if (at == life_->queues.end()) return Error(Errc::unavailable, model + " is not served here");
  return Ticket{model, TRY(at->second->submit(std::move(job)))};
}

void InstanceMachine::cancel(const Ticket& ticket) {
  if (!life_) return;
  if (const auto at = life_->queues.find(ticket.model); at != life_->queues.end())
    at->second->cancel(ticket.id);
}

}  // namespace drystone::sim
