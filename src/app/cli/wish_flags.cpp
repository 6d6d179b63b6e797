#include "app/cli/wish_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <initializer_list>
#include <sstream>

#include "app/cli/api_flags.h"
#include "app/cli/json_look.h"

namespace drystone {

namespace {

// One of these, said before anything is sent.
CLI::Validator one_of(std::initializer_list<const char*> known) {
  std::string list;
  for (const char* const* one = known.begin(); one != known.end(); ++one)
    list += (one == known.begin()     ? ""
             : one + 1 == known.end() ? " or "
                                      : ", ") +
            std::string(*one);
  const std::vector<std::string> all(known.begin(), known.end());
  return {[all, list](std::string& text) {
            return std::ranges::find(all, text) == all.end()
                       ? fmt::format("{}: expected {}", printable(text), list)
                       : std::string();
          },
          ""};
}

}  // namespace

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
  command.add_option("--nodes", flags.nodes, "Only these, by name or the beginning of an id [all]")
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
  command.add_option("--kv", flags.kv, "KV cache: f16, f32 or q8_0 [f16]")
      ->check(one_of({"f16", "f32", "q8_0"}))
      ->type_name("TYPE");
  command
      .add_option("--rows", flags.rows,
                  "Rows between stages: f32, f16 or q8 [f32, where the cables allow it]")
      ->check(one_of({"f32", "f16", "q8"}))
      ->type_name("TYPE");
  command
      .add_option("--for", flags.objective,
                  "one_stream, many_streams or prompt: what to be fast at [by --streams]")
      ->check(one_of({"one_stream", "many_streams", "prompt"}))
      ->type_name("WHAT");
}

boost::json::object wish_of(const WishFlags& flags) {
  boost::json::object wish;
  std::error_code error;
  const std::filesystem::path path(flags.model);
  const bool is_path =
      std::filesystem::is_regular_file(path, error) ||
      (flags.model.find('/') != std::string::npos && std::filesystem::is_directory(path, error));
  wish["model"] = is_path ? std::filesystem::absolute(path, error).string() : flags.model;
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

std::string wish_text(const boost::json::value& wish) {
  std::string text;
  const auto add = [&](const std::string& piece) { text += (text.empty() ? "" : ", ") + piece; };
  const auto number = [&](const char* name, double usual, const char* form) {
    const double value = number_of(wish, name).value_or(usual);
    if (value != usual) add(fmt::format(fmt::runtime(form), value));
  };
  number("stages", 0, "{:.0f} stages");
  number("shards", 0, "{:.0f} shards");
  number("replicas", 1, "{:.0f} replicas");
  number("context", 0, "context {:.0f}");
  number("streams", 1, "{:.0f} streams");
  if (const std::string kv = text_of(wish, "kv_format"); !kv.empty() && kv != "f16")
    add("KV " + kv);
  if (const std::string rows = text_of(wish, "row_format"); !rows.empty()) add("rows " + rows);
  std::string nodes;
  for (const auto& node : list_of(wish, "nodes"))
    if (const auto* name = node.if_string()) nodes += (nodes.empty() ? "" : ",") + printable(*name);
  if (!nodes.empty()) add("nodes " + nodes);
  if (const std::string head = text_of(wish, "head"); !head.empty()) add("head " + head);
  return text.empty() ? "no shape, and what the model is made for" : text;
}

}  // namespace drystone
