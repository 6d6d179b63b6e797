#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/engine.h"

namespace drystone {

// Messages of a chat, and who answers them: an engine of this process, or a node.
class Talk {
 public:
  struct Said {
    std::string text;
    GenerateResult figures;  // as far as they are known
  };

  virtual ~Talk() = default;
  virtual void add(std::string_view role, std::string_view content) = 0;  // user, assistant
  virtual void drop_last() = 0;  // takes the last message back
  virtual void clear() = 0;      // all but the system message
  // The next message, piece by piece to `sink`. `request`: all but its prompt. Blocks.
  virtual Result<Said> answer(const GenerateRequest& request,
                              const std::function<void(std::string_view)>& sink,
                              std::stop_token stop) = 0;
};

}  // namespace drystone
