// Every elementwise loss.
#pragma once

#include "rules/losses/absolute_error.h"
#include "rules/losses/binary_cross_entropy.h"
#include "rules/losses/hinge.h"
#include "rules/losses/huber.h"
#include "rules/losses/squared_error.h"
#include "rules/rule_list.h"

namespace ravine {

using ElementwiseLossRules = RuleList<SquaredError, AbsoluteError, Huber, BinaryCrossEntropy, Hinge>;

}  // namespace ravine
