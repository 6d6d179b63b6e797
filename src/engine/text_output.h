#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/stop_matcher.h"

namespace drystone {

// Turns sampled tokens into deltas: whole characters, nothing of a stop string. Tokens wait for the
// text they made.
class TextOutput {
 public:
  using Sink = std::function<void(const Delta&)>;
  // Control tokens have no text, but for the `visible` ones. Borrows all but `stops` for its life.
  TextOutput(const Tokenizer& tokenizer, const std::vector<std::string>& stops,
             const std::vector<TokenId>& visible, const Sink& sink);

  void push(Sampled token);
  void finish();  // what was held back, at the end of the answer
  bool stopped() const { return matcher_.matched(); }
  const std::string& stop() const { return matcher_.stop(); }  // which string; "": not stopped

 private:
  void emit(std::string text, bool last);

  const Tokenizer& tokenizer_;
  const std::vector<TokenId>& visible_;
  StreamDecoder decoder_;
  StopMatcher matcher_;
  const Sink& sink_;
  std::vector<Sampled> waiting_;
};

}  // namespace drystone
