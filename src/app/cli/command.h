#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

// A command of the program is one file of this folder with one function,
//
//   void add_NAME(CLI::App& app, int& exit_code);
//
// which adds the subcommand, its flags and an example, and whose callback does the work and sets
// `exit_code` to finish("NAME", result). main.cpp lists them in the order of the help.

namespace drystone {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;  // the world said no; a message is on stderr
constexpr int kExitUsage = 2;   // wrong flags or arguments

// Prints the error of `result`, if any, to stderr: "drystone run: x.gguf: cannot open ...
// [not_found]". Returns the exit code.
int finish(std::string_view command, const Result<void>& result);

// The same line for what is worth knowing but stops nothing: "drystone run: the model has ...".
void notice(std::string_view command, std::string_view text);

// A list for a help text, broken behind commas so that a help stays within 100 columns.
std::string broken_into_lines(std::string_view list);

}  // namespace drystone
