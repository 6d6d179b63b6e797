#include "app/node/figures/figures_host.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>

#include "app/load/load_engine.h"
#include "app/load/processors.h"
#include "app/node/figures/link_prober.h"
#include "app/node/figures/measure_again.h"
#include "app/node/figures/measure_turn.h"
#include "app/node/figures/probe_schedule.h"
#include "app/node/measure/machine_facts.h"
#include "app/node/measure/node_measure.h"
#include "app/node/measure/node_memory.h"
#include "app/node/measure/node_speed.h"
#include "app/node/measure/own_measured.h"
#include "app/node/measure/processor_use.h"
#include "app/node/measure/system_memory.h"
#include "app/node/members/loop_call.h"
#include "app/node/members/node_name.h"
#include "cluster/instance/map_view.h"
#include "serve/peer/probe/link_probe.h"

namespace drystone {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::chrono::seconds kLook{1};         // at links that are due
constexpr std::chrono::seconds kMemoryEvery{5};  // at free memory
constexpr std::chrono::minutes kFactsEvery{5};   // disks, temperatures, interfaces
constexpr std::chrono::seconds kTurnWithin{30};  // for others on this machine to have measured
constexpr double kWorthTelling = 0.05;           // of free memory

// Of this thread and those that it starts: what is served goes first.
void lower_priority() {
#ifdef __linux__
  static_cast<void>(
      ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), /*nice=*/10));
#endif
}

std::string text_of(const std::vector<Interface>& interfaces,
                    const std::vector<boost::asio::ip::tcp::endpoint>& addresses) {
  std::vector<std::string> texts;
  for (const auto& address : addresses) texts.push_back(address.address().to_string());
  std::ranges::sort(texts);
  for (const Interface& one : interfaces)
    for (const InterfaceAddress& address : one.addresses)
      if (one.up) texts.push_back(one.name + "=" + address.address.to_string());
  std::string all;
  for (const std::string& text : texts) all += text + " ";
  return all;
}

}  // namespace

struct FiguresHost::Inner : std::enable_shared_from_this<Inner> {
  Inner(Options from, ClusterHost& host, DataDoor& data_door, const Clock& the_clock)
      : options(std::move(from)),
        cluster(host),
        door(data_door),
        clock(the_clock),
        self(host.self()),
        threads(threads_or_default(options.threads)),
        gate(std::make_shared<ProbeGate>()),
        prober(host.tls(), the_clock, *gate),
        schedule(std::hash<std::string>{}(self)),
        again(clock.monotonic()) {}

  // What `work` gives on the cluster's loop; nullopt: the loop has ended or is stuck, or we stop.
  template <typename Work>
  auto ask(Work work) -> std::optional<decltype(work())> {
    using Answer = decltype(work());
    using Outcome = Result<Answer>;
    auto answer = call_on(
        cluster.executor(), [this] { return stopping || cluster.ended(); },
        [work] { return Outcome(work()); });
    if (!answer) return std::nullopt;
    return *std::move(answer);
  }

  void publish(const std::string& key, const json::value& value) {
    const bool told = ask([this, key, text = json::serialize(value)] {
                        const auto put = cluster.core().put(key, text, clock.wall());
                        if (put) cluster.follow();
                        return put.has_value();
                      }).value_or(false);
    if (!told && !stopping && options.say) options.say("cannot tell the cluster " + key);
  }

  void run() {
    lower_priority();
    figures.id = self;
    figures.name = ask([this] { return node_name(cluster.core(), self); }).value_or("");
    figures.cores = static_cast<std::uint32_t>(usable_processors());
    if (options.memory_bytes > 0) figures.limit_bytes = options.memory_bytes;
    read_memory();
    know_machine();
    publish_figures();
    measure_first();
    publish_figures();
    while (wait(kLook)) {
      const auto now = clock.monotonic();
      if (now - memory_read >= kMemoryEvery) {
        read_memory();
        if (now - facts_told >= kFactsEvery || memory_changed()) publish_figures();
      }
      look_at_links(now);
      look_at_speed();
    }
  }

  bool wait(Clock::Nanoseconds time) {
    std::unique_lock lock(mutex);
    return !wake.wait_for(lock, time, [this] { return stopping.load(); });
  }

  void read_memory() {
    memory_read = clock.monotonic();
    const NodeMemory memory = node_memory();
    figures.total_bytes = memory.total;
    figures.reserved_bytes = reserved_bytes();
    figures.reserve_bytes = system_reserve(memory);
    figures.free_bytes = memory.available;
    // What is reserved and not touched yet is free in the system's eyes only.
    if (const auto attainable = attainable_memory(); attainable && memory.available) {
      const Bytes left = *attainable - std::min(*attainable, figures.reserved_bytes);
      figures.free_bytes = std::min(*memory.available, left);
    }
  }

  bool memory_changed() const {
    if (figures.reserved_bytes != told.reserved_bytes) return true;
    if (figures.free_bytes.has_value() != told.free_bytes.has_value()) return true;
    if (!figures.free_bytes) return false;
    const double is = static_cast<double>(*figures.free_bytes),
                 was = static_cast<double>(*told.free_bytes);
    return std::abs(is - was) > kWorthTelling * std::max(was, 1.0);
  }

  void publish_figures() {
    json::object value = to_json(figures);
    value["machine"] = describe_machine({.version = options.version,
                                         .cpu = cpu,
                                         .isa = std::string(isa ? to_string(*isa) : ""),
                                         .threads = threads,
                                         .folders = {options.state}});
    publish(std::string(kFiguresPrefix) + self, value);
    told = figures;
    facts_told = clock.monotonic();
  }

