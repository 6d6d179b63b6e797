#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "instance_machine.h"
#include "sim_model.h"

namespace drystone::sim {

// Those who ask nodes, and look closely at what they get: invariants 2, 3 and 8
// (instance_invariants.h). One whose node crashes asks another.
class Clients {
 public:
  explicit Clients(World& world, InstanceInvariants::Machines& machines)
      : world_(world), machines_(machines) {}

  // Of a random model that the node serves; nothing happens where there is none.
  void ask(std::size_t machine);
  void ask(std::size_t machine, const std::string& model, std::vector<TokenId> prompt,
           std::uint32_t tokens_max);
  void give_up_one();                 // a client leaves
  void crashed(std::size_t machine);  // before its life ends
  void ask_again();                   // those whose node crashed

  std::size_t open() const;
  std::size_t asked() const { return asked_.size(); }
  std::size_t whole() const { return whole_; }  // answers that came whole
  // "" or an answer that has not ended, or one of the last `of` that came to no good end.
  std::string unanswered(std::size_t of) const;
  // Cuts off what is left, at the end of the simulation.
  void leave();

 private:
  struct Asked {
    std::size_t number, machine;
    std::string model;
    std::vector<TokenId> prompt;
    std::uint32_t tokens_max;
    Answer expected;
    std::optional<InstanceMachine::Ticket> ticket;
    std::size_t tokens = 0, prompts = 0;
    std::string text;
    bool left = false, cut_off = false, over = false, well = false;
  };

  void take(Asked& one, const Delta& delta);
  void take_end(Asked& one, const Result<GenerateResult>& result);
  void fail(const Asked& one, const std::string& what);

  World& world_;
  InstanceInvariants::Machines& machines_;
  std::vector<std::shared_ptr<Asked>> asked_;
  std::vector<std::shared_ptr<Asked>> again_;
  std::size_t whole_ = 0;
};

}  // namespace drystone::sim
