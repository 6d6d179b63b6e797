#include "app/node/instances/instance_life.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <chrono>

#include "app/node/instances/free_machines.h"
#include "app/node/members/node_name.h"

namespace drystone {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using cluster::ClusterEvent;

constexpr std::chrono::milliseconds kTickEvery{250};
constexpr int kRoundsMax = 64;  // of actions at once; what is left comes with the next tick

// Of this process: another number after each start, and none below its start as a member.
std::uint64_t boot_number(const Clock& clock) {
  return static_cast<std::uint64_t>(clock.wall().time_since_epoch() / std::chrono::milliseconds(1));
}

}  // namespace

InstanceLife::InstanceLife(Options options, Rooms rooms)
    : options_(std::move(options)),
      rooms_(rooms),
      self_(rooms_.cluster.self()),
      own_name_(name_of(self_)),
      part_dialer_(DataPurpose::part, rooms_.cluster.dialer()),
      job_dialer_(DataPurpose::jobs, rooms_.cluster.dialer()),
      switchboard_(rooms_.clock),
      timer_(std::in_place, rooms_.cluster.executor()),
      core_({.self = self_,
             .boot = boot_number(rooms_.clock),
             .now = rooms_.clock.monotonic(),
             .plans = &plans_},
            view_),
      wishes_({.map = core_.map(),
               .view = view_,
               .clock = rooms_.clock,
               .put = [this](const std::string& key,
                             const json::value& value) { return put(key, value); },
               .changed =
                   [this] {
                     rooms_.cluster.follow();
                     wake();
                   }}) {}

std::shared_ptr<InstanceLife> InstanceLife::make(Options options, Rooms rooms) {
  const std::shared_ptr<InstanceLife> life(new InstanceLife(std::move(options), rooms));
  life->parts_ = std::make_unique<PartRunner>(
      PartRunner::Options{.self = life->self_,
                          .name = life->own_name_,
                          .threads = life->options_.threads,
                          .memory_bytes = life->options_.memory_bytes},
      rooms.catalog, life->part_dialer_, life->switchboard_, rooms.clock, life->part_events());
  return life;
}

void InstanceLife::begin(ModelHost& models) {
  models_ = &models;
  served_ = std::make_unique<ServedInstances>(ServedInstances::Rooms{.self = self_,
                                                                     .parts = *parts_,
                                                                     .dialer = job_dialer_,
                                                                     .catalog = rooms_.catalog,
                                                                     .models = models,
                                                                     .clock = rooms_.clock});
  for (const auto& [key, text] : members().list("")) view_.set(key, &text);
  for (const std::string& node : members().alive()) {
    core_.process_heard(node, members().start_of(node));
    core_.node_alive(node);
  }
  for (AbsentNode& former : former_members(members())) core_.node_removed(std::move(former));
  const std::weak_ptr<InstanceLife> weak = weak_from_this();
  rooms_.cluster.listen([weak](const ClusterEvent& event) {
    if (const auto life = weak.lock()) life->on_event(event);
  });
  doors_ = std::make_unique<InstanceDoors>(
      rooms_.door, switchboard_,
      [&parts = *parts_, name = own_name_](const std::string& instance, std::uint64_t epoch)
          -> Result<std::shared_ptr<ServedModel>> {
        auto head = parts.head(instance, epoch);
        if (head == nullptr)
          return Error(Errc::unavailable,
                       fmt::format("{} is not ready on {} in epoch {}", instance, name, epoch));
        ServedModel& model = head->model();
        return std::shared_ptr<ServedModel>(std::move(head), &model);
      });
  doors_->open();
  plans_.start([weak, loop = rooms_.cluster.executor()] {
    asio::post(loop, [weak] {
      const auto life = weak.lock();
      if (life == nullptr) return;
      life->core_.plan_made();
      life->wake();
    });
  });
  asio::post(rooms_.cluster.executor(), [weak] {
    if (const auto life = weak.lock()) life->tick();
  });
}

void InstanceLife::end() {
  served_.reset();  // this node's own requests let go of heads
  doors_.reset();
  plans_.stop();
  switchboard_.close();
  parts_.reset();
  timer_.reset();
}

std::string InstanceLife::name_of(const std::string& node) const {
  return node_name(members(), node);
}