  // What can be told before anything is measured.
  void know_machine() {
    cpu = cpu_name();
    const char* forced = std::getenv("DRYSTONE_ISA");
    if (const auto known = choose_isa(forced == nullptr ? "" : forced)) isa = *known;
    const std::string isa_name(isa ? to_string(*isa) : "");
    own.emplace(
        options.state / "measured.json",
        MeasuredKey{.cpu = cpu, .isa = isa_name, .version = options.version, .threads = threads},
        options.measure_anew);
    figures.measuring = isa && !own->known();
    if (own->known()) set_speed(figures, *own->known());
  }

  void measure_first() {
    if (!*figures.measuring) return;
    const MeasureTurn turn(clock, kTurnWithin, stopping);
    take(measure([this] { return stopping.load(); }));
    figures.measuring = false;
  }

  // What an earlier time took for slow may have been disturbed.
  void look_at_speed() {
    const auto before = std::exchange(processors, processor_times());
    const auto is_free = [this] { return reserved_bytes() == 0; };
    if (!isa || !again.due(clock.monotonic())) return;
    bool measured = false;
    if (is_free() && were_idle(before, processors))
      if (const MeasureTurn turn(clock, {}, stopping); turn.is_ours()) {
        const bool better = take(measure([&] { return stopping || !is_free(); }));
        measured = is_free();
        if (better && !stopping) publish_figures();
      }
    again.done(measured, clock.monotonic());
  }

  Measured measure(std::function<bool()> stop) {
    return measure_node({.isa = *isa,
                         .threads = threads,
                         .memory_bytes = figures.free_bytes.value_or(0),
                         .stop = std::move(stop)},
                        clock);
  }

  // Whether anything of it is better than what was known. What is partial at an end of the node is
  // not kept: it would pass for all.
  bool take(const Measured& found) {
    if (stopping || !own->take(found)) return false;
    set_speed(figures, *own->known());
    return true;
  }

  Bytes reserved_bytes() const { return options.reserved_bytes ? options.reserved_bytes() : 0; }

  void look_at_links(Clock::Nanoseconds now) {
    // The lower id of a pair measures.
    const auto peers = ask([this] {
      std::vector<std::string> peers;
      for (const std::string& node : cluster.core().alive())
        if (node > self) peers.push_back(node);
      return peers;
    });
    if (!peers) return;
    const auto interfaces = list_interfaces();
    const std::vector<Interface> ours = interfaces ? *interfaces : std::vector<Interface>();
    std::vector<ProbeSchedule::Peer> known;
    for (const std::string& peer : *peers)
      if (const auto place = cluster.find(peer); place && !place->addresses.empty())
        known.push_back({.node = peer, .addresses = text_of(ours, place->addresses)});
    schedule.set_peers(known, now);
    const auto due = schedule.due(now);
    if (!due) return;
    schedule.done(*due, measure_link(*due, ours), clock.monotonic());
  }

  ProbeSchedule::Outcome measure_link(const std::string& peer, const std::vector<Interface>& ours) {
    using Outcome = ProbeSchedule::Outcome;
    const auto place = cluster.find(peer);
    if (!place) return Outcome::failed;
    const auto told_of_peer = ask([this, peer]() -> std::string {
      const std::string* text = cluster.core().get(std::string(kFiguresPrefix) + peer);
      return text == nullptr ? "" : *text;
    });
    boost::system::error_code error;
    const json::value theirs = json::parse(told_of_peer.value_or(""), error);
    const auto paths = link_paths(
        ours, error ? std::vector<PeerInterface>() : peer_interfaces(theirs), place->addresses);
    const auto link = prober.measure(self, peer, place->key, paths, stopping);
    if (link.is(Errc::limit)) return Outcome::busy;
    if (!link) return Outcome::failed;
    publish(fmt::format("{}{}/{}", kLinkPrefix, self, peer), to_json(*link));
    return Outcome::measured;
  }

  // Figures of who was put out are of no use; the lowest node alive clears them away.
  void forget(const std::string& node) {
    const auto alive = cluster.core().alive();
    if (alive.empty() || alive.front() != self) return;
    std::vector<std::string> keys = {std::string(kFiguresPrefix) + node,
                                     std::string(kNamePrefix) + node};
    for (const auto& [key, value] : cluster.core().list(kLinkPrefix))
      if (key.find(node) != std::string::npos) keys.push_back(key);
    for (const std::string& key : keys)
      static_cast<void>(cluster.core().erase(key, clock.wall()));  // a full map: again next time
  }

  const Options options;
  ClusterHost& cluster;
  DataDoor& door;
  const Clock& clock;
  const std::string self;
  const int threads;
  const std::shared_ptr<ProbeGate> gate;  // also of streams that are being answered
  LinkProber prober;
  ProbeSchedule schedule;
  std::string cpu;
  std::optional<Isa> isa;          // nullopt: the one that is forced is not there
  std::optional<OwnMeasured> own;  // since know_machine()
  std::optional<ProcessorTimes> processors;
  MeasureAgain again;
  NodeFigures figures, told;
  Clock::Nanoseconds memory_read{}, facts_told{};

  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<bool> stopping = false;
  std::thread thread;
};

FiguresHost::FiguresHost(Options options, ClusterHost& cluster, DataDoor& door, const Clock& clock)
    : inner_(std::make_shared<Inner>(std::move(options), cluster, door, clock)) {
  door.serve(DataPurpose::probe, [gate = inner_->gate, &clock](std::unique_ptr<DataStream> stream) {
    static_cast<void>(answer_probe(*stream, clock, *gate));  // its dialler has the error, too
  });
  cluster.listen([inner = std::weak_ptr(inner_)](const cluster::ClusterEvent& event) {
    if (event.kind != cluster::ClusterEvent::Kind::member_removed) return;
    if (const auto host = inner.lock()) host->forget(event.node);
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
