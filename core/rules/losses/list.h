// Every elementwise loss.
#pragma once

#include "rules/losses/squared_error.h"
#include "rules/rule_list.h"

namespace ravine {

using ElementwiseLossRules = RuleList<SquaredError>;

}  // namespace ravine