PartRunner::Events InstanceLife::part_events() {
  const std::weak_ptr<InstanceLife> weak = weak_from_this();
  // On the loop, as long as that and this live.
  const auto later = [weak, loop = rooms_.cluster.executor()](auto&& then) {
    asio::post(loop, [weak, then = std::forward<decltype(then)>(then)] {
      const auto life = weak.lock();
      if (life == nullptr) return;
      then(*life);
      life->wake();
    });
  };
  const auto ended = [later](void (InstanceCore::*told)(const std::string&, const Epoch&,
                                                        const std::string&)) {
    return [later, told](const std::string& instance, const Epoch& epoch, const std::string& why) {
      later([=](InstanceLife& life) {
        const std::string named = with_names(life.members(), why);
        life.say(fmt::format("{}: this node's part ended (epoch {}): {}", instance, epoch.number,
                             named));
        (life.core_.*told)(instance, epoch, named);
      });
    };
  };
  return {.progress =
              [later](const std::string& instance, const Epoch& epoch, double done) {
                later([=](InstanceLife& life) { life.core_.part_progress(instance, epoch, done); });
              },
          .loaded =
              [later](const std::string& instance, const Epoch& epoch, bool kept) {
                later([=](InstanceLife& life) {
                  life.say(fmt::format("{}: this node's part is {} (epoch {})", instance,
                                       kept ? "still in memory" : "loaded", epoch.number));
                  life.core_.part_loaded(instance, epoch);
                });
              },
          .failed = ended(&InstanceCore::part_failed),
          .lost = ended(&InstanceCore::part_lost)};
}

void InstanceLife::on_event(const ClusterEvent& event) {
  switch (event.kind) {
    case ClusterEvent::Kind::node_alive:
    case ClusterEvent::Kind::node_restarted:
      core_.process_heard(event.node, members().start_of(event.node));
      core_.node_alive(event.node);
      break;
    case ClusterEvent::Kind::node_dead:
    case ClusterEvent::Kind::node_left:
      core_.node_dead(event.node);
      break;
    case ClusterEvent::Kind::member_removed:
      for (AbsentNode& former : former_members(members()))
        if (former.id == event.node) core_.node_removed(std::move(former));
      break;
    case ClusterEvent::Kind::key_changed:
      if (!InstanceView::concerns(event.key)) return;
      view_.set(event.key, rooms_.cluster.core().get(event.key));
      take_change(event.key);
      break;
    case ClusterEvent::Kind::node_suspect:
    case ClusterEvent::Kind::member_added:
    case ClusterEvent::Kind::removed_self:
      return;
  }
  wake();
}

void InstanceLife::tick() {
  core_.tick(rooms_.clock.monotonic());
  act();
  timer_->expires_after(kTickEvery);
  timer_->async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (const auto life = weak.lock()) life->tick();
  });
}

// Many keys change at once: they are acted on together.
void InstanceLife::wake() {
  if (std::exchange(awake_, true)) return;
  asio::post(rooms_.cluster.executor(), [weak = weak_from_this()] {
    if (const auto life = weak.lock()) life->act();
  });
}

void InstanceLife::act() {
  awake_ = false;
  // What was known before our start may be told to clients at once: their requests wait.
  if (!rooms_.cluster.core().settled()) return served_->follow(core_, view_);
  core_.process_heard(self_, members().start_of(self_));  // others may have known a greater one
  core_.tick(rooms_.clock.monotonic());  // before what a pause of ours has made old is acted on
  bool acted = false;
  for (int round = 0; round < kRoundsMax; ++round) {
    const auto actions = core_.take_actions();
    if (actions.empty()) break;
    acted = true;
    for (const InstanceAction& action : actions) carry_out(action);
  }
  served_->follow(core_, view_);
  if (std::exchange(wishes_changed_, false)) rooms_.catalog.set_wanted(wanted_identities());
  if (acted) rooms_.cluster.follow();
}

void InstanceLife::carry_out(const InstanceAction& action) {
  if (const auto* one = std::get_if<Publish>(&action)) {
    const auto done = put(one->key, one->value);
    if (!done) say(fmt::format("cannot publish {}: {}", one->key, done.error().message()));
  } else if (const auto* load = std::get_if<LoadPart>(&action)) {
    parts_->load(load->placement, view_.source(load->placement.model));
  } else if (const auto* drop = std::get_if<DropPart>(&action)) {
    parts_->drop(drop->instance, drop->epoch, drop->may_return);
  }
}

void InstanceLife::take_change(const std::string& key) {
  core_.key_changed(key);
  wishes_changed_ |= key.starts_with(kWantPrefix) || key.starts_with(kSourcePrefix);
}

std::set<std::string> InstanceLife::wanted_identities() const {
  std::set<std::string> identities;
  for (const std::string& key : view_.keys(kWantPrefix))
    if (const auto source = view_.source(key.substr(kWantPrefix.size())))
      identities.insert(source->identity);
  return identities;
}

Result<void> InstanceLife::put(const std::string& key, const json::value& value) {
  cluster::ClusterCore& shared = rooms_.cluster.core();
  const auto done = value.is_null() ? shared.erase(key, rooms_.clock.wall())
                                    : shared.put(key, json::serialize(value), rooms_.clock.wall());
  view_.set(key, shared.get(key));
  take_change(key);
  return done;
}

}  // namespace drystone
