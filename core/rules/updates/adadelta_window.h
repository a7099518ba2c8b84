#pragma once

#include "rules/updates/update.h"

namespace ravine {

// G = g_t^2 + g_(t-1)^2 + ... over the last w steps, theta <- theta - eta g / sqrt(G + epsilon).
// The idea that Adadelta's running average stands for: M. Zeiler, arXiv 1212.5701, 2012, section 3.1;
// lectures L0, "Adadelta - Accumulate over window", with w = 2, L3, L4.
template <typename T>
struct AdadeltaWindow {
  static constexpr std::string_view name = "adadelta_window";
  static constexpr std::array<std::string_view, 3> slots = {"square_1_ago", "square_2_ago", "square_3_ago"};
  T eta, epsilon;
  T takes_1, takes_2, takes_3;  // 1 for the squares that the window reaches, 0 for the others
  AdadeltaWindow(const Values& settings, std::int64_t)
      : eta(T(settings.real("learning_rate"))),
        epsilon(T(settings.real("epsilon"))),
        takes_1(settings.integer("window") > 1 ? T(1) : T(0)),
        takes_2(settings.integer("window") > 2 ? T(1) : T(0)),
        takes_3(settings.integer("window") > 3 ? T(1) : T(0)) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& g1, T& g2, T& g3) const {
    const T square = g * g;
    const T G = square + takes_1 * g1 + takes_2 * g2 + takes_3 * g3;
    theta -= eta * g / square_root(G + epsilon);
    g3 = g2;
    g2 = g1;
    g1 = square;
  }
};

}  // namespace ravine
