#pragma once

#include <cstdint>
#include <string>

namespace drystone {

// A piece of a structured reply, the same for every model format and every API dialect. Pieces come
// in the order in which the model wrote them; neighbours of the same kind (and call) belong
// together, wherever the stream was cut. The texts of a well-formed stream are whole UTF-8
// characters.
struct ReplyPart {
  enum class Kind {
    content,         // `text` for the user
    reasoning,       // `text` that the model wrote for itself
    tool_call,       // a call begins: `call`, `id` and `name`; `text` is empty
    tool_arguments,  // `text` is the next piece of the arguments of `call`, a JSON object
  };

  Kind kind = Kind::content;
  std::string text;
  std::uint32_t call = 0;  // index of the call within the reply, from 0
  std::string id, name;    // of tool_call

  bool operator==(const ReplyPart&) const = default;
};

// Why the text of a reply ends.
enum class ReplyEnd {
  whole,  // the model ended it
  cut,    // a limit or a stop string did, maybe in the midst of a call
};

}  // namespace drystone
