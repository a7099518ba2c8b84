// Every activation. The order is the index under which the backends' tables hold their loops.
#pragma once

#include "rules/activations/identity.h"
#include "rules/activations/relu.h"
#include "rules/activations/sigmoid.h"
#include "rules/activations/tanh.h"
#include "rules/rule_list.h"

namespace ravine {

using ActivationRules = RuleList<Identity, Sigmoid, Tanh, Relu>;

}  // namespace ravine
