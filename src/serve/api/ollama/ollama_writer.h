#pragma once

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <string>

#include "serve/api/answer/answer_writer.h"

namespace drystone {

struct OllamaAnswerInfo {
  std::string model;  // as the client named it
  bool chat = true;   // /api/chat; else /api/generate
  bool unload = false;
  std::function<std::string()> now;  // RFC 3339
};

// One JSON object, or lines of them, the last with the counts and durations (nanoseconds). Of no
// choices: the answer to a request that asks for loading alone.
std::unique_ptr<AnswerWriter> ollama_writer(OllamaAnswerInfo info);

}  // namespace drystone
