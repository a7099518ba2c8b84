// Every schedule.
#pragma once

#include <variant>

#include "rules/schedules/bold_driver.h"
#include "rules/schedules/constant.h"
#include "rules/schedules/cosine.h"
#include "rules/schedules/cosine_restarts.h"
#include "rules/schedules/counter_cycle.h"
#include "rules/schedules/exponential_decay.h"
#include "rules/schedules/inverse_decay.h"
#include "rules/schedules/linear_ramp.h"
#include "rules/schedules/multi_step.h"
#include "rules/schedules/on_plateau.h"
#include "rules/schedules/one_cycle.h"
#include "rules/schedules/polynomial_decay.h"
#include "rules/schedules/step_decay.h"

namespace ravine {

using ScheduleRules =
    std::variant<ConstantSchedule, StepDecay, MultiStep, InverseDecay, ExponentialDecay, PolynomialDecay,
                 CosineAnnealing, CosineRestarts, OneCycle, CounterCycle, LinearRamp, OnPlateau, BoldDriver>;

}  // namespace ravine
