// Every activation. The order is the index under which the backends' tables hold their loops.
#pragma once

#include "rules/activations/elu.h"
#include "rules/activations/gelu.h"
#include "rules/activations/identity.h"
#include "rules/activations/leaky_relu.h"
#include "rules/activations/relu.h"
#include "rules/activations/selu.h"
#include "rules/activations/sigmoid.h"
#include "rules/activations/silu.h"
#include "rules/activations/softplus.h"
#include "rules/activations/tanh.h"
#include "rules/rule_list.h"

namespace ravine {

using ActivationRules = RuleList<Identity, Sigmoid, Tanh, Relu, LeakyRelu, Elu, Selu, Gelu, Silu, Softplus>;

}  // namespace ravine
