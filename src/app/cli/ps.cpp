#include <fmt/format.h>

#include <memory>
#include <string>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/json_look.h"
#include "base/units.h"

namespace drystone {
namespace {

namespace json = boost::json;

std::uint64_t whole(const json::value& value, std::string_view name) {
  return static_cast<std::uint64_t>(number_of(value, name).value_or(0));
}

// "layers 0..12 of 2 ranks, rank 1".
std::string part_text(const json::value& part) {
  const json::array& layers = list_of(part, "layers");
  std::string text = layers.size() == 2 ? fmt::format("layers {}..{}", json::serialize(layers[0]),
                                                      json::serialize(layers[1]))
                                        : "";
  if (whole(part, "ranks") > 1)
    text += fmt::format(", shard {} of {}", whole(part, "rank") + 1, whole(part, "ranks"));
  return text;
}

void print_instance(const json::value& instance) {
  const std::string state = text_of(instance, "state");
  fmt::print("{}  {}{}  epoch {}", text_of(instance, "instance"), state,
             state == "loading"
                 ? fmt::format(" {:.0f}%", 100 * number_of(instance, "progress").value_or(0))
                 : "",
             whole(instance, "epoch"));
  if (whole(instance, "context") > 0) fmt::print("  context {}", whole(instance, "context"));
  fmt::print("\n");
  if (const std::string message = text_of(instance, "message"); !message.empty())
    fmt::print("  {}\n", message);
  const std::string head = text_of(instance, "head");
  for (const json::value& part : list_of(instance, "parts"))
    fmt::print("  {}{}: {}, {}, {}\n", text_of(part, "name"),
               text_of(part, "node") == head ? " (head)" : "", part_text(part),
               format_bytes(static_cast<Bytes>(whole(part, "bytes"))), text_of(part, "state"));
}

Result<void> ps(const ApiFlags& flags) {
  const NodeClient node = TRY(connect_node(flags));
  const json::value answer = TRY(node.get("/cluster/v1/instances"));
  const json::array* list = answer.if_array();
  if (list == nullptr) return Error(Errc::corrupt, "what the node answers is no list of instances");
  if (flags.json) {
    print_json(answer);
    return {};
  }
  if (list->empty()) fmt::print("no model is loaded; `drystone load MODEL` loads one\n");
  for (const json::value& instance : *list) print_instance(instance);
  return {};
}

}  // namespace

void add_ps(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ApiFlags>();
  CLI::App& command = *app.add_subcommand("ps", "List the models that the cluster runs, and where");
  add_api_flags(command, *flags);
  command.footer("Example:\n  drystone ps\n  drystone ps --json");
  command.callback([flags, &exit_code] { exit_code = finish("ps", ps(*flags)); });
}

}  // namespace drystone
