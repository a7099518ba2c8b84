// Truncated Newton: the Newton equations are solved by conjugate gradients, only as far as it pays, from
// products of the Hessian with vectors. J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 7.1;
// R. Dembo, T. Steihaug, Mathematical Programming 26, 1983.
#include <optional>

#include "optimizers/line_search.h"
#include "optimizers/list.h"
#include "optimizers/vectors.h"

namespace ravine {
namespace {

class NewtonCg final : public FullBatchRule {
 public:
  explicit NewtonCg(const Values& settings) {
    if (settings.text("line_search") == "strong_wolfe") line_search_.emplace(settings.integer("trials"));
  }

  bool takes_differences() const override { return true; }
  double bytes(double count, double) const override {
    constexpr double vectors = 14;
    return sizeof(double) * count * vectors;
  }
  std::string instead() const override { return "lbfgs with a short history, or adam"; }

  void step(Objective& objective, const Values& settings, double value, const Vector& gradient,
            const RuleState&, Vector& point) override {
    if (largest_magnitude(gradient) <= settings.real("tolerance")) return;
    find_direction(objective, settings, gradient, point);
    if (!(dot(gradient, direction_) < 0)) return;  // what is left of the gradient is rounding
    double t = settings.real("learning_rate");
    if (line_search_) t = line_search_->search(objective, point, direction_, value, gradient, t).t;
    add(t, direction_, point);
  }

 private:
  // Conjugate gradients for (H + damping I) z = -g. They stop at negative curvature, with what they have,
  // and once the residual is below min(1/2, sqrt(|g|)) |g|: far from a minimum little accuracy pays, near it
  // the convergence is superlinear.
  void find_direction(Objective& objective, const Values& settings, const Vector& gradient,
                      const Vector& point) {
    const double damping = settings.real("damping");
    const double size = norm(gradient);
    const double goal = std::min(0.5, std::sqrt(size)) * size;
    direction_.assign(gradient.size(), 0);
    residual_ = gradient;
    search_.assign(gradient.size(), 0);
    add(-1, gradient, search_);
    double squares = dot(residual_, residual_);
    const std::int64_t most = settings.integer("cg_steps");
    for (std::int64_t j = 0; j < most; ++j) {
      multiply(objective, point, damping);
      const double curvature = dot(search_, product_);
      if (!(curvature > 0)) {
        if (j == 0) direction_ = search_;  // steepest descent
        return;
      }
      const double alpha = squares / curvature;
      add(alpha, search_, direction_);
      add(alpha, product_, residual_);
      const double before = squares;
      squares = dot(residual_, residual_);
      if (!(std::sqrt(squares) >= goal)) return;
      const double beta = squares / before;
      for (std::size_t i = 0; i < search_.size(); ++i) search_[i] = beta * search_[i] - residual_[i];
    }
  }

  // product = (H + damping I) search, H p = (grad J(x + h p) - grad J(x - h p)) / 2h.
  void multiply(Objective& objective, const Vector& point, double damping) {
    const double h = difference_step() * std::max(1.0, norm(point)) / norm(search_);
    shifted_ = point;
    ahead_.resize(point.size());
    product_.resize(point.size());
    add(h, search_, shifted_);
    objective.smooth_gradient(shifted_, ahead_);
    shifted_ = point;
    add(-h, search_, shifted_);
    objective.smooth_gradient(shifted_, product_);
    for (std::size_t i = 0; i < product_.size(); ++i) {
      product_[i] = (ahead_[i] - product_[i]) / (2 * h) + damping * search_[i];
    }
  }

  std::optional<StrongWolfe> line_search_;
  Vector direction_;
  Vector residual_;
  Vector search_;
  Vector product_;
  Vector shifted_;
  Vector ahead_;
};

}  // namespace

std::unique_ptr<FullBatchRule> make_newton_cg(const Values& settings) {
  return std::make_unique<NewtonCg>(settings);
}

}  // namespace ravine
