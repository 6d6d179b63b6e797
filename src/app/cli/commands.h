#pragma once

namespace CLI {
class App;
}

namespace drystone {

// One per command; see command.h. Each borrows `app` and `exit_code` until the program ends.
void add_run(CLI::App& app, int& exit_code);
void add_inspect(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_tokenize(CLI::App& app, int& exit_code);
void add_template(CLI::App& app, int& exit_code);
void add_logits(CLI::App& app, int& exit_code);
void add_generate(CLI::App& app, int& exit_code);
void add_quantize(CLI::App& app, int& exit_code);
void add_serve(CLI::App& app, int& exit_code);
void add_up(CLI::App& app, int& exit_code);
void add_invite(CLI::App& app, int& exit_code);
void add_join(CLI::App& app, int& exit_code);
void add_leave(CLI::App& app, int& exit_code);
void add_nodes(CLI::App& app, int& exit_code);
void add_remove(CLI::App& app, int& exit_code);
void add_plan(CLI::App& app, int& exit_code);
void add_load(CLI::App& app, int& exit_code);
void add_unload(CLI::App& app, int& exit_code);
void add_ps(CLI::App& app, int& exit_code);
void add_key(CLI::App& app, int& exit_code);
void add_synth(CLI::App& app, int& exit_code);

}  // namespace drystone
