// Every update rule.
#pragma once

#include "rules/rule_list.h"
#include "rules/updates/adadelta.h"
#include "rules/updates/adadelta_window.h"
#include "rules/updates/adagrad.h"
#include "rules/updates/adam.h"
#include "rules/updates/adamax.h"
#include "rules/updates/adamw.h"
#include "rules/updates/amsgrad.h"
#include "rules/updates/delta_bar_delta.h"
#include "rules/updates/gradient_descent.h"
#include "rules/updates/lion.h"
#include "rules/updates/momentum.h"
#include "rules/updates/muon.h"
#include "rules/updates/nadam.h"
#include "rules/updates/nesterov.h"
#include "rules/updates/radam.h"
#include "rules/updates/rmsprop.h"
#include "rules/updates/rprop.h"
#include "rules/updates/sign_descent.h"

namespace ravine {

using UpdateRules =
    RuleList<GradientDescent, SignDescent, Momentum, Nesterov, Adagrad, Adadelta, AdadeltaWindow, Rmsprop,
             Adam, AdamW, Adamax, Nadam, Amsgrad, Radam, Lion, Muon, Rprop, DeltaBarDelta>;

}  // namespace ravine
