#include "app/node/instances/instance_doors.h"

#include <utility>

#include "app/node/instances/visit_gate.h"

namespace drystone {

struct InstanceDoors::Shared {
  Switchboard& switchboard;
  const JobServer::Find find_head;
  VisitGate<JobServer> job_gate;
  VisitGate<Switchboard> part_gate;

  Shared(Switchboard& board, JobServer::Find find)
      : switchboard(board), find_head(std::move(find)) {}

  void take_part(std::unique_ptr<DataStream> stream) {
    if (!part_gate.enter(&switchboard)) return;
    switchboard.accept(std::move(stream));
    part_gate.leave(&switchboard);
  }
  void serve_jobs(std::unique_ptr<DataStream> stream) {
    JobServer server(std::move(stream), find_head);
    if (!job_gate.enter(&server)) return;
    static_cast<void>(server.serve());  // however it ended, its jobs are cancelled
    job_gate.leave(&server);
  }
};

InstanceDoors::InstanceDoors(DataDoor& door, Switchboard& switchboard, JobServer::Find find_head)
    : door_(door), shared_(std::make_shared<Shared>(switchboard, std::move(find_head))) {}

InstanceDoors::~InstanceDoors() { close(); }

void InstanceDoors::open() {
  const std::weak_ptr<Shared> weak = shared_;
  door_.serve(DataPurpose::part, [weak](std::unique_ptr<DataStream> stream) {
    if (const auto shared = weak.lock()) shared->take_part(std::move(stream));
  });
  door_.serve(DataPurpose::jobs, [weak](std::unique_ptr<DataStream> stream) {
    if (const auto shared = weak.lock()) shared->serve_jobs(std::move(stream));
  });
}

void InstanceDoors::close() {
  door_.serve(DataPurpose::part, nullptr);
  door_.serve(DataPurpose::jobs, nullptr);
  shared_->job_gate.close([](JobServer& server) { server.close(); });
  shared_->part_gate.close([](Switchboard& board) { board.close(); });
}

}  // namespace drystone
