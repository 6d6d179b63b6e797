#include "app/cli/wish_flags.h"

#include <boost/json.hpp>
#include <filesystem>
#include <sstream>

namespace drystone {

void add_wish_flags(CLI::App& command, WishFlags& flags) {
  command.add_option("MODEL", flags.model, "GGUF file, a name that the node knows, or pebble")
      ->required()
      ->type_name("");
  const auto number = [&](const char* name, std::uint32_t& out, std::uint32_t max,
                          const char* text) {
    command.add_option(name, out, text)->check(CLI::Range(1u, max).description(""))->type_name("N");
  };
  number("--stages", flags.stages, 512, "Cut the layers in so many stages [the planner chooses]");
  number("--shards", flags.shards, 8, "Cut each stage over so many nodes [the planner chooses]");
  number("--replicas", flags.replicas, 64, "Place it so many times [1]");
  command.add_option("--nodes", flags.nodes, "Only these, by name or id [all]")
      ->check(CLI::Validator(
          [](std::string& text) {
            return text.find_first_not_of(", ") == std::string::npos
                       ? std::string("names no node; `drystone nodes` lists them")
                       : std::string();
          },
          ""))
      ->type_name("A,B");
  command.add_option("--head", flags.head, "The node that schedules [the planner chooses]")
      ->type_name("NODE");
  number("--context", flags.context, 1u << 30,
         "Tokens of one request [what the model is made for]");
  number("--streams", flags.streams, 1u << 20, "Requests at once, each of that length [1]");
  command.add_option("--kv", flags.kv, "KV cache: f16, f32 or q8_0 [f16]")->type_name("TYPE");
  command
      .add_option("--rows", flags.rows,
                  "Rows between stages: f32, f16 or q8 [f32, where the cables allow it]")
      ->type_name("TYPE");
  command
      .add_option("--for", flags.objective,
                  "one_stream, many_streams or prompt: what to be fast at [by --streams]")
      ->type_name("WHAT");
}

boost::json::object wish_of(const WishFlags& flags) {
  boost::json::object wish;
  std::error_code error;
  const std::filesystem::path path(flags.model);
  const bool is_file = std::filesystem::is_regular_file(path, error);
  wish["model"] = is_file ? std::filesystem::absolute(path, error).string() : flags.model;
  const auto add = [&](const char* name, std::uint32_t value) {
    if (value > 0) wish[name] = value;
  };
  add("stages", flags.stages);
  add("shards", flags.shards);
  add("replicas", flags.replicas);
  add("context", flags.context);
  add("streams", flags.streams);
  if (!flags.nodes.empty()) {
    boost::json::array nodes;
    std::istringstream list(flags.nodes);
    for (std::string name; std::getline(list, name, ',');)
      if (!name.empty()) nodes.emplace_back(name);
    wish["nodes"] = std::move(nodes);
  }
  if (!flags.head.empty()) wish["head"] = flags.head;
  if (!flags.kv.empty()) wish["kv_format"] = flags.kv;
  if (!flags.rows.empty()) wish["row_format"] = flags.rows;
  if (!flags.objective.empty()) wish["objective"] = flags.objective;
  return wish;
}

}  // namespace drystone
