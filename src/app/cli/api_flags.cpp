#include "app/cli/api_flags.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <thread>

namespace drystone {
namespace json = boost::json;

void add_api_ca(CLI::App& command, std::string& file) {
  command.add_option("--api-ca", file, "Whom to trust over https (PEM) [the system's authorities]")
      ->type_name("FILE");
}

void add_api_flags(CLI::App& command, ApiFlags& flags) {
  flags.command = &command;
  command.add_option("--api", flags.url, "The node that is asked [http://127.0.0.1:8080]")
      ->type_name("URL");
  add_api_ca(command, flags.ca_file);
  command
      .add_option("--api-key-file", flags.key_file,
                  "A file with the node's API key (also $DRYSTONE_API_KEY)")
      ->type_name("FILE");
  command.add_flag("--json", flags.json, "Print what the node answers, as JSON");
}

namespace {

// What stands behind the command, else what stands before it; "" where the command line says
// nothing.
std::string given(const ApiFlags& flags, const std::string& own, const char* name) {
  if (!own.empty() || flags.command == nullptr || flags.command->get_parent() == nullptr)
    return own;
  const CLI::Option* general = flags.command->get_parent()->get_option_no_throw(name);
  return general != nullptr && general->count() > 0 ? general->as<std::string>() : "";
}

std::string url_of(const ApiFlags& flags) { return given(flags, flags.url, "--api"); }

}  // namespace

bool is_node_named(const ApiFlags& flags) { return !url_of(flags).empty(); }

Result<NodeClient> connect_node(const ApiFlags& flags) {
  std::string url = url_of(flags);
  if (url.empty()) url = NodeClient::kDefaultUrl;
  std::string key;
  if (!flags.key_file.empty()) {
    std::ifstream file(flags.key_file);
    if (!std::getline(file, key))
      return Error(Errc::io, fmt::format("cannot read a key from {}", flags.key_file));
    while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
  } else if (const char* given = std::getenv("DRYSTONE_API_KEY"); given != nullptr) {
    key = given;
  }
  return NodeClient::make(url, std::move(key), given(flags, flags.ca_file, "--api-ca"));
}

void wait_for_restart(const NodeClient& node,
                      const std::function<bool(const json::array&)>& is_wanted) {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    const auto nodes = node.get("/cluster/v1/nodes");
    if (nodes && nodes->is_array() && is_wanted(nodes->as_array())) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

std::string own_id(const json::array& nodes) {
  for (const json::value& one : nodes) {
    const json::value* self = one.is_object() ? one.as_object().if_contains("self") : nullptr;
    if (self && self->is_bool() && self->as_bool()) return text_of(one, "id");
  }
  return {};
}

void print_json(const json::value& value) { fmt::print("{}\n", json::serialize(value)); }

std::string printable(std::string_view text) {
  std::string shown(text);
  for (char& letter : shown)
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = '?';
  return shown;
}

std::string text_of(const json::value& object, std::string_view name) {
  const json::object* fields = object.if_object();
  const json::value* field = fields ? fields->if_contains(name) : nullptr;
  const json::string* text = field ? field->if_string() : nullptr;
  return text ? printable(*text) : std::string();
}

}  // namespace drystone
