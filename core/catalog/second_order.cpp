// Optimizers that know of curvature: they compare the loss, or gradients, at several points in a step.
#include "catalog/catalog.h"
#include "catalog/optimizer_parameters.h"

namespace ravine::catalog {
namespace {

Parameter damping(std::string help) {
  return {.name = "damping",
          .default_value = 0.0,
          .range = {.low = 0},
          .help = std::move(help),
          .reason = "a negative damping turns curvature into its opposite"};
}

Parameter tolerance() {
  return {.name = "tolerance",
          .default_value = 1e-7,
          .range = {.low = 0},
          .help = "no step is made where no element of the gradient is larger"};
}

Parameter line_search() {
  return {.name = "line_search",
          .type = Type::choice,
          .default_value = std::string("strong_wolfe"),
          .choices = {"strong_wolfe", "none"},
          .help =
              "strong_wolfe: until the loss has fallen (c1 = 0.0001) and its slope is flatter (c2 = 0.9); "
              "none: eta is the step"};
}

Parameter trials() {
  return {.name = "trials",
          .type = Type::integer,
          .default_value = std::int64_t{25},
          .range = {.low = 1, .high = 1000},
          .help = "of the line search, at most; each is one gradient, after a first one"};
}

Entry of_several_gradients(Entry entry) {
  entry.closure = true;
  return entry;
}

}  // namespace

std::vector<Entry> second_order_entries() {
  return {
      of_several_gradients(
          {Kind::optimizer,
           "newton",
           "The step to the minimum of the parabola that fits best here, or each weight's own optimal rate; "
           "for "
           "few parameters, since it computes two gradients for each in every step.",
           "theta <- theta - eta (H + damping I)^-1 g, or theta_i <- theta_i - eta g_i / (d2J/dtheta_i2 + "
           "damping)",
           "J. Nocedal, S. Wright, Numerical Optimization, 2006, section 3.3; Y. LeCun et al., Efficient "
           "BackProp, 1998",
           {learning_rate(1.0, "share eta of the step; 1 reaches the minimum of a parabola at once"),
            {.name = "form",
             .type = Type::choice,
             .default_value = std::string("full"),
             .choices = {"full", "diagonal"},
             .help = "full: the matrix of all second derivatives, n x n; diagonal: each weight's own rate "
                     "eta* = (d2J/dw2)^-1, as if the others stood still"},
            damping("added to every curvature; a little (0.001) where the matrix has no inverse, more, "
                    "beyond their size, where curvatures are negative: saddles attract without it")},
           {.slides = "L1 'Second order optimization methods in practice'; L3 'Second-order optimization "
                      "methods', 'Learning rate'",
            .without =
                "Along a narrow valley gradient descent needs a number of steps that grows with the ratio of "
                "the largest to the smallest curvature; Newton's method needs one for any parabola. But it "
                "goes "
                "to wherever the gradient is zero, and is attracted by saddles and maxima, of which networks "
                "have many: without damping, or a line search as in newton_cg and lbfgs, the loss may rise.",
            .erratum =
                "L1 writes H^-1 eta_t g_t, L3 H^-1 grad f with eta = 1: eta is a setting, 1 by default. L3's "
                "optimal rate (d2J/dw2)^-1 is meant in one dimension; for all weights at once, the diagonal "
                "form, it overshoots where weights work together.",
            .example = R"(>>> line = ravine.layers.Dense(1)
>>> newton = ravine.optimizers.Newton()
>>> trainer = ravine.Trainer(ravine.Sequential(line), loss="squared_error", optimizer=newton,
...                          batch_size="all", dtype="float64")
>>> _ = trainer.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], epochs=1)  # 2 x + 1, in one step
>>> trainer.network.flat_parameters.round(6)
array([2., 1.]))"}}),
      of_several_gradients(
          {Kind::optimizer,
           "newton_cg",
           "Newton's method without its matrix: conjugate gradients solve for the step, as far as it pays, "
           "and "
           "turn aside from saddles.",
           "theta <- theta + t z, (H + damping I) z = -g up to |r| < min(1/2, sqrt|g|) |g|, t by line search",
           "J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 7.1; R. Dembo, T. Steihaug, "
           "Mathematical Programming 26, 1983",
           {learning_rate(1.0, "step eta that is tried first"),
            damping("added to every curvature"),
            {.name = "cg_steps",
             .type = Type::integer,
             .default_value = std::int64_t{50},
             .range = {.low = 1, .high = 100000},
             .help = "conjugate gradients in a step, at most; each is two gradients"},
            line_search(),
            trials(),
            tolerance()},
           {.slides = "extends L1 'Second order optimization methods in practice'; L3 'Second-order "
                      "optimization methods'",
            .without =
                "Newton's matrix has as many rows as there are parameters and cannot be stored for a network "
                "of any size; products with vectors need no matrix. Where curvature is negative the step of "
                "Newton's method climbs; here it stops at what it has, and the line search sees to it that "
                "the loss falls.",
            .example =
                R"(>>> network = ravine.Sequential(ravine.layers.Dense(4, activation="tanh"), ravine.layers.Dense(1))
>>> x = np.linspace(-2, 2, 20)[:, None]
>>> trainer = ravine.Trainer(network, loss="squared_error", optimizer="newton_cg", batch_size="all", dtype="float64")
>>> history = trainer.fit(x, np.sin(x), epochs=30)
>>> bool(history["loss"][-1] < 0.001)
True)"}}),
      of_several_gradients(
          {Kind::optimizer,
           "lbfgs",
           "Learns the curvature from the last few steps and the changes of the gradient along them: the "
           "choice "
           "for the gradient of all samples.",
           "theta <- theta - t H_m g, H_m from pairs s = change of theta, y = change of g; t by line search",
           "D. Liu, J. Nocedal, Mathematical Programming 45, 1989; J. Nocedal, S. Wright, Numerical "
           "Optimization, 2006, algorithms 3.5, 3.6, 7.4, 7.5",
           {learning_rate(1.0, "step eta that is tried first; the very first is eta min(1, 1 / |g|_1)"),
            {.name = "history",
             .type = Type::integer,
             .default_value = std::int64_t{10},
             .range = {.low = 1, .high = 1000},
             .help = "pairs m that are kept, two vectors of 8 bytes a parameter each"},
            line_search(),
            trials(),
            tolerance(),
            {.name = "least_descent",
             .default_value = 1e-9,
             .range = {.low = 0},
             .help =
                 "no step is made where a whole one would lower the loss by less, by the slope; the default "
                 "ends about 1e-9 above the minimum"}},
           {.slides = "L1 'Second order optimization methods in practice'",
            .without =
                "Gradient descent on all samples takes thousands of steps where curvatures differ; Newton's "
                "method needs a matrix that does not fit. L-BFGS takes a few vectors. With small batches the "
                "changes of the gradient are noise and the curvature nonsense, which is why it wants all "
                "samples; where these are many, Adam on small batches is far ahead by the first full "
                "gradient.",
            .example =
                R"(>>> network = ravine.Sequential(ravine.layers.Dense(4, activation="tanh"), ravine.layers.Dense(1))
>>> x = np.linspace(-2, 2, 20)[:, None]
>>> trainer = ravine.Trainer(network, loss="squared_error", optimizer="lbfgs", batch_size="all")
>>> history = trainer.fit(x, np.sin(x), epochs=50)
>>> bool(history["loss"][-1] < 0.001)
True)"}}),
  };
}

}  // namespace ravine::catalog
