// Every update rule.
#pragma once

#include "rules/rule_list.h"
#include "rules/updates/adam.h"
#include "rules/updates/gradient_descent.h"
#include "rules/updates/momentum.h"
#include "rules/updates/nesterov.h"

namespace ravine {

using UpdateRules = RuleList<GradientDescent, Momentum, Nesterov, Adam>;

}  // namespace ravine
