#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace drystone {

// What a client does with its request.
enum class Behaviour {
  normal,     // reads the answer to its end
  cancel,     // closes the connection in the middle
  bad,        // sends something that is to be refused
  oversized,  // sends a prompt that no context holds
  stalled,    // asks for a stream and does not read it
};

std::string_view to_string(Behaviour behaviour);

// One request as it goes to a server.
struct LoadRequest {
  Behaviour behaviour = Behaviour::normal;
  std::string head;  // request line and header, without Host, Content-Length and the blank line
  std::string body;
  std::uint32_t cancel_after_tokens = 0;  // for Behaviour::cancel
  bool keep_text = false;
};

// What became of it. Times are seconds on one clock, -1 where the event did not come.
struct Exchange {
  Behaviour behaviour = Behaviour::normal;
  bool foreign = false;  // the long prompt beside the streams
  bool again = false;    // a stream that is repeated without the long prompt
  std::string error;     // "" as it should be, else its kind: "connect", "http 500", "cut", ...
  int status = 0;        // 0: no answer
  double start_s = -1, end_s = -1;
  std::vector<double> chunk_times_s;                                          // when text came
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;  // as the server says
  std::string text;

  bool ok() const { return error.empty(); }
  double ttft_s() const { return chunk_times_s.empty() ? -1 : chunk_times_s.front() - start_s; }
};

}  // namespace drystone
