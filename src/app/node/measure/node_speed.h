#pragma once

#include "app/node/measure/measured.h"
#include "cluster/plan/node_figures.h"

namespace drystone {

// Puts into `figures` what planning takes from what was measured: bandwidth; rates of products,
// with what a layer does beside products and attention; the rate of attention; what steps and
// layers cost. What cannot be concluded is absent.
void set_speed(NodeFigures& figures, const Measured& measured);

// False: a layer seems to spend nearly all of its time beside products and attention. No machine is
// like that, but one that was held up while it measured layers: it is to measure again.
bool is_plausible(const Measured& measured);

}  // namespace drystone
