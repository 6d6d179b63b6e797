#pragma once

#include <functional>
#include <string>

namespace drystone {

// A function that shows a fraction in [0, 1] as one line on stderr, redrawn in place ("writing
// x.gguf  42%"), and ends the line at 1. Empty, so nothing is shown, when stderr is not a terminal.
std::function<void(double)> terminal_progress(std::string doing);

}  // namespace drystone
