#pragma once

namespace CLI {
class App;
}

namespace drystone {

// One per command; see command.h. Each borrows `app` and `exit_code` until the program ends.
void add_inspect(CLI::App& app, int& exit_code);
void add_quantize(CLI::App& app, int& exit_code);
void add_synth(CLI::App& app, int& exit_code);

}  // namespace drystone
