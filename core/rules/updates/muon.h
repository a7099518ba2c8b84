#pragma once

#include "rules/updates/update.h"

namespace ravine {

// Weights that form a matrix W, rows by columns: m <- mu m + (1 - mu) g, d = mu m + (1 - mu) g (or d = m),
// O = the orthogonalized d (rules/newton_schulz.h), W <- W - eta lambda W - eta s O, with
// s = sqrt(max(1, rows / columns)), or 0.2 sqrt(max(rows, columns)), with which a step is as long as Adam's.
// All others by Adam with weight decay apart from the gradient, of rate ratio eta.
// K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; J. Liu et al., "Muon is
// scalable for LLM training", arXiv 2502.16982, 2025; an extension of the lectures' optimizers.
template <typename T>
struct Muon {
  static constexpr std::string_view name = "muon";
  static constexpr std::array<std::string_view, 2> slots = {"first_moment", "second_moment"};
  T mu, one_minus_mu;
  T eta;
  T kept_of_matrices;  // 1 - eta lambda
  bool nesterov;
  bool matches_adam;
  GradientMoments<T> moments;
  T epsilon;
  T kept;            // 1 - ratio eta lambda
  T rate;            // ratio eta / (1 - beta1^t)
  T root_corrector;  // 1 / sqrt(1 - beta2^t)
  Muon(const Values& settings, std::int64_t t)
      : mu(T(settings.real("momentum"))),
        one_minus_mu(T(1.0 - settings.real("momentum"))),
        eta(T(settings.real("learning_rate"))),
        kept_of_matrices(T(1.0 - settings.real("learning_rate") * settings.real("weight_decay"))),
        nesterov(settings.boolean("nesterov")),
        matches_adam(settings.text("scaling") == "match_rms_adamw"),
        moments(settings),
        epsilon(T(settings.real("epsilon"))),
        kept(T(1.0 - settings.real("adamw_ratio") * settings.real("learning_rate") *
                         settings.real("weight_decay"))),
        rate(T(settings.real("adamw_ratio") * settings.real("learning_rate") /
               one_minus_power(settings.real("beta1"), t))),
        root_corrector(T(1.0 / std::sqrt(one_minus_power(settings.real("beta2"), t)))) {}

  RAVINE_HOST_DEVICE T direction(T g, T& m, T&) const {
    m = mu * m + one_minus_mu * g;
    return nesterov ? mu * m + one_minus_mu * g : m;
  }
  RAVINE_HOST_DEVICE T step_size(T rows, T columns) const {
    if (matches_adam) return eta * T(0.2) * square_root(larger(rows, columns));
    return eta * square_root(larger(T(1), rows / columns));
  }
  RAVINE_HOST_DEVICE T decay_matrix(T w) const { return kept_of_matrices * w; }

  RAVINE_HOST_DEVICE T decay(T theta) const { return kept * theta; }
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& m, T& v) const {
    moments.update(g, m, v);
    theta -= rate * m / (square_root(v) * root_corrector + epsilon);
  }
};

}  // namespace ravine
