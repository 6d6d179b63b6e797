#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>

#include "base/rng.h"

namespace drystone {

// How prompts are written. Token ids make lengths exact for any model; texts exercise tokenizers
// and templates, and their lengths are about right.
enum class PromptKind { ids, text, chat };

struct PromptOptions {
  PromptKind kind = PromptKind::ids;
  std::string model;  // empty: the server has one
  std::uint32_t vocab = 32000;
  double tokens_per_word = 1.5;  // of the made-up words, for texts
};

// A conversation as it grows: a shared head, then parts of the user and of the assistant.
class Prompt {
 public:
  explicit Prompt(const PromptOptions& options) : options_(options) {}

  void add_system(std::uint32_t tokens, Rng rng);
  void add_user(std::uint32_t tokens, Rng rng);
  // What the server answered. Where prompts are token ids, the answer's ids are not known to a
  // client, so made-up ones of the same number stand for them.
  void add_assistant(const std::string& text, std::uint32_t tokens, Rng rng);

  std::string path() const;  // of the API it goes to
  boost::json::object body() const;

 private:
  void add(std::string_view role, std::uint32_t tokens, Rng& rng);

  PromptOptions options_;
  boost::json::array ids_, messages_;
  std::string text_;
};

}  // namespace drystone
