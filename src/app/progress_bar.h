#pragma once

#include <functional>
#include <string>

namespace drystone {

// A function that draws the fraction it is called with as a bar on stderr, and takes it away
// at 1 or when the last copy of the function goes.
// Empty when stderr is no terminal, so that logs stay clean. One caller at a time.
std::function<void(double done)> progress_bar(std::string label);

}  // namespace drystone
