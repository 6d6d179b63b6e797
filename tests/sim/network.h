#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/rng.h"

// A network of simulated machines: everything happens in one thread, in an order that the seed
// decides, at times that nobody waits for. It knows nothing of what its machines say.
namespace drystone::sim {

using Time = std::chrono::nanoseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Time kTickEvery = milliseconds(100);
constexpr Time kBreakNoticed = milliseconds(200);  // until a sender hears that its stream is broken

struct Packet {
  std::size_t peer = 0;  // to; when received: from
  int channel = 0;       // for the machines; ordered packets keep their order within a channel
  std::string text;
  // Like TCP: in order and never lost, until the path is cut or the other side is down; then it is
  // dropped, and the sender hears of it (SimNode::broken). Otherwise: lost, doubled, reordered.
  bool ordered = false;
};

// What runs on a machine. The network calls tick about every kTickEvery, and take_outbox after
// every call.
class SimNode {
 public:
  virtual ~SimNode() = default;
  virtual void tick(Time now) = 0;
  virtual void receive(const Packet& packet, Time now) = 0;
  virtual std::vector<Packet> take_outbox() = 0;
  virtual void broken(std::size_t /*peer*/, int /*channel*/, Time /*now*/) {}
};

class Network {
 public:
  struct Weather {
    double loss = 0, doubled = 0;  // of packets that are not ordered
    Time delay_min = milliseconds(1), delay_max = milliseconds(20);
  };

  explicit Network(std::uint64_t seed) : rng_(seed) {}

  Time now() const { return now_; }
  Rng& rng() { return rng_; }

  // Numbers count from 0. `node` must outlive its time on the network.
  std::size_t add_machine();
  std::size_t machines() const { return machines_.size(); }
  void start(std::size_t machine, SimNode& node);
  void crash(std::size_t machine);                // what is on the way to it is lost
  void freeze(std::size_t machine, bool frozen);  // frozen: packets wait for it
  void slow(std::size_t machine, Time extra) { machines_[machine].extra = extra; }
  void cut(std::size_t from, std::size_t to, bool is_cut);  // this direction only
  void heal();  // all paths open, nobody slow or frozen, fair weather
  Weather weather;

  bool is_up(std::size_t machine) const { return machines_[machine].node != nullptr; }
  bool is_frozen(std::size_t machine) const { return machines_[machine].frozen; }
  bool is_open(std::size_t from, std::size_t to) const { return !cuts_.contains({from, to}); }

  // Calls `action` at a time; in the order of the calls, if there are several.
  void at(Time time, std::function<void()> action);
  void run_until(Time time);
  // Sends what the node has to say now; after calls that do not come from the network.
  void flush(std::size_t machine);

  std::uint64_t packets_sent() const { return packets_sent_; }
  std::size_t packet_bytes_max() const { return packet_bytes_max_; }

 private:
  struct Machine {
    SimNode* node = nullptr;
    std::uint64_t life = 0;
    bool frozen = false;
    Time extra{};  // on everything that it sends
    std::vector<Packet> held;
  };
  struct Event {
    Time at{};
    std::uint64_t order = 0;
    std::function<void()> action;
    bool operator>(const Event& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };

  void tick(std::size_t machine, std::uint64_t life);
  void send(std::size_t from, Packet packet);
  void deliver(std::size_t to, std::uint64_t life, Packet packet);
  void report_broken(std::size_t from, std::size_t to, int channel);

  Rng rng_;
  Time now_ = seconds(1000);
  std::uint64_t order_ = 0, packets_sent_ = 0;
  std::size_t packet_bytes_max_ = 0;
  std::vector<Machine> machines_;
  std::set<std::pair<std::size_t, std::size_t>> cuts_;
  std::map<std::tuple<std::size_t, std::size_t, int>, Time> last_ordered_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace drystone::sim
