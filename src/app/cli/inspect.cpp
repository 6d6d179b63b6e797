#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/engine_flags.h"
#include "app/load/load_engine.h"
#include "app/load/open_model.h"
#include "model/arch/architecture.h"

namespace drystone {
namespace {

namespace json = boost::json;

struct InspectOptions {
  std::string model;
  std::vector<std::uint32_t> contexts;
  KvType kv_type = KvType::f16;
  bool as_json = false;
};

struct TypeTotal {
  std::uint64_t tensors = 0, parameters = 0;
  Bytes bytes = 0;
};

// What a file says of itself. Everything here is known even where the model cannot be run.
struct Summary {
  std::string architecture, name, tokenizer;
  std::uint64_t tokens = 0, parameters = 0;
  std::uint32_t layers = 0, width = 0, context = 0;
  bool chat_template = false;
  std::map<std::string_view, TypeTotal> types;

  std::vector<std::pair<std::string_view, TypeTotal>> types_by_size() const {
    std::vector<std::pair<std::string_view, TypeTotal>> sorted(types.begin(), types.end());
    std::ranges::stable_sort(sorted, std::greater(),
                             [](const auto& type) { return type.second.bytes; });
    return sorted;
  }
};

std::uint64_t elements(const GgufTensor& tensor) {
  return tensor.dims[0] * tensor.dims[1] * tensor.dims[2] * tensor.dims[3];
}

Result<Summary> summarize(const GgufFile& file) {
  const Metadata& metadata = file.metadata();
  Summary summary;
  summary.architecture = TRY(metadata.string("general.architecture")).value_or("unknown");
  summary.name = TRY(metadata.string("general.name")).value_or("");
  const std::string tokenizer = TRY(metadata.string("tokenizer.ggml.model")).value_or("none");
  const std::string pre = TRY(metadata.string("tokenizer.ggml.pre")).value_or("");
  summary.tokenizer = pre.empty() ? tokenizer : tokenizer + "/" + pre;
  if (const auto* tokens = metadata.strings("tokenizer.ggml.tokens"))
    summary.tokens = tokens->size();
  summary.layers = TRY(metadata.u32(summary.architecture + ".block_count")).value_or(0);
  summary.width = TRY(metadata.u32(summary.architecture + ".embedding_length")).value_or(0);
  summary.context = TRY(metadata.u32(summary.architecture + ".context_length")).value_or(0);
  summary.chat_template = metadata.find("tokenizer.chat_template") != nullptr;
  for (const GgufTensor& tensor : file.tensors()) {
    TypeTotal& total = summary.types[to_string(tensor.type)];
    total.tensors += 1;
    total.parameters += elements(tensor);
    total.bytes += tensor.bytes;
    summary.parameters += elements(tensor);
  }
  return summary;
}

struct ContextMemory {
  std::uint32_t context;
  StageMemory memory;
};

// What loading would reserve, for each context asked for; or for some up to the model's own.
Result<std::vector<ContextMemory>> memory_needed(const GgufFile& file,
                                                 const InspectOptions& options,
                                                 std::uint32_t context_max) {
  std::vector<std::uint32_t> contexts = options.contexts;
  if (contexts.empty()) {
    for (const std::uint32_t context : {2048u, 8192u, 32768u})
      if (context < context_max) contexts.push_back(context);
    contexts.push_back(context_max);
  }
  const std::unique_ptr<Device> device = TRY(make_device(0));
  std::vector<ContextMemory> needed;
  for (const std::uint32_t context : contexts) {
    const Program program = TRY(load_program(file, context));
    const StageOptions stage{.layers = {0, static_cast<std::uint32_t>(program.layers.size())},
                             .kv_type = options.kv_type,
                             .kv_tokens = context};
    const auto type_of = [&](const TensorSpec& spec) { return file.find(spec.name)->type; };
    needed.push_back({context, device->estimate(program, stage, type_of)});
  }
  return needed;
}

void print_memory(const std::vector<ContextMemory>& needed, std::uint32_t context_max) {
  fmt::print("\nmemory at context {:>10}{:>11}{:>11}{:>11}\n", "weights", "KV", "working", "total");
  for (const auto& [context, memory] : needed)
    fmt::print("{:>17} {:>10}{:>11}{:>11}{:>11}{}\n", context, format_bytes(memory.weights),
               format_bytes(memory.kv), format_bytes(memory.working),
               format_bytes(memory.weights + memory.kv + memory.working),
               context > context_max
                   ? fmt::format("  cannot run: the model is made for {}", context_max)
                   : "");
}

json::array memory_json(const std::vector<ContextMemory>& needed, std::uint32_t context_max) {
  json::array out;
  for (const auto& [context, memory] : needed)
    out.push_back({{"context", context},
                   {"beyond_model", context > context_max},
                   {"weights_bytes", memory.weights},
                   {"kv_bytes", memory.kv},
                   {"working_bytes", memory.working},
                   {"total_bytes", memory.weights + memory.kv + memory.working}});
  return out;
}

void print_text(const GgufFile& file, const Summary& summary, const Result<Program>& program) {
  const auto line = [](std::string_view label, const std::string& value) {
    fmt::print("{:<15}{}\n", label, value);
  };
  line("file", fmt::format("{} ({})", file.name(), format_bytes(file.file_bytes())));
  if (!summary.name.empty()) line("name", summary.name);
  line("architecture",
       fmt::format("{}, {} layers, width {}", summary.architecture, summary.layers, summary.width));
  if (program)
    line("attention",
         fmt::format("{} heads, {} KV heads of {}; feed-forward {}", program->heads_max,
                     program->kv_heads, program->head_dim, program->ff_width));
  if (summary.parameters > 0)
    line("parameters",
         fmt::format("{:.4g} million", static_cast<double>(summary.parameters) / 1e6));
  line("tokenizer", fmt::format("{}, {} tokens", summary.tokenizer, summary.tokens));
  line("context", fmt::format("{} tokens", summary.context));
  line("chat template", summary.chat_template ? "yes" : "no");
  std::string_view label = "types";
  for (const auto& [name, total] : summary.types_by_size()) {
    line(label,
         fmt::format("{:<8}{:>6} tensors  {:>9}", name, total.tensors, format_bytes(total.bytes)));
    label = "";
  }
  if (!program) line("cannot run", program.error().message());
}

json::object to_json(const GgufFile& file, const Summary& summary, const Result<Program>& program) {
  json::object types;
  for (const auto& [name, total] : summary.types)
    types[name] = {
        {"tensors", total.tensors}, {"parameters", total.parameters}, {"bytes", total.bytes}};
  json::object out = {{"file", file.name()},
                      {"file_bytes", file.file_bytes()},
                      {"name", summary.name},
                      {"architecture", summary.architecture},
                      {"parameters", summary.parameters},
                      {"layers", summary.layers},
                      {"width", summary.width},
                      {"types", types},
                      {"tokenizer", summary.tokenizer},
                      {"tokens", summary.tokens},
                      {"context", summary.context},
                      {"chat_template", summary.chat_template},
                      {"runnable", program.has_value()}};
  if (program) {
    out["heads"] = program->heads_max;
    out["kv_heads"] = program->kv_heads;
    out["head_dim"] = program->head_dim;
    out["feed_forward"] = program->ff_width;
  } else {
    out["problem"] = program.error().message();
  }
  return out;
}

Result<void> inspect(const InspectOptions& options) {
  const GgufFile file = TRY(open_model(options.model));
  auto summary = summarize(file);
  if (!summary) return std::move(summary).error().with(file.name());
  const Result<Program> program = load_program(file, summary->context);
  std::vector<ContextMemory> needed;
  if (program) needed = TRY(memory_needed(file, options, summary->context));
  if (options.as_json) {
    json::object out = to_json(file, *summary, program);
    out["memory"] = memory_json(needed, summary->context);
    fmt::print("{}\n", json::serialize(out));
    return {};
  }
  print_text(file, *summary, program);
  if (program) print_memory(needed, summary->context);
  return {};
}

}  // namespace

void add_inspect(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show what a model file is and the memory it needs");
  command->add_option("MODEL", options->model, "GGUF file, or pebble")->required();
  command
      ->add_option("--context", options->contexts,
                   "Contexts to show memory for, e.g. 4096,32768 (tokens)")
      ->delimiter(',')
      ->check(CLI::Range(1u, 1u << 30).description(""))
      ->type_name("N,...");
  add_kv_flag(*command, options->kv_type);
  command->add_flag("--json", options->as_json, "Print one JSON object");
  command->footer("Example:\n  drystone inspect pebble --context 128,512");
  command->callback([options, &exit_code] { exit_code = finish("inspect", inspect(*options)); });
}

}  // namespace drystone
