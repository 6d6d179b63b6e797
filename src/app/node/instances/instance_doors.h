#pragma once

#include <memory>

#include "serve/jobs/job_server.h"
#include "serve/peer/data_door.h"
#include "serve/peer/split/switchboard.h"

namespace drystone {

// Takes the data connections of other nodes that are for instances: streams between parts go to the
// switchboard, requests to the heads that are here. Thread-safe.
class InstanceDoors {
 public:
  // Borrows both, and what `find_head` uses, until close() returns.
  InstanceDoors(DataDoor& door, Switchboard& switchboard, JobServer::Find find_head);
  ~InstanceDoors();  // close()
  InstanceDoors(const InstanceDoors&) = delete;
  InstanceDoors& operator=(const InstanceDoors&) = delete;

  void open();
  // Closes the switchboard as well, and cancels the jobs of others. Waits for those within.
  void close();

 private:
  struct Shared;  // of the threads of the door
  DataDoor& door_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace drystone
