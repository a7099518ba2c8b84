#include "catalog/catalog.h"

namespace ravine::catalog {
namespace {

Parameter positive(std::string name, double value, std::string help) {
  return {.name = std::move(name),
          .default_value = value,
          .range = {.low = 0, .low_included = false},
          .help = std::move(help)};
}

Parameter at_least_zero(std::string name, double value, std::string help) {
  return {.name = std::move(name), .default_value = value, .range = {.low = 0}, .help = std::move(help)};
}

Parameter share(std::string name, double value, std::string help, bool one_included) {
  return {.name = std::move(name),
          .default_value = value,
          .range = {.low = 0, .high = 1, .low_included = false, .high_included = one_included},
          .help = std::move(help)};
}

Parameter choice(std::string name, std::vector<std::string> choices, std::string help) {
  return {.name = std::move(name),
          .type = Type::choice,
          .default_value = choices.front(),
          .choices = choices,
          .help = std::move(help)};
}

Parameter count(std::string name, std::int64_t value, std::string help) {
  return {.name = std::move(name),
          .type = Type::integer,
          .default_value = value,
          .range = {.low = 0, .high = 1e9},
          .help = std::move(help)};
}

Parameter duration() {
  return at_least_zero("duration", 0.0, "time T that it takes, after the warm-up; 0: to the end of the run");
}

Parameter minimum() { return at_least_zero("minimum", 0.0, "the value at the end"); }

// Those of a cycle, for the learning rate and for momentum alike.
std::vector<Parameter> cycle(std::vector<Parameter> own) {
  own.push_back(duration());
  own.push_back(share("rise", 0.3, "share of the time until the turn", false));
  own.push_back(choice("anneal", {"cosine", "linear"}, "the way between two values"));
  own.push_back({.name = "three_phases",
                 .type = Type::boolean,
                 .default_value = false,
                 .help = "back to the start value in the time of the rise, then on"});
  return own;
}

}  // namespace

std::vector<Entry> schedule_entries() {
  std::vector<Entry> entries = {
      {Kind::schedule,
       "constant",
       "The same value all the time.",
       "eta_t = eta_0",
       "B. Widrow, M. Hoff, Adaptive switching circuits, 1960",
       {},
       {.slides = "L1 'Learning rate schedules'; L4 'Learning Rate', 'How to deal with this?'",
        .without = "It is what all others are measured by. With mini-batches the weights end up jittering "
                   "about the minimum, at a distance that grows with the rate.",
        .example = R"(>>> schedule = ravine.schedules.Constant()
>>> ravine.lab.schedule_values(schedule, 0.1, 3, 1).round(4)
array([0.1, 0.1, 0.1]))"},
       "no"},
      {Kind::schedule,
       "step_decay",
       "Times a factor after every period.",
       "eta_t = eta_0 factor^floor(t / period)",
       "Y. LeCun et al., Efficient BackProp, 1998",
       {positive("period", 10.0, "time between two changes"),
        share("factor", 0.1, "what the value is multiplied with", true)},
       {.slides = "L1 'Learning rate schedules', 'In practice'",
        .without = "A rate that is large enough to get near the minimum is too large to come to rest there. "
                   "Period and factor have to be guessed; too early a fall wastes the large rate.",
        .erratum = "L1 sets Robbins and Monro's conditions beside its schedules. Step and exponential decay "
                   "miss the first: their rates have a finite sum, so that a run may stop short of a minimum "
                   "that is far away.",
        .example = R"(>>> schedule = ravine.schedules.StepDecay(period=2.0, factor=0.1, unit="step")
>>> ravine.lab.schedule_values(schedule, 0.1, 6, 1).round(4)
array([0.1  , 0.1  , 0.01 , 0.01 , 0.001, 0.001]))"},
       "no"},
      {Kind::schedule,
       "multi_step",
       "Times a factor at chosen times.",
       "eta_t = eta_0 factor^(milestones reached)",
       "K. He et al., CVPR 2016, section 4.2",
       {{.name = "milestones",
         .type = Type::numbers,
         .range = {.low = 0, .low_included = false},
         .help = "times of the changes, in order",
         .growing = true},
        share("factor", 0.1, "what the value is multiplied with", true)},
       {.slides = "extends L1 'Learning rate schedules'",
        .without = "Falls at equal distances suit no run that is fast at first and slow later. The "
                   "milestones come from earlier runs.",
        .example = R"(>>> schedule = ravine.schedules.MultiStep([1.0, 4.0], factor=0.5, unit="step")
>>> ravine.lab.schedule_values(schedule, 0.1, 6, 1).round(4)
array([0.1  , 0.05 , 0.05 , 0.05 , 0.025, 0.025]))"},
       "no"},
      {Kind::schedule,
       "inverse_decay",
       "Falls with the inverse of time.",
       "eta_t = eta_0 / (1 + decay t)^power",
       "H. Robbins, S. Monro, 1951",
       {at_least_zero("decay", 0.01, "how fast epsilon it falls"),
        positive("power", 1.0, "1 in L1; up to 1/2 the squares' sum is infinite")},
       {.slides = "L1 'Learning rate schedules', 'Convergence'",
        .without =
            "No other schedule here satisfies both conditions of the theorem that stochastic gradient "
            "descent converges. It promises nothing of speed: in practice it falls too early or too late.",
        .example = R"(>>> schedule = ravine.schedules.InverseDecay(decay=1.0, unit="step")
>>> ravine.lab.schedule_values(schedule, 0.1, 4, 1).round(4)
array([0.1   , 0.05  , 0.0333, 0.025 ]))"},
       "yes if decay > 0 and 1/2 < power <= 1, otherwise no"},
      {Kind::schedule,
       "exponential_decay",
       "Falls by the same share in equal times.",
       "eta_t = eta_0 e^(-decay t)",
       "L. Bottou, Stochastic gradient descent tricks, 2012",
       {at_least_zero("decay", 0.01, "how fast epsilon it falls")},
       {.slides = "L1 'Learning rate schedules'",
        .without = "As without step_decay, whose jumps it smooths. A decay that is too fast freezes the run.",
        .erratum = "As with step_decay: its rates have a finite sum, against Robbins and Monro's first "
                   "condition on L1's 'Convergence'.",
        .example = R"(>>> schedule = ravine.schedules.ExponentialDecay(decay=0.5, unit="step")
>>> ravine.lab.schedule_values(schedule, 0.1, 4, 1).round(4)
array([0.1   , 0.0607, 0.0368, 0.0223]))"},
       "no"},
      {Kind::schedule,
       "polynomial_decay",
       "Falls along a power of the time that is left; a line for power 1.",
       "eta_t = minimum + (eta_0 - minimum) (1 - t / T)^power",
       "L.-C. Chen et al., DeepLab, 2017, section 4.1",
       {duration(), positive("power", 1.0, "1 is a line"), minimum()},
       {.slides = "extends L1 'Learning rate schedules'",
        .without = "Decays that never end leave a rate above 0 at the end of a run of known length; this one "
                   "arrives. The length must be known, and a longer run is another run from the start.",
        .example = R"(>>> schedule = ravine.schedules.PolynomialDecay(duration=4.0, unit="step")
>>> ravine.lab.schedule_values(schedule, 0.1, 5, 1).round(4)
array([0.1  , 0.075, 0.05 , 0.025, 0.   ]))"},
       "no"},
      {Kind::schedule,
       "cosine",
       "Falls along half a cosine.",
       "eta_t = minimum + (eta_0 - minimum) (1 + cos(pi t / T)) / 2",
       "I. Loshchilov, F. Hutter, SGDR, ICLR 2017",
       {duration(), minimum()},
       {.slides = "extends L1 'Learning rate schedules'",
        .without = "As without polynomial_decay; the large rate is kept for longer, and the fall is gentle "
                   "at both ends. It has one number to choose, the length.",
        .example = R"(>>> schedule = ravine.schedules.Cosine(duration=4.0, unit="step")
>>> ravine.lab.schedule_values(schedule, 0.1, 5, 1).round(4)
array([0.1   , 0.0854, 0.05  , 0.0146, 0.    ]))"},
       "no"},
      {Kind::schedule,
       "cosine_restarts",
       "Falls along half a cosine and starts anew, each time for longer.",
       "eta_t = minimum + (eta_0 - minimum) (1 + cos(pi T_cur / T_i)) / 2, T_i = period_factor T_(i-1)",
       "I. Loshchilov, F. Hutter, SGDR, ICLR 2017",
       {positive("period", 10.0, "time T_0 to the first restart"),
        {.name = "period_factor",
         .default_value = 1.0,
         .range = {.low = 1},
         .help = "T_mult, how much longer each period is than the one before"},
        at_least_zero("minimum", 0.0, "the value at the end of each period")},
       {.slides = "extends L1 'Learning rate schedules'",
        .without =
            "A run that has settled stays in its valley; each restart gives it the speed to leave, and the "
            "ends of periods give several networks to choose from. The loss jumps up at each restart.",
        .example = R"(>>> schedule = ravine.schedules.CosineRestarts(period=2.0, unit="step")
>>> ravine.lab.schedule_values(schedule, 0.1, 5, 1).round(4)
array([0.1 , 0.05, 0.1 , 0.05, 0.1 ]))"},
       "no"},
      {Kind::schedule,
       "one_cycle",
       "Up to a large value and down to a tiny one, in one cycle over the run.",
       "eta_0 max / div -> eta_0 max -> eta_0 max / (div final_div)",
       "L. Smith, N. Topin, Super-convergence, 2018",
       cycle({positive("max_factor", 1.0, "the peak, as a multiple of the base value"),
              positive("div_factor", 25.0, "the peak divided by the start value"),
              positive("final_div_factor", 1e4, "the start value divided by the end value")}),
       {.slides = "extends L1 'Learning rate schedules'",
        .without = "A rate that is large from the first step can throw a fresh network off; one that is "
                   "small throughout takes many epochs. The peak has to be found by a search, and the run's "
                   "length be fixed.",
        .example =
            R"(>>> schedule = ravine.schedules.OneCycle(max_factor=1.0, rise=0.5, anneal="linear", unit="step")
>>> ravine.lab.schedule_values(schedule, 0.1, 6, 1).round(4)
array([0.004 , 0.052 , 0.1   , 0.0667, 0.0333, 0.    ]))"},
       "no"},
      {Kind::schedule,
       "counter_cycle",
       "Down and up again while the learning rate makes its one cycle; for momentum.",
       "m_0 -> minimum -> m_0",
       "L. Smith, A disciplined approach to neural network hyper-parameters, 2018",
       cycle({at_least_zero("minimum", 0.85, "the value at the turn")}),
       {.slides = "extends L1 'Momentum'",
        .without =
            "In one_cycle the largest rate meets the largest momentum, and the run becomes unstable there.",
        .example =
            R"(>>> schedule = ravine.schedules.CounterCycle(minimum=0.85, rise=0.5, anneal="linear", unit="step")
>>> ravine.lab.schedule_values(schedule, 0.95, 6, 1).round(4)
array([0.95  , 0.9   , 0.85  , 0.8833, 0.9167, 0.95  ]))"},
       "no"},
      {Kind::schedule,
       "linear_ramp",
       "A line from a start value to the base value: momentum's 0.5 to 0.9 in L1.",
       "eta_t = start + (eta_0 - start) t / T",
       "G. Hinton, A practical guide to training restricted Boltzmann machines, 2010; I. Sutskever et al., "
       "ICML 2013",
       {at_least_zero("start", 0.5, "the value at time 0"), duration()},
       {.slides = "L1 'Momentum'",
        .without = "With momentum 0.9 from the start, the large and changing gradients of the first steps "
                   "add up and overshoot.",
        .example = R"(>>> schedule = ravine.schedules.LinearRamp(start=0.5, duration=4.0, unit="step")
>>> ravine.lab.schedule_values(schedule, 0.9, 5, 1).round(4)
array([0.5, 0.6, 0.7, 0.8, 0.9]))"},
       "no"},
      {Kind::schedule,
       "on_plateau",
       "Times a factor when the validation metric has not become better for a while.",
       "eta <- max(factor eta, minimum) after more than `patience` evaluations without a change of "
       "`threshold`",
       "PyTorch's ReduceLROnPlateau",
       {choice("metric", {"loss", "accuracy"}, "of the validation samples"),
        share("factor", 0.1, "what the value is multiplied with", false),
        count("patience", 10, "evaluations without improvement that are borne"),
        at_least_zero("threshold", 1e-4, "change that counts as an improvement"),
        choice("threshold_mode", {"relative", "absolute"}, "what the threshold is measured by"),
        count("cooldown", 0, "evaluations after a change in which none is counted"),
        at_least_zero("minimum", 0.0, "the lowest value")},
       {.slides = "L1 'Learning rate schedules'; L3 'Other Gradient-based Optimizers'",
        .without =
            "Fixed times of change are guesses; here the run says itself when a rate has done its work. It "
            "needs validation samples, whose noise it may take for a plateau: hence patience.",
        .erratum = "L1 waits until the validation loss has stopped falling, L3 until the objective changes "
                   "by less than a threshold: metric, threshold and patience are settings.",
        .example = R"(>>> line = ravine.Sequential(ravine.layers.Dense(1, use_bias=False))
>>> trainer = ravine.Trainer(line, optimizer="gradient_descent", loss="squared_error",
...     schedules={"learning_rate": ravine.schedules.OnPlateau(patience=1)})
>>> _ = trainer.fit([[1.0]], [1.0], epochs=4, validation=([[0.0]], [1.0]))  # this loss cannot fall
>>> round(trainer.optimizer.settings["learning_rate"], 6)
0.001)"},
       "depends on the run"},
      {Kind::schedule,
       "bold_driver",
       "Up a little after an epoch that lowered the training loss, down much after one that raised it.",
       "eta <- increase eta where the loss fell, eta <- decrease eta where it rose",
       "R. Battiti, Complex Systems 3, 1989",
       {{.name = "increase",
         .default_value = 1.05,
         .range = {.low = 1},
         .help = "factor after a fall of the loss"},
        share("decrease", 0.5, "factor after a rise of the loss", false),
        at_least_zero("minimum", 0.0, "the lowest value")},
       {.slides = "L3 'Learning rate'",
        .without = "One rate for the whole run is too small for its gentle stretches or too large for its "
                   "steep ones. It judges by the training loss, so that noise slows it down; without noise "
                   "it finds the edge of stability.",
        .example = R"(>>> line = ravine.Sequential(ravine.layers.Dense(1, use_bias=False))
>>> trainer = ravine.Trainer(line, optimizer="gradient_descent", loss="squared_error",
...     schedules={"learning_rate": ravine.schedules.BoldDriver(increase=2.0)})
>>> _ = trainer.fit([[1.0]], [1.0], epochs=4)  # the loss falls from epoch to epoch
>>> round(trainer.optimizer.settings["learning_rate"], 6)
0.04)"},
       "depends on the run"},
  };
  for (Entry& entry : entries) {
    entry.parameters.push_back(choice("unit", {"epoch", "step"}, "unit of all times"));
    entry.parameters.push_back(
        at_least_zero("warmup", 0.0, "time in which the value first rises in a line to its start"));
    entry.parameters.push_back({.name = "warmup_start",
                                .default_value = 0.1,
                                .range = {.low = 0, .high = 1},
                                .help = "share of the start value with which the warm-up begins"});
  }
  return entries;
}

}  // namespace ravine::catalog
