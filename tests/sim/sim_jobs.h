#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "network.h"
#include "serve/jobs/client_jobs.h"
#include "serve/jobs/frame_sender.h"
#include "serve/jobs/server_jobs.h"

namespace drystone::sim {

// The job connections of one node, both ends: the real ClientJobs and ServerJobs, with what
// JobClient, JobServer and FrameSender do on threads of their own in between: frames in order,
// signs of life, silence, a goodbye. One frame per packet, which is numbered: after a lost one the
// connection is broken, as one over TCP would be.
class SimJobs {
 public:
  static constexpr int kFirstChannel = 1000;  // each connection has its own
  static constexpr Time kDialWithin = seconds(3);
  using Send = std::function<void(std::size_t machine, int channel, std::string text)>;

  SimJobs(Send send, ServerJobs::Find find) : send_(std::move(send)), find_(std::move(find)) {}
  ~SimJobs();  // nothing is said any more

  // A connection that is being made: `jobs` may be used once it is `open`; once it is `over` it
  // will never be, or is lost.
  struct Dialed {
    std::shared_ptr<ClientJobs> jobs;
    bool open = false, over = false;
  };
  // `channel`: another one each time, in the whole simulation.
  std::shared_ptr<Dialed> dial(std::size_t machine, int channel, ClientJobs::Model model, Time now);
  void receive(const Packet& packet, Time now);
  void broken(int channel);
  void tick(Time now);

 private:
  struct Line;
  class Client;
  class Server;
  struct Outgoing {
    std::shared_ptr<Line> line;
    std::shared_ptr<Client> jobs;
    std::shared_ptr<Dialed> dialed;
    Time dialed_at{};
  };
  struct Incoming {
    std::shared_ptr<Line> line;
    std::shared_ptr<Server> jobs;
    Time looked{};
  };

  void end(int channel, const std::string& why);

  const Send send_;
  const ServerJobs::Find find_;
  Time now_{};
  std::map<int, Outgoing> outgoing_;  // by channel
  std::map<int, Incoming> incoming_;
};

}  // namespace drystone::sim
