#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/json_look.h"
#include "cluster/plan/plan_text.h"

namespace drystone {
namespace {

namespace json = boost::json;

// A column of a table: its head, and one text a row.
struct Column {
  std::string head;
  std::vector<std::string> rows = {};
};

void print_table(const std::vector<Column>& columns) {
  std::vector<std::size_t> widths;
  for (const Column& column : columns) {
    widths.push_back(column.head.size());
    for (const auto& row : column.rows) widths.back() = std::max(widths.back(), row.size());
  }
  const auto print_row = [&](const auto& text_of_column) {
    std::string line;
    for (std::size_t i = 0; i < columns.size(); ++i)
      line += fmt::format("{:<{}}  ", text_of_column(columns[i]), widths[i]);
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  };
  print_row([](const Column& column) { return column.head; });
  for (std::size_t i = 0; i < columns.front().rows.size(); ++i)
    print_row([&](const Column& column) { return column.rows[i]; });
}

// By id: the link that is used from the node that is asked, "1.2 GB/s, 50 us".
std::map<std::string, std::string> links_of(const json::array& nodes) {
  std::map<std::string, std::string> links;
  for (const json::value& node : nodes) {
    if (!truth_of(node, "self", false)) continue;
    for (const json::value& link : list_of(node, "links")) {
      const auto there = number_of(link, "bandwidth_bytes_per_s");
      const auto back = number_of(link, "bandwidth_back_bytes_per_s");
      const auto latency_us = number_of(link, "latency_us");
      if (!truth_of(link, "used", false) || !there || !back || !latency_us) continue;
      links[text_of(link, "to")] = fmt::format("{}, {}", format_per_second(std::min(*there, *back)),
                                               format_seconds(*latency_us * 1e-6));
    }
  }
  return links;
}

Result<void> nodes(const ApiFlags& flags) {
  const NodeClient node = TRY(connect_node(flags));
  const auto answer = TRY(node.get("/cluster/v1/nodes"));
  const json::array* list = answer.if_array();
  if (!list) return Error(Errc::corrupt, "what the node answers is no list of nodes");
  if (flags.json) {
    print_json(answer);
    return {};
  }
  std::vector<Column> columns = {{"NAME"}, {"STATE"}, {"ADDRESS"}, {"LINK"}, {"VERSION"}, {"ID"}};
  const auto links = links_of(*list);
  for (const json::value& one : *list) {
    const bool is_self = truth_of(one, "self", false);
    columns[0].rows.push_back(text_of(one, "name") + (is_self ? " (this one)" : ""));
    columns[1].rows.push_back(text_of(one, "state"));
    const auto or_unknown = [](const std::string& text) { return text.empty() ? "unknown" : text; };
    const auto link = links.find(text_of(one, "id"));
    columns[2].rows.push_back(or_unknown(text_of(one, "address")));
    columns[3].rows.push_back(is_self ? "" : link == links.end() ? "unknown" : link->second);
    columns[4].rows.push_back(or_unknown(text_of(one, "version")));
    columns[5].rows.push_back(text_of(one, "id"));
  }
  print_table(columns);
  return {};
}

}  // namespace

void add_nodes(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ApiFlags>();
  CLI::App& command = *app.add_subcommand("nodes", "List the nodes of the cluster");
  add_api_flags(command, *flags);
  command.footer(R"(Example:
  drystone nodes
  drystone --api http://127.0.0.1:8081 nodes --json)");
  command.callback([flags, &exit_code] { exit_code = finish("nodes", nodes(*flags)); });
}

}  // namespace drystone
