#pragma once

#include <string>
#include <string_view>

#include "bench/serve/exchange.h"

namespace drystone {

// Reads the body of an answer of OpenAI's dialect piece by piece into an Exchange: the events of a
// stream, or one JSON text. Cheap per event: only those with usage, an error or wanted text are
// parsed.
class AnswerReader {
 public:
  AnswerReader(Exchange& exchange, bool stream, bool keep_text)
      : exchange_(exchange), stream_(stream), keep_text_(keep_text) {}

  void take(std::string_view piece, double now_s);
  // The body is over. Sets the error when it is not a whole answer.
  void end();

 private:
  void take_event(std::string_view event, double now_s);
  void take_json(std::string_view text);

  Exchange& exchange_;
  bool stream_, keep_text_, done_ = false;
  std::string rest_;
};

}  // namespace drystone
