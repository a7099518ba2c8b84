#include "optimizers/line_search.h"

#include <limits>
#include <utility>

#include "optimizers/vectors.h"

namespace ravine {
namespace {

// The minimum of the cubic that has the values and slopes of two points, within bounds; their middle where
// the cubic has none.
double cubic_minimum(const LinePoint& a, const LinePoint& b, double lowest, double highest) {
  const double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t);
  const double square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (lowest + highest) / 2;
  const double d2 = std::sqrt(square);
  const LinePoint& left = a.t <= b.t ? a : b;
  const LinePoint& right = a.t <= b.t ? b : a;
  const double minimum =
      right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
  if (!std::isfinite(minimum)) return (lowest + highest) / 2;  // it is no cubic, or no number
  return std::min(std::max(minimum, lowest), highest);
}

bool is_finite(const LinePoint& point) { return std::isfinite(point.value); }

}  // namespace

void StrongWolfe::evaluate(double t) {
  for (std::size_t i = 0; i < point_.size(); ++i) point_[i] = (*x_)[i] + t * (*direction_)[i];
  trial_.t = t;
  trial_.value = objective_->evaluate(point_, trial_.gradient);
  trial_.slope = dot(trial_.gradient, *direction_);
  // Beyond what can be computed the function counts as infinite.
  if (!std::isfinite(trial_.value) || !std::isfinite(trial_.slope)) {
    trial_.value = trial_.slope = std::numeric_limits<double>::infinity();
  }
}

// The point t = 0.
void StrongWolfe::start_at(double value, const Vector& gradient) {
  low_.t = 0;
  low_.value = value;
  low_.slope = start_slope_;
  low_.gradient = gradient;
}

bool StrongWolfe::falls_enough() const {
  return trial_.value <= start_value_ + sufficient_decrease * trial_.t * start_slope_;
}

bool StrongWolfe::is_flat() const { return std::abs(trial_.slope) <= -flatness * start_slope_; }

const LinePoint& StrongWolfe::search(Objective& objective, const Vector& x, const Vector& direction,
                                     double value, const Vector& gradient, double first) {
  objective_ = &objective;
  x_ = &x;
  direction_ = &direction;
  start_value_ = value;
  start_slope_ = dot(gradient, direction);
  point_.resize(x.size());
  trial_.gradient.resize(x.size());
  start_at(value, gradient);
  evaluate(first);
  for (std::int64_t trial = 0; trial < trials_; ++trial) {
    // A value that does not fall from trial to trial counts from the third on, as in PyTorch.
    if (!falls_enough() || (trial > 1 && trial_.value >= low_.value)) return zoom(trial);
    if (is_flat()) return trial_;
    if (trial_.slope >= 0) return zoom(trial);
    const double next = cubic_minimum(low_, trial_, trial_.t + 0.01 * (trial_.t - low_.t), 10 * trial_.t);
    std::swap(low_, trial_);
    evaluate(next);
  }
  start_at(value, gradient);
  return trial_.value < low_.value ? trial_ : low_;
}

// Narrows the bracket between low_ and trial_, which holds a point that satisfies the conditions.
const LinePoint& StrongWolfe::zoom(std::int64_t trial) {
  high_.gradient.resize(point_.size());
  std::swap(high_, trial_);
  if (high_.value < low_.value) std::swap(low_, high_);
  const double reach = largest_magnitude(*direction_);
  bool was_near_an_end = false;
  for (; trial < trials_; ++trial) {
    const auto [left, right] = std::minmax(low_.t, high_.t);
    if ((right - left) * reach < narrowest) break;
    // Where one end is infinite, a tenth of the way.
    double t = is_finite(high_) ? cubic_minimum(low_, high_, left, right) : low_.t + 0.1 * (high_.t - low_.t);
    const double margin = 0.1 * (right - left);
    const bool is_near_an_end = std::min(right - t, t - left) < margin;
    if (is_near_an_end && (was_near_an_end || t >= right || t <= left)) {
      t = std::abs(t - right) < std::abs(t - left) ? right - margin : left + margin;
      was_near_an_end = false;
    } else {
      was_near_an_end = is_near_an_end;
    }
    evaluate(t);
    if (!falls_enough() || trial_.value >= low_.value) {
      std::swap(high_, trial_);
      if (high_.value < low_.value) std::swap(low_, high_);
      continue;
    }
    const bool done = is_flat();
    if (!done && trial_.slope * (high_.t - low_.t) >= 0) std::swap(high_, low_);
    std::swap(low_, trial_);
    if (done) break;
  }
  return low_;
}

}  // namespace ravine
