// Optimizers that divide the gradient of each weight by a measure of its size.
#include "catalog/catalog.h"
#include "catalog/optimizer_parameters.h"

namespace ravine::catalog {

std::vector<Entry> adaptive_optimizer_entries() {
  return {
      {Kind::optimizer,
       "adagrad",
       "Smaller steps where gradients were large or frequent, for sparse data; all shrink for ever.",
       "G <- G + g^2, theta <- theta - eta g / sqrt(G + epsilon)",
       "J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011",
       {learning_rate(0.01),
        epsilon(1e-8),
        epsilon_position("inside", "sqrt(G + epsilon), L1, L3, L4; outside: sqrt(G) + epsilon, the paper"),
        {.name = "root",
         .type = Type::boolean,
         .default_value = true,
         .help = "false divides by G + epsilon itself, which performs much worse (L3)"}},
       {.slides = "L0 'Adagrad'; L1 'Adagrad [Duchi2011]'; L3 'Adagrad'; L4 'Adagrad', 'Update equations'",
        .without = "Weights of rare features get a gradient now and then and hardly move at the rate that "
                   "frequent ones can bear. Its own fault: the sum only grows, and the steps shrink until "
                   "nothing is learned any more.",
        .erratum = "L1 says that 'gradients become gradually smaller': the steps do. L3 says that it "
                   "'eliminates the need to manually tune the learning rate', L4 'lesser need', L0 that one "
                   "must 'manually select a global learning rate': eta is there and matters. epsilon is "
                   "under the root in all lectures, beside it in the paper.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Adagrad(0.1), lambda w: [1.0, 100.0], [0.0, 0.0], steps=3).round(4)
array([[ 0.    ,  0.    ],
       [-0.1   , -0.1   ],
       [-0.1707, -0.1707],
       [-0.2284, -0.2284]]))"}},
      {Kind::optimizer,
       "adadelta",
       "Steps in the units of the weights: the gradient over its running size, times the running size of the "
       "steps.",
       "dtheta = -RMS[dtheta] / RMS[g] g, RMS[x] = sqrt(E[x^2] + epsilon)",
       "M. Zeiler, arXiv 1212.5701, 2012",
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
         .help = "preliminary: -eta / RMS[g] g, before the units are corrected (L3, L4)"}},
       {.slides = "L0 'Adadelta', 'Adadelta - Correct units with Hessian approximation'; L3 'Adadelta'; L4 "
                  "'Adadelta', 'Update equations'",
        .without = "Adagrad's steps die out, and every other rule needs a rate that fits the units of "
                   "weights and loss. It starts slowly: the first steps are about sqrt(epsilon), so that "
                   "epsilon is a rate in disguise.",
        .erratum = "L3 drops the factor g in -eta / sqrt(E[g^2] + epsilon), and writes RMS[dtheta^2] for "
                   "RMS[dtheta]. L0's 'Consistent units: Yes' holds only if epsilon is given in the units of "
                   "the squared weights; the page on properties measures that. The lectures' gamma is 0.9, "
                   "the paper's 0.95.",
        .example =
            R"(>>> ravine.lab.descend("adadelta", lambda w: [1.0, 100.0], [0.0, 0.0], steps=1)[-1].round(4)  # sqrt(1e-6 / 0.1)
array([-0.0032, -0.0032]))"}},
      {Kind::optimizer,
       "adadelta_window",
       "Adagrad over the last few gradients only, the idea before Adadelta's running average.",
       "G = g_t^2 + ... + g_(t-w+1)^2, theta <- theta - eta g / sqrt(G + epsilon)",
       "M. Zeiler, arXiv 1212.5701, 2012, section 3.1",
       {learning_rate(0.01),
        epsilon(1e-8),
        {.name = "window",
         .type = Type::integer,
         .default_value = std::int64_t{2},
         .range = {.low = 1, .high = 4},
         .help = "gradients w that count, this one too; three earlier ones are kept in memory"}},
       {.slides = "L0 'Adadelta - Accumulate over window'; L3 'Adadelta'; L4 'Adadelta'",
        .without = "Adagrad never forgets. A window forgets all at once what is older, at the cost of "
                   "keeping each of its gradients; with few of them the steps are noisy. Adadelta's running "
                   "average does both better.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.AdadeltaWindow(0.1, window=2), lambda w: [1.0], [0.0], steps=4)[:, 0].round(4).tolist()  # no longer shorter
[0.0, -0.1, -0.1707, -0.2414, -0.3121])"}},
      {Kind::optimizer,
       "rmsprop",
       "The gradient over its running size: large gradients are tamed, small ones on a plateau count more.",
       "r <- alpha r + (1 - alpha) g^2, theta <- theta - eta g / sqrt(r + epsilon)",
       "G. Hinton, Neural networks for machine learning, lecture 6e, 2012",
       {learning_rate(0.001, "step size eta; 0.001 (L0, L3), or 0.01 with epsilon 1e-6 (L2)"),
        fraction("decay", 0.9, "alpha of the running average"), epsilon(1e-8),
        epsilon_position("inside",
                         "sqrt(r + epsilon), the lectures; outside: sqrt(r) + epsilon, most libraries")},
       {.slides = "L0 'RMSprop'; L1 'RMSprop'; L2 'RMS Prop'; L3 'RMSprop'; L4 'Update equations'",
        .without = "Adagrad's steps die out; gradient descent's are too long where the loss is steep and too "
                   "short on plateaus. Its first steps are too long by 1 / sqrt(1 - alpha), for the average "
                   "begins at 0: Adam corrects that.",
        .erratum = "L3's update drops the factor g: theta - eta / sqrt(E[g^2] + epsilon) would move every "
                   "weight down, whatever its gradient. L2 writes ||grad||^2, the norm of all, where each "
                   "weight has its own square.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Rmsprop(0.1), lambda w: [1.0, 100.0], [0.0, 0.0], steps=1)[-1].round(4)  # 0.1 / sqrt(1 - 0.9)
array([-0.3162, -0.3162]))"}},
      {Kind::optimizer,
       "adam",
       "A step for each weight: the gradient's running mean over its running size. A good first choice.",
       "theta <- theta - eta m_hat / (sqrt(v_hat) + epsilon)",
       "D. Kingma, J. Ba, ICLR 2015, algorithm 1",
       {learning_rate(0.001, "step size eta; 0.001, or L2's 0.01 with beta2 0.99 and epsilon 1e-7"), beta1(),
        beta2(), epsilon(1e-8),
        correction(
            {"standard", "constant", "none"},
            "m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t); constant: 1 - beta at every step (L2); "
            "none: m and v, with first steps 3 times too long at the default decays"),
        epsilon_position("outside", "sqrt(v_hat) + epsilon; inside: sqrt(v_hat + epsilon), L4's table")},
       {.slides = "L0 'Adam', 'Adam - bias-correct'; L1 'Adam [Kingma2014]'; L2 'ADAM'; L3 'Adam'; L4 "
                  "'Adam', 'Update equations'",
        .without = "Momentum needs a rate that suits the steepest weight, RMSprop takes noisy steps. Adam "
                   "works at its defaults more often than any other; on images, tuned momentum with a "
                   "schedule often generalizes better.",
        .erratum =
            "L2 multiplies the step by the gradient once more; the running mean stands in its place. L2's "
            "correction 1 / (1 - beta) is right in the first step only (correction = constant). L4's table "
            "has epsilon under the root (epsilon_position = inside), its own slide beside it, as in the "
            "paper. L0's decay rates that 'are small (i.e. close to 1)': it is 1 - beta that is small.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Adam(0.1), lambda w: w * [1, 100], [1.0, 1.0], steps=1)[-1].round(6)  # one length, whatever the slope
array([0.9, 0.9]))"}},
      {Kind::optimizer,
       "adamw",
       "Adam with weight decay apart from the gradient, so that every weight decays at the same rate.",
       "theta <- theta - eta (m_hat / (sqrt(v_hat) + epsilon) + lambda theta)",
       "I. Loshchilov, F. Hutter, ICLR 2019, algorithm 2",
       {learning_rate(0.001),
        beta1(),
        beta2(),
        epsilon(1e-8),
        {.name = "weight_decay",
         .default_value = 0.01,
         .range = {.low = 0},
         .help = "lambda, for weights but not for biases; [[groups]] may give their own"}},
       {.slides = "extends L4 'Gradient Descent Optimization Algorithms'",
        .without = "L2 beside Adam is divided by the gradient's size: weights with large gradients hardly "
                   "decay. Here all decay at the rate eta lambda, which changes when eta does.",
        .erratum = "L1's 'l2-regularization' calls L2 weight decay: the two are the same in gradient "
                   "descent, not in Adam.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Adamw(0.1, weight_decay=0.5), lambda w: 0 * w, [1.0, -2.0], steps=1)[-1]
array([ 0.95, -1.9 ]))"}},
      {Kind::optimizer,
       "adamax",
       "Adam with the largest recent gradient in the place of the mean square.",
       "u <- max(beta2 u, |g| + epsilon), theta <- theta - eta m_hat / u",
       "D. Kingma, J. Ba, ICLR 2015, algorithm 2",
       {learning_rate(0.002), beta1(), fraction("beta2", 0.999, "decay of the largest gradient u"),
        positive("epsilon", 1e-8,
                 "keeps the division finite for weights without a gradient; 0 in the paper")},
       {.slides = "L0 'Outline'",
        .without = "Adam's steps are bounded by eta only roughly: a large gradient after a long quiet time "
                   "makes one of (1 - beta1) / sqrt(1 - beta2) = 3.2 eta. Here none is longer than eta. In "
                   "practice it is seldom better than Adam.",
        .erratum = "L0 lists Adamax and has no slide on it.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Adamax(0.1), lambda w: w * [1, 100], [1.0, 1.0], steps=1)[-1].round(6)
array([0.9, 0.9]))"}},
      {Kind::optimizer,
       "nadam",
       "Adam whose momentum looks ahead as Nesterov's does.",
       "theta <- theta - eta (mu_(t+1) m_hat + (1 - mu_t) g_hat) / (sqrt(v_hat) + epsilon)",
       "T. Dozat, ICLR workshop, 2016",
       {learning_rate(0.002),
        beta1(),
        beta2(),
        epsilon(1e-8),
        {.name = "ramp",
         .type = Type::boolean,
         .default_value = true,
         .help = "mu_t = beta1 (1 - 0.96^(psi t) / 2), which grows; false: mu_t = beta1"},
        {.name = "momentum_decay", .default_value = 0.004, .range = {.low = 0}, .help = "psi of the ramp"}},
       {.slides = "extends L4 'Gradient Descent Optimization Algorithms'",
        .without = "Adam's momentum is the classical one, which brakes only after it has gone too far. The "
                   "gain over Adam is mostly small.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Nadam(0.1, ramp=False), lambda w: [1.0], [0.0], steps=2)[:, 0].round(4).tolist()
[0.0, -0.1474, -0.2631])"}},
      {Kind::optimizer,
       "amsgrad",
       "Adam with the largest second moment so far: rare large gradients are not forgotten.",
       "v_max <- max(v_max, v), theta <- theta - eta m_hat / (sqrt(v_max_hat) + epsilon)",
       "S. Reddi, S. Kale, S. Kumar, ICLR 2018, algorithm 2",
       {learning_rate(0.001), beta1(), beta2(), epsilon(1e-8),
        correction({"standard", "none"}, "m_hat and v_max_hat as in Adam; none: the paper's m and v_max")},
       {.slides = "extends L4 'Gradient Descent Optimization Algorithms'",
        .without = "Adam forgets rare, large gradients and can walk away from the minimum of a convex "
                   "function; the paper has one. On real networks the difference is mostly small.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Amsgrad(0.1), lambda w: w * [1, 100], [1.0, 1.0], steps=1)[-1].round(6)
array([0.9, 0.9]))"}},
      {Kind::optimizer,
       "radam",
       "Adam that warms up by itself: it adapts only as far as the second moment can be trusted.",
       "theta <- theta - eta r_t sqrt(1 - beta2^t) m_hat / (sqrt(v) + epsilon) once rho_t > 5, else - eta "
       "m_hat",
       "L. Liu et al., ICLR 2020, algorithm 2",
       {learning_rate(0.001), beta1(), beta2(), epsilon(1e-8)},
       {.slides = "extends L4 'Gradient Descent Optimization Algorithms'",
        .without = "Adam's second moment rests on a few gradients at first, and its first steps point "
                   "anywhere: it needs a warm-up of its rate. The first five steps here are plain momentum, "
                   "whose length is the gradient's.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Radam(0.001), lambda w: [1.0, 100.0], [0.0, 0.0], steps=1)[-1].round(6)  # as momentum
array([-0.001, -0.1  ]))"}},
  };
}

}  // namespace ravine::catalog
