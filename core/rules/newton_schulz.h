// The polynomial that brings a matrix near one with orthonormal rows or columns.
#pragma once

namespace ravine {

// From X = M / |M| (Frobenius norm), five times: A = X X^T, X <- a X + (b A + c A^2) X.
// It keeps the singular vectors of M and takes each singular value x to a x + b x^3 + c x^5, five times: all
// but the smallest come to lie in about 0.7 .. 1.2. The coefficients give 0 the steepest slope at which they
// stay there; they do not converge to 1. K. Jordan et al., "Muon: an optimizer for hidden layers in neural
// networks", 2024; the iteration: A. Bjorck, C. Bowie, 1971.
struct NewtonSchulz {
  static constexpr double a = 3.4445;
  static constexpr double b = -4.7750;
  static constexpr double c = 2.0315;
  static constexpr int iterations = 5;
  static constexpr double smallest_norm = 1e-7;  // M is divided by at least this
};

}  // namespace ravine
