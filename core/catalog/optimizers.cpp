#include "catalog/catalog.h"

namespace ravine::catalog {
namespace {

Parameter learning_rate(double value, std::string help = "step size eta") {
  return {.name = "learning_rate",
          .default_value = value,
          .range = {.low = 0},
          .help = std::move(help),
          .reason = "a negative rate climbs"};
}

Parameter fraction(std::string name, double value, std::string help) {
  return {.name = std::move(name),
          .default_value = value,
          .range = {.low = 0, .high = 1, .high_included = false},
          .help = std::move(help),
          .reason = "at 1 the running average takes in nothing new"};
}

Parameter momentum() {
  return {.name = "momentum",
          .default_value = 0.9,
          .range = {.low = 0, .high = 1, .high_included = false},
          .help = "share gamma of the last step that is kept; L1 lets it grow from 0.5 to 0.9",
          .reason = "at 1 no step is ever forgotten and their sum grows without bound"};
}

Parameter positive(std::string name, double value, std::string help) {
  return {.name = std::move(name),
          .default_value = value,
          .range = {.low = 0, .low_included = false},
          .help = std::move(help)};
}

Parameter epsilon(double value) { return positive("epsilon", value, "keeps the division finite"); }

Parameter epsilon_position(const char* value, std::string help) {
  return {.name = "epsilon_position",
          .type = Type::choice,
          .default_value = std::string(value),
          .choices = {"inside", "outside"},
          .help = std::move(help)};
}

Parameter correction(std::vector<std::string> choices, std::string help) {
  return {.name = "correction",
          .type = Type::choice,
          .default_value = std::string("standard"),
          .choices = std::move(choices),
          .help = std::move(help)};
}

Parameter beta1(double value = 0.9) { return fraction("beta1", value, "decay of the first moment m"); }
Parameter beta2(double value = 0.999) { return fraction("beta2", value, "decay of the second moment v"); }

// For the gradient of all samples: the trainer warns when batches are smaller.
Entry of_full_batch(Entry entry) {
  entry.full_batch = true;
  return entry;
}

}  // namespace

std::vector<Entry> optimizer_entries() {
  return {
      {Kind::optimizer,
       "gradient_descent",
       "A step against the gradient: of one sample, of a mini-batch, or of all samples.",
       "theta <- theta - eta g",
       "A. Cauchy, 1847; H. Robbins, S. Monro, 1951; lectures L0, L1, L2, L4",
       {learning_rate(0.01)}},
      of_full_batch(
          {Kind::optimizer,
           "sign_descent",
           "The same distance along every axis, whatever the gradient's size; for the gradient of all "
           "samples.",
           "theta <- theta - eta sign(g)",
           "lecture L2, Adaptive Learning Rate Methods; J. Bernstein et al., ICML 2018",
           {learning_rate(0.001)}}),
      {Kind::optimizer,
       "momentum",
       "Steps along a running sum of gradients, the heavy ball: faster along a valley, calmer across it.",
       "v <- gamma v + eta g, theta <- theta - v",
       "B. Polyak, 1964; lectures L0, L1, L2, L3, L4",
       {learning_rate(0.01),
        momentum(),
        {.name = "damped",
         .type = Type::boolean,
         .default_value = false,
         .help = "L3's form: the new gradient is weighted with 1 - gamma"}}},
      {Kind::optimizer,
       "nesterov",
       "Momentum whose gradient is taken where the momentum is about to lead.",
       "v <- gamma v + eta grad J(theta - gamma v), theta <- theta - v",
       "Y. Nesterov, 1983; I. Sutskever et al., ICML 2013; lectures L0, L1, L4",
       {learning_rate(0.01), momentum()}},
      {Kind::optimizer,
       "adagrad",
       "Smaller steps where gradients were large or frequent, for sparse data; all shrink for ever.",
       "G <- G + g^2, theta <- theta - eta g / sqrt(G + epsilon)",
       "J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011; lectures L0, L1, L3, L4, Adagrad",
       {learning_rate(0.01),
        epsilon(1e-8),
        epsilon_position("inside", "sqrt(G + epsilon), L1, L3, L4; outside: sqrt(G) + epsilon, the paper"),
        {.name = "root",
         .type = Type::boolean,
         .default_value = true,
         .help = "false divides by G + epsilon itself, which performs much worse (L3)"}}},
      {Kind::optimizer,
       "adadelta",
       "Steps in the units of the weights: the gradient over its running size, times the running size of the "
       "steps.",
       "dtheta = -RMS[dtheta] / RMS[g] g, RMS[x] = sqrt(E[x^2] + epsilon)",
       "M. Zeiler, arXiv 1212.5701, 2012; lectures L0, L3, L4, Adadelta",
       {learning_rate(
            1.0,
            "1 is the lectures' final form, which has no learning rate; eta of the preliminary form, "
            "where 0.001 fits"),
        fraction("decay", 0.9, "gamma of both running averages"),
        epsilon(1e-6),
        {.name = "form",
         .type = Type::choice,
         .default_value = std::string("final"),
         .choices = {"final", "preliminary"},
         .help = "preliminary: -eta / RMS[g] g, before the units are corrected (L3, L4)"}}},
      {Kind::optimizer,
       "adadelta_window",
       "Adagrad over the last few gradients only, the idea before Adadelta's running average.",
       "G = g_t^2 + ... + g_(t-w+1)^2, theta <- theta - eta g / sqrt(G + epsilon)",
       "M. Zeiler, arXiv 1212.5701, 2012, section 3.1; lecture L0, Adadelta - Accumulate over window; L3, L4",
       {learning_rate(0.01),
        epsilon(1e-8),
        {.name = "window",
         .type = Type::integer,
         .default_value = std::int64_t{2},
         .range = {.low = 1, .high = 4},
         .help = "gradients w that count, this one too; three earlier ones are kept in memory"}}},
      {Kind::optimizer,
       "rmsprop",
       "The gradient over its running size: large gradients are tamed, small ones on a plateau count more.",
       "r <- alpha r + (1 - alpha) g^2, theta <- theta - eta g / sqrt(r + epsilon)",
       "G. Hinton, lecture 6e, 2012; lectures L0, L1, L2, L3 (its slide drops the factor g), L4, RMSprop",
       {learning_rate(0.001, "step size eta; 0.001 (L0, L3), or 0.01 with epsilon 1e-6 (L2)"),
        fraction("decay", 0.9, "alpha of the running average"), epsilon(1e-8),
        epsilon_position("inside",
                         "sqrt(r + epsilon), the lectures; outside: sqrt(r) + epsilon, most libraries")}},
      {Kind::optimizer,
       "adam",
       "A step for each weight: the gradient's running mean over its running size. A good first choice.",
       "theta <- theta - eta m_hat / (sqrt(v_hat) + epsilon)",
       "D. Kingma, J. Ba, ICLR 2015, algorithm 1; lectures L0, L1, L2, L3, L4, Adam",
       {learning_rate(0.001, "step size eta; 0.001, or L2's 0.01 with beta2 0.99 and epsilon 1e-7"), beta1(),
        beta2(), epsilon(1e-8),
        correction(
            {"standard", "constant", "none"},
            "m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t); constant: 1 - beta at every step (L2); "
            "none: m and v, with first steps 3 times too long at the default decays"),
        epsilon_position("outside", "sqrt(v_hat) + epsilon; inside: sqrt(v_hat + epsilon), L4's table")}},
      {Kind::optimizer,
       "adamw",
       "Adam with weight decay apart from the gradient, so that every weight decays at the same rate.",
       "theta <- theta - eta (m_hat / (sqrt(v_hat) + epsilon) + lambda theta)",
       "I. Loshchilov, F. Hutter, ICLR 2019, algorithm 2; extends the Adam of lectures L0 to L4",
       {learning_rate(0.001),
        beta1(),
        beta2(),
        epsilon(1e-8),
        {.name = "weight_decay",
         .default_value = 0.01,
         .range = {.low = 0},
         .help = "lambda, for weights but not for biases"}}},
      {Kind::optimizer,
       "adamax",
       "Adam with the largest recent gradient in the place of the mean square.",
       "u <- max(beta2 u, |g| + epsilon), theta <- theta - eta m_hat / u",
       "D. Kingma, J. Ba, ICLR 2015, algorithm 2; lecture L0, Adamax",
       {learning_rate(0.002), beta1(), fraction("beta2", 0.999, "decay of the largest gradient u"),
        positive("epsilon", 1e-8,
                 "keeps the division finite for weights without a gradient; 0 in the paper")}},
      {Kind::optimizer,
       "nadam",
       "Adam whose momentum looks ahead as Nesterov's does.",
       "theta <- theta - eta (mu_(t+1) m_hat + (1 - mu_t) g_hat) / (sqrt(v_hat) + epsilon)",
       "T. Dozat, ICLR workshop, 2016; extends the Adam of lectures L0 to L4",
       {learning_rate(0.002),
        beta1(),
        beta2(),
        epsilon(1e-8),
        {.name = "ramp",
         .type = Type::boolean,
         .default_value = true,
         .help = "mu_t = beta1 (1 - 0.96^(psi t) / 2), which grows; false: mu_t = beta1"},
        {.name = "momentum_decay", .default_value = 0.004, .range = {.low = 0}, .help = "psi of the ramp"}}},
      {Kind::optimizer,
       "amsgrad",
       "Adam with the largest second moment so far: rare large gradients are not forgotten.",
       "v_max <- max(v_max, v), theta <- theta - eta m_hat / (sqrt(v_max_hat) + epsilon)",
       "S. Reddi, S. Kale, S. Kumar, ICLR 2018, algorithm 2; extends the Adam of lectures L0 to L4",
       {learning_rate(0.001), beta1(), beta2(), epsilon(1e-8),
        correction({"standard", "none"}, "m_hat and v_max_hat as in Adam; none: the paper's m and v_max")}},
      {Kind::optimizer,
       "radam",
       "Adam that warms up by itself: it adapts only as far as the second moment can be trusted.",
       "theta <- theta - eta r_t sqrt(1 - beta2^t) m_hat / (sqrt(v) + epsilon) once rho_t > 5, else - eta "
       "m_hat",
       "L. Liu et al., ICLR 2020, algorithm 2; extends the Adam of lectures L0 to L4",
       {learning_rate(0.001), beta1(), beta2(), epsilon(1e-8)}},
      {Kind::optimizer,
       "lion",
       "The sign of a momentum: steps of one length, with half of Adam's memory.",
       "theta <- theta - eta (sign(beta1 m + (1 - beta1) g) + lambda theta), m <- beta2 m + (1 - beta2) g",
       "X. Chen et al., NeurIPS 2023, algorithm 2; extends lecture L2's sign of the gradient",
       {learning_rate(0.0001),
        fraction("beta1", 0.9, "share of m in the direction"),
        fraction("beta2", 0.99, "decay of m"),
        {.name = "weight_decay",
         .default_value = 0.0,
         .range = {.low = 0},
         .help = "lambda, for weights but not for biases"}}},
      of_full_batch(
          {Kind::optimizer,
           "rprop",
           "A step size for each weight that grows while the gradient keeps its sign and shrinks where it "
           "turns; for the gradient of all samples.",
           "d <- increase d or decrease d, theta <- theta - sign(g) d",
           "M. Riedmiller, H. Braun, ICNN 1993; C. Igel, M. Huesken, 2000, iRprop-; lecture L3, Learning "
           "rate",
           {positive("initial_step", 0.01, "step size d at first; the paper's is 0.1"),
            {.name = "decrease",
             .default_value = 0.5,
             .range = {.low = 0, .high = 1, .low_included = false},
             .help = "factor where the sign turns"},
            {.name = "increase",
             .default_value = 1.2,
             .range = {.low = 1},
             .help = "factor while the sign stays"},
            positive("smallest_step", 1e-6, "d is at least this"),
            positive("largest_step", 50, "d is at most this")}}),
      of_full_batch(
          {Kind::optimizer,
           "delta_bar_delta",
           "A learning rate for each weight: up by a little while the direction is steady, down by a share "
           "where it oscillates; for the gradient of all samples.",
           "r <- r + kappa or (1 - phi) r, theta <- theta - eta r g",
           "R. Jacobs, Neural Networks 1, 1988; lecture L3, Learning rate",
           {learning_rate(0.01, "every weight's rate at first, eta"),
            {.name = "increase",
             .default_value = 0.05,
             .range = {.low = 0},
             .help = "kappa, as a share of eta"},
            {.name = "decrease",
             .default_value = 0.1,
             .range = {.low = 0, .high = 1},
             .help = "phi, as a share of the weight's rate"},
            fraction("decay", 0.7, "of the running average of gradients that says the direction")}}),
  };
}

}  // namespace ravine::catalog
