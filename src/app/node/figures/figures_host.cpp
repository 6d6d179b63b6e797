#include "app/node/figures/figures_host.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "app/node/figures/measured_way.h"
#include "app/node/figures/own_figures.h"
#include "app/node/figures/own_links.h"
#include "app/node/figures/shared_figures.h"
#include "cluster/instance/map_view.h"
#include "serve/peer/probe/link_probe.h"

namespace drystone {
namespace {

constexpr std::chrono::seconds kLook{1};  // at what is due

// Of this thread and those that it starts: what is served goes first.
void lower_priority() {
#ifdef __linux__
  static_cast<void>(
      ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), /*nice=*/10));
#endif
}

}  // namespace

struct FiguresHost::Inner {
  Inner(Options from, ClusterHost& host, DataDoor& data_door, const Clock& the_clock)
      : options(std::move(from)),
        cluster(host),
        door(data_door),
        clock(the_clock),
        gate(std::make_shared<ProbeGate>()),
        shared(host, the_clock, stopping, options.say),
        links(host, shared, *gate, the_clock, stopping) {}

  void run() {
    lower_priority();
    OwnFigures figures({.self = cluster.self(),
                        .name = shared.own_name(),
                        .state = options.state,
                        .version = options.version,
                        .threads = options.threads,
                        .memory_bytes = options.memory_bytes,
                        .measure_anew = options.measure_anew,
                        .reserved_bytes = options.reserved_bytes},
                       clock, stopping);
    shared.tell_figures(figures.tell());
    figures.measure_first();
    shared.tell_figures(figures.tell());
    while (wait(kLook)) {
      do {  // many links take minutes; what is free is told meanwhile
        if (figures.look_at_machine()) shared.tell_figures(figures.tell());
      } while (!stopping && links.look());
      if (figures.look_at_speed() && !stopping) shared.tell_figures(figures.tell());
    }
  }

  // Streams go where plans count on.
  void prefer_measured(const std::string& link) {
    if (const auto way = measured_way(cluster.self(), link)) cluster.prefer(way->node, way->to);
  }

  bool wait(Clock::Nanoseconds time) {
    std::unique_lock lock(mutex);
    return !wake.wait_for(lock, time, [this] { return stopping.load(); });
  }

  const Options options;
  ClusterHost& cluster;
  DataDoor& door;
  const Clock& clock;
  const std::shared_ptr<ProbeGate> gate;  // also of streams that are being answered

  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<bool> stopping = false;
  SharedFigures shared;
  OwnLinks links;
  std::thread thread;
};

FiguresHost::FiguresHost(Options options, ClusterHost& cluster, DataDoor& door, const Clock& clock)
    : inner_(std::make_shared<Inner>(std::move(options), cluster, door, clock)) {
  door.serve(DataPurpose::probe, [gate = inner_->gate, &clock](std::unique_ptr<DataStream> stream) {
    static_cast<void>(answer_probe(*stream, clock, *gate));  // its dialler has the error, too
  });
  for (const auto& [key, value] : cluster.core().list(kLinkPrefix)) inner_->prefer_measured(value);
  cluster.listen([inner = std::weak_ptr(inner_)](const cluster::ClusterEvent& event) {
    using Kind = cluster::ClusterEvent::Kind;
    const auto host = inner.lock();
    if (host == nullptr) return;
    if (event.kind == Kind::member_removed) host->shared.forget(event.node);
    if (event.kind == Kind::key_changed && event.key.starts_with(kLinkPrefix))
      if (const std::string* value = host->cluster.core().get(event.key))
        host->prefer_measured(*value);
  });
}

FiguresHost::~FiguresHost() { stop(); }

void FiguresHost::start() {
  inner_->thread = std::thread([inner = inner_.get()] { inner->run(); });
}

void FiguresHost::stop() {
  inner_->door.serve(DataPurpose::probe, nullptr);
  {
    const std::lock_guard lock(inner_->mutex);
    inner_->stopping = true;
  }
  inner_->wake.notify_all();
  if (inner_->thread.joinable()) inner_->thread.join();
}

}  // namespace drystone
