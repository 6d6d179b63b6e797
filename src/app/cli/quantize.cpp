#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/engine_flags.h"
#include "app/load/open_model.h"
#include "app/progress_bar.h"
#include "model/quantize/quantize_model.h"

namespace drystone {
namespace {

struct QuantizeOptions {
  std::string in, out, type;
  int threads = 0;
};

// OUT must be none of the files that are read from while it is written.
Result<void> refuse_to_write_over(const GgufFile& in, const std::string& out) {
  std::error_code absent;
  for (const std::filesystem::path& part : in.files())
    if (std::filesystem::equivalent(part, out, absent))
      return Error(Errc::invalid_argument,
                   fmt::format("{} is both IN and OUT, and what quantization takes away cannot be "
                               "brought back: write to another file",
                               part.string()));
  return {};
}

Result<void> quantize(const QuantizeOptions& options) {
  const Mixture* mixture = find_mixture(options.type);
  if (mixture == nullptr)
    return Error(Errc::invalid_argument,
                 fmt::format("'{}' is no type to quantize to: expected one of {}", options.type,
                             mixture_names()));
  const GgufFile file = TRY(open_model(options.in));
  TRY(refuse_to_write_over(file, options.out));
  ThreadPool pool(threads_or_default(options.threads));
  const QuantizeSummary summary = TRY(
      quantize_model(file, *mixture, options.out, pool, progress_bar("writing " + options.out)));
  if (summary.requantized > 0)
    notice("quantize", fmt::format("warning: {} tensors were quantized already and are coarser now "
                                   "than from an f16 or f32 "
                                   "file",
                                   summary.requantized));
  if (summary.fallbacks > 0)
    notice(
        "quantize",
        fmt::format("{} tensors have rows that {} cannot hold; they got a type of smaller blocks",
                    summary.fallbacks, mixture->name));
  fmt::print("{}: {} of weights, from {}\n", options.out, format_bytes(summary.bytes_after),
             format_bytes(summary.bytes_before));
  return {};
}

}  // namespace

void add_quantize(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App* command = app.add_subcommand("quantize", "Write a model with weights of fewer bits");
  command->add_option("IN", options->in, "GGUF file, best in F32, F16 or BF16")
      ->required()
      ->type_name("");
  command->add_option("OUT", options->out, "File to write")->required()->type_name("");
  command->add_option("TYPE", options->type, broken_into_lines(mixture_names()))
      ->required()
      ->type_name("");
  add_threads_flag(*command, options->threads);
  command->footer("Example:\n  drystone quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M");
  command->callback([options, &exit_code] { exit_code = finish("quantize", quantize(*options)); });
}

}  // namespace drystone
