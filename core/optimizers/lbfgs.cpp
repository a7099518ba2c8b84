// Limited-memory BFGS: D. Liu, J. Nocedal, Mathematical Programming 45, 1989; J. Nocedal, S. Wright,
// Numerical Optimization, 2006, algorithms 7.4 and 7.5; lecture L1. With a line search the steps are
// PyTorch's.
#include <optional>

#include "optimizers/line_search.h"
#include "optimizers/list.h"
#include "optimizers/vectors.h"

namespace ravine {
namespace {

constexpr double least_curvature = 1e-10;  // of a pair that is kept: y . s

class Lbfgs final : public FullBatchRule {
 public:
  explicit Lbfgs(const Values& settings)
      : history_(static_cast<std::size_t>(settings.integer("history"))), alpha_(history_), rho_(history_) {
    if (settings.text("line_search") == "strong_wolfe") line_search_.emplace(settings.integer("trials"));
  }

  // The newest pair has number 1. A pair that is not there yet is zero.
  std::vector<std::string> slots() const override {
    std::vector<std::string> names;
    for (const char* kind : {"step_", "change_"}) {
      for (std::size_t i = 1; i <= history_; ++i) names.push_back(kind + std::to_string(i));
    }
    return names;
  }

  double bytes(double count, double) const override {
    constexpr double others = 9;  // point, gradient, direction, those of the line search
    return sizeof(double) * count * (2 * static_cast<double>(history_) + others);
  }
  std::string instead() const override { return "a smaller history, or adam, which needs no history"; }

  void step(Objective& objective, const Values& settings, double value, const Vector& gradient,
            const RuleState& state, Vector& point) override {
    if (largest_magnitude(gradient) <= settings.real("tolerance")) return;
    const double eta = settings.real("learning_rate");
    const std::size_t pairs = find_direction(gradient, state);
    const double slope = dot(gradient, direction_);
    if (!(slope < 0) || slope > -settings.real("least_descent")) return;
    // Without a pair nothing is known of the scale.
    const double first = pairs > 0 ? eta : eta * std::min(1.0, 1.0 / sum_of_magnitudes(gradient));
    double t = first;
    const Vector* after = &gradient_;
    if (line_search_) {
      const LinePoint& found = line_search_->search(objective, point, direction_, value, gradient, first);
      t = found.t;
      after = &found.gradient;
    }
    add(t, direction_, point);
    if (t == 0) return forget(state);  // from here steepest descent begins anew
    if (!line_search_) {
      gradient_.resize(gradient.size());
      objective.evaluate(point, gradient_);
    }
    remember(t, gradient, *after, state);
  }

 private:
  std::span<double> s(const RuleState& state, std::size_t pair) const { return state[pair]; }
  std::span<double> y(const RuleState& state, std::size_t pair) const { return state[history_ + pair]; }

  // d = -H g by the two loops; returns the number of pairs.
  std::size_t find_direction(const Vector& gradient, const RuleState& state) {
    std::size_t pairs = 0;
    for (; pairs < history_; ++pairs) {
      const double curvature = dot(y(state, pairs), s(state, pairs));
      if (curvature <= 0) break;
      rho_[pairs] = 1 / curvature;
    }
    direction_.assign(gradient.size(), 0);
    add(-1, gradient, direction_);
    for (std::size_t i = 0; i < pairs; ++i) {
      alpha_[i] = rho_[i] * dot(s(state, i), direction_);
      add(-alpha_[i], y(state, i), direction_);
    }
    if (pairs > 0) {
      const double gamma = 1 / (rho_[0] * dot(y(state, 0), y(state, 0)));
      for (double& element : direction_) element *= gamma;
    }
    for (std::size_t i = pairs; i-- > 0;) {
      const double beta = rho_[i] * dot(y(state, i), direction_);
      add(alpha_[i] - beta, s(state, i), direction_);
    }
    return pairs;
  }

  // s = t d and y = the change of the gradient, both of the same samples and masks.
  void remember(double t, const Vector& before, const Vector& after, const RuleState& state) {
    change_.resize(before.size());
    double curvature = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      direction_[i] *= t;
      change_[i] = after[i] - before[i];
      curvature += change_[i] * direction_[i];
    }
    if (!(curvature > least_curvature) || !std::isfinite(curvature)) return;
    for (std::size_t i = history_; i-- > 1;) {
      std::ranges::copy(s(state, i - 1), s(state, i).begin());
      std::ranges::copy(y(state, i - 1), y(state, i).begin());
    }
    std::ranges::copy(direction_, s(state, 0).begin());
    std::ranges::copy(change_, y(state, 0).begin());
  }

  static void forget(const RuleState& state) {
    for (const std::span<double> slot : state) std::ranges::fill(slot, 0.0);
  }

  std::size_t history_;
  std::optional<StrongWolfe> line_search_;
  std::vector<double> alpha_;
  std::vector<double> rho_;
  Vector direction_;
  Vector gradient_;
  Vector change_;
};

}  // namespace

std::unique_ptr<FullBatchRule> make_lbfgs(const Values& settings) {
  return std::make_unique<Lbfgs>(settings);
}

}  // namespace ravine
