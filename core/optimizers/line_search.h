// A step length along a direction at which the function has fallen and its slope has flattened: the strong
// Wolfe conditions. J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6, with the
// cubic interpolation of equation 3.59 and the safeguards of minFunc (M. Schmidt, 2005), as PyTorch has them.
#pragma once

#include "optimizers/full_batch_rule.h"

namespace ravine {

// phi(t) = J(x + t d) at one t; the slope is phi'(t).
struct LinePoint {
  double t = 0;
  double value = 0;
  double slope = 0;
  Vector gradient;
};

class StrongWolfe {
 public:
  static constexpr double sufficient_decrease = 1e-4;  // c1: phi(t) <= phi(0) + c1 t phi'(0)
  static constexpr double flatness = 0.9;              // c2: |phi'(t)| <= c2 |phi'(0)|
  static constexpr double narrowest = 1e-9;  // a bracket that moves no coordinate by more is given up

  explicit StrongWolfe(std::int64_t trials) : trials_(trials) {}

  // Begins at t = first; phi'(0) is negative. Returns the lowest point of the bracket where no trial holds
  // the conditions, which may be t = 0.
  const LinePoint& search(Objective& objective, const Vector& x, const Vector& direction, double value,
                          const Vector& gradient, double first);

 private:
  void start_at(double value, const Vector& gradient);
  void evaluate(double t);
  bool falls_enough() const;
  bool is_flat() const;
  const LinePoint& zoom(std::int64_t trial);

  std::int64_t trials_;
  Objective* objective_ = nullptr;
  const Vector* x_ = nullptr;
  const Vector* direction_ = nullptr;
  double start_value_ = 0;
  double start_slope_ = 0;
  LinePoint low_;   // before the trial; in zoom, the lower end of the bracket
  LinePoint high_;  // in zoom, the other end
  LinePoint trial_;
  Vector point_;
};

}  // namespace ravine
