#pragma once

#include <boost/json.hpp>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drystone {

// A chat template in the Jinja dialect that model files carry (Jinja2 as Hugging Face Transformers
// configures it: trim_blocks, lstrip_blocks, loop controls, tojson, strftime_now, raise_exception).
// Immutable after parse().
class ChatTemplate {
 public:
  // Errors: corrupt  "line 12: expected 'endif', found end of template"
  static Result<ChatTemplate> parse(std::string_view source);

  // `variables`: messages, tools, add_generation_prompt, bos_token, eos_token and whatever else the
  // template reads. `now` is what strftime_now() shows. Errors: invalid_argument  the template
  // called raise_exception (its message, verbatim)
  //         corrupt           a mistake in the template, met while rendering (line and what)
  //         limit             more than the bounded number of steps, depth or output bytes
  Result<std::string> render(const boost::json::object& variables, std::tm now) const;

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace drystone
