#include "app/node/instances/served_instances.h"

#include <boost/json.hpp>
#include <utility>

#include "cluster/instance/head_aim.h"
#include "cluster/instance/instance_map.h"
#include "serve/jobs/job_client.h"

namespace drystone {
namespace {

constexpr std::chrono::seconds kDialWithin{3};

}  // namespace

ServedInstances::~ServedInstances() {
  for (auto& [model, served] : served_) remove(served);
}

ServedInstances::Served ServedInstances::make_served(const std::string& model) {
  Served served;
  served.jobs = last_release_.elsewhere(std::make_shared<ReplayQueue>(
      ReplayQueue::Options{.instance = model, .pause_max = kPauseMax}, rooms_.clock));
  served.name = last_release_.elsewhere(std::make_shared<ServedName>(
      model, served.jobs, rooms_.catalog, rooms_.models, rooms_.clock));
  return served;
}

std::shared_ptr<HeadRoute> ServedInstances::make_route(const std::string& instance,
                                                       std::shared_ptr<ReplayQueue> jobs) {
  auto open = [&rooms = rooms_, instance](
                  const HeadAim& aim,
                  const std::atomic<bool>& stop) -> Result<std::shared_ptr<JobQueue>> {
    if (aim.node == rooms.self) {
      auto head = rooms.parts.head(instance, aim.epoch);
      if (head == nullptr) return Error(Errc::unavailable, instance + " is not ready here");
      JobQueue& jobs = head->jobs();
      return std::shared_ptr<JobQueue>(std::move(head), &jobs);
    }
    auto stream = TRY(rooms.dialer.dial(aim.node, kDialWithin, stop));
    return std::shared_ptr<JobQueue>(std::make_shared<JobClient>(
        std::move(stream),
        JobClient::Options{
            .instance = instance, .epoch = aim.epoch, .vocab = aim.vocab, .width = aim.width}));
  };
  return last_release_.elsewhere(std::make_shared<HeadRoute>(std::move(jobs), std::move(open)));
}

void ServedInstances::remove(const Served& served) {
  served.name->close();
  for (const auto& [instance, route] : served.routes) route->close();
}

void ServedInstances::follow(const InstanceCore& core, const InstanceView& view) {
  const std::vector<InstanceStatus> statuses = core.statuses();
  std::map<std::string, std::vector<const InstanceStatus*>> models;
  for (const InstanceStatus& status : statuses)
    if (view.get(want_key(status.model)) != nullptr) models[status.model].push_back(&status);
  std::erase_if(served_, [&](const auto& one) {
    if (models.contains(one.first)) return false;
    remove(one.second);
    return true;
  });
  for (const auto& [model, replicas] : models) {
    Served& served = served_[model];
    if (served.name == nullptr) served = make_served(model);
    std::map<std::string, std::shared_ptr<HeadRoute>> routes;
    const InstanceStatus* best = replicas[0];
    for (const InstanceStatus* status : replicas) {
      auto& route = routes[status->instance] = served.routes[status->instance];
      if (route == nullptr) route = make_route(status->instance, served.jobs);
      HeadAim aim = aim_of(*status);
      if (const ModelFigures* figures = core.map().model(model)) aim.width = figures->d_model;
      route->aim(std::move(aim));
      const auto rank = [](const InstanceStatus& one) {
        return std::pair(one.phase == InstancePhase::ready, one.progress);
      };
      if (rank(*status) > rank(*best)) best = status;
    }
    for (const auto& [instance, route] : served.routes)
      if (route != nullptr && !routes.contains(instance)) route->close();
    served.routes = std::move(routes);

    if (best->placement)
      if (const auto source = view.source(model))
        served.name->placed(*source, best->placement->context);
    if (best->phase == InstancePhase::ready) {
      served.name->ready();
    } else if (has_no_future(*best)) {
      served.name->refused(best->message);
    } else {
      served.name->loading(best->progress);
    }
  }
}

}  // namespace drystone
