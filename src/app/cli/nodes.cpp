#include <fmt/format.h>

#include <algorithm>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"

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

Result<void> nodes(const ApiFlags& flags) {
  const NodeClient node = TRY(connect_node(flags));
  const auto answer = TRY(node.get("/cluster/v1/nodes"));
  const json::array* list = answer.if_array();
  if (!list) return Error(Errc::corrupt, "what the node answers is no list of nodes");
  if (flags.json) {
    print_json(answer);
    return {};
  }
  std::vector<Column> columns = {{"NAME"}, {"STATE"}, {"ADDRESS"}, {"VERSION"}, {"ID"}};
  for (const json::value& one : *list) {
    const json::value* self = one.is_object() ? one.as_object().if_contains("self") : nullptr;
    const bool is_self = self && self->is_bool() && self->as_bool();
    columns[0].rows.push_back(text_of(one, "name") + (is_self ? " (this one)" : ""));
    columns[1].rows.push_back(text_of(one, "state"));
    for (std::size_t i : {2, 3}) {
      const std::string text = text_of(one, i == 2 ? "address" : "version");
      columns[i].rows.push_back(text.empty() ? "unknown" : text);
    }
    columns[4].rows.push_back(text_of(one, "id"));
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
