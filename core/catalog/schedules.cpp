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
      {Kind::schedule, "constant", "The same value all the time.", "eta_t = eta_0", "lecture L1", {}, "no"},
      {Kind::schedule,
       "step_decay",
       "Times a factor after every period.",
       "eta_t = eta_0 factor^floor(t / period)",
       "lecture L1",
       {positive("period", 10.0, "time between two changes"),
        share("factor", 0.1, "what the value is multiplied with", true)},
       "no"},
      {Kind::schedule,
       "multi_step",
       "Times a factor at chosen times.",
       "eta_t = eta_0 factor^(milestones reached)",
       "K. He et al., CVPR 2016, section 4.2",
       {{.name = "milestones",
         .type = Type::numbers,
         .range = {.low = 0, .low_included = false},
         .help = "times of the changes, in order"},
        share("factor", 0.1, "what the value is multiplied with", true)},
       "no"},
      {Kind::schedule,
       "inverse_decay",
       "Falls with the inverse of time.",
       "eta_t = eta_0 / (1 + decay t)^power",
       "H. Robbins, S. Monro, 1951; lecture L1",
       {at_least_zero("decay", 0.01, "how fast epsilon it falls"),
        positive("power", 1.0, "1 in L1; up to 1/2 the squares' sum is infinite")},
       "yes if decay > 0 and 1/2 < power <= 1, otherwise no"},
      {Kind::schedule,
       "exponential_decay",
       "Falls by the same share in equal times.",
       "eta_t = eta_0 e^(-decay t)",
       "lecture L1",
       {at_least_zero("decay", 0.01, "how fast epsilon it falls")},
       "no"},
      {Kind::schedule,
       "polynomial_decay",
       "Falls along a power of the time that is left; a line for power 1.",
       "eta_t = minimum + (eta_0 - minimum) (1 - t / T)^power",
       "L.-C. Chen et al., DeepLab, 2017, section 4.1",
       {duration(), positive("power", 1.0, "1 is a line"), minimum()},
       "no"},
      {Kind::schedule,
       "cosine",
       "Falls along half a cosine.",
       "eta_t = minimum + (eta_0 - minimum) (1 + cos(pi t / T)) / 2",
       "I. Loshchilov, F. Hutter, SGDR, ICLR 2017",
       {duration(), minimum()},
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
       "no"},
      {Kind::schedule, "one_cycle", "Up to a large value and down to a tiny one, in one cycle over the run.",
       "eta_0 max / div -> eta_0 max -> eta_0 max / (div final_div)",
       "L. Smith, N. Topin, Super-convergence, 2018",
       cycle({positive("max_factor", 1.0, "the peak, as a multiple of the base value"),
              positive("div_factor", 25.0, "the peak divided by the start value"),
              positive("final_div_factor", 1e4, "the start value divided by the end value")}),
       "no"},
      {Kind::schedule, "counter_cycle",
       "Down and up again while the learning rate makes its one cycle; for momentum.",
       "m_0 -> minimum -> m_0", "L. Smith, A disciplined approach to neural network hyper-parameters, 2018",
       cycle({at_least_zero("minimum", 0.85, "the value at the turn")}), "no"},
      {Kind::schedule,
       "linear_ramp",
       "A line from a start value to the base value: momentum's 0.5 to 0.9 in L1.",
       "eta_t = start + (eta_0 - start) t / T",
       "lecture L1",
       {at_least_zero("start", 0.5, "the value at time 0"), duration()},
       "no"},
      {Kind::schedule,
       "on_plateau",
       "Times a factor when the validation metric has not become better for a while.",
       "eta <- max(factor eta, minimum) after more than `patience` evaluations without a change of "
       "`threshold`",
       "lectures L1, L3; PyTorch's ReduceLROnPlateau",
       {choice("metric", {"loss", "accuracy"}, "of the validation samples"),
        share("factor", 0.1, "what the value is multiplied with", false),
        count("patience", 10, "evaluations without improvement that are borne"),
        at_least_zero("threshold", 1e-4, "change that counts as an improvement"),
        choice("threshold_mode", {"relative", "absolute"}, "what the threshold is measured by"),
        count("cooldown", 0, "evaluations after a change in which none is counted"),
        at_least_zero("minimum", 0.0, "the lowest value")},
       "depends on the run"},
      {Kind::schedule,
       "bold_driver",
       "Up a little after an epoch that lowered the training loss, down much after one that raised it.",
       "eta <- increase eta where the loss fell, eta <- decrease eta where it rose",
       "lecture L3; R. Battiti, Complex Systems 3, 1989",
       {{.name = "increase",
         .default_value = 1.05,
         .range = {.low = 1},
         .help = "factor after a fall of the loss"},
        share("decrease", 0.5, "factor after a rise of the loss", false),
        at_least_zero("minimum", 0.0, "the lowest value")},
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
