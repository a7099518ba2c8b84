// Newton's method, and each weight's own optimal learning rate (d2J/dw2)^-1: lectures L1, L3; J. Nocedal,
// S. Wright, Numerical Optimization, 2006, section 3.3; Y. LeCun et al., Efficient BackProp, 1998.
#include "backend/linear_solver.h"
#include "base/errors.h"
#include "optimizers/list.h"
#include "optimizers/vectors.h"

namespace ravine {
namespace {

class Newton final : public FullBatchRule {
 public:
  explicit Newton(const Values& settings) : full_(settings.text("form") == "full") {}

  bool takes_differences() const override { return true; }
  double bytes(double count, double coordinates) const override {
    constexpr double vectors = 8;
    const double matrix = full_ ? coordinates * coordinates : coordinates;
    return sizeof(double) * (vectors * count + matrix);
  }
  std::string instead() const override { return "newton_cg or lbfgs, which store no matrix"; }

  void step(Objective& objective, const Values& settings, double, const Vector& gradient, const RuleState&,
            Vector& point) override {
    const std::vector<std::int64_t>& free = objective.coordinates();
    const double damping = settings.real("damping");
    direction_.resize(free.size());
    for (std::size_t i = 0; i < free.size(); ++i) direction_[i] = gradient[at(free[i])];
    if (full_) {
      solve(objective, point, damping);
    } else {
      divide(objective, point, damping);
    }
    const double eta = settings.real("learning_rate");
    for (std::size_t i = 0; i < free.size(); ++i) point[at(free[i])] -= eta * direction_[i];
  }

 private:
  static std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

  // d <- (H + damping I)^-1 d. Rounding and truncation leave H not quite symmetric; its mean with its
  // transpose is.
  void solve(Objective& objective, const Vector& point, double damping) {
    const std::vector<std::int64_t>& free = objective.coordinates();
    const std::size_t n = free.size();
    curvature_.resize(n * n);
    for (std::size_t column = 0; column < n; ++column) {
      differentiate(objective, point, at(free[column]));
      for (std::size_t row = 0; row < n; ++row) curvature_[row * n + column] = ahead_[at(free[row])];
    }
    for (std::size_t row = 0; row < n; ++row) {
      for (std::size_t column = 0; column < row; ++column) {
        double& lower = curvature_[row * n + column];
        double& upper = curvature_[column * n + row];
        lower = upper = (lower + upper) / 2;
      }
      curvature_[row * n + row] += damping;
    }
    const double condition =
        solve_symmetric(static_cast<std::int64_t>(n), curvature_.data(), direction_.data(), memory_);
    if (n > 0 && !(condition >= difference_accuracy())) throw singular();
  }

  // d_i <- d_i / (d2J/dw_i2 + damping)
  void divide(Objective& objective, const Vector& point, double damping) {
    const std::vector<std::int64_t>& free = objective.coordinates();
    curvature_.resize(free.size());
    for (std::size_t i = 0; i < free.size(); ++i) {
      differentiate(objective, point, at(free[i]));
      curvature_[i] = ahead_[at(free[i])] + damping;
    }
    const double least = difference_accuracy() * largest_magnitude(curvature_);
    for (std::size_t i = 0; i < free.size(); ++i) {
      if (curvature_[i] == 0 || !(std::abs(curvature_[i]) >= least)) throw singular();
      direction_[i] /= curvature_[i];
    }
  }

  // ahead_ = d(grad J)/dw_i by a central difference.
  void differentiate(Objective& objective, const Vector& point, std::size_t i) {
    const double h = difference_step() * std::max(1.0, std::abs(point[i]));
    shifted_ = point;
    ahead_.resize(point.size());
    behind_.resize(point.size());
    shifted_[i] = point[i] + h;
    const double right = shifted_[i];
    objective.smooth_gradient(shifted_, ahead_);
    shifted_[i] = point[i] - h;
    const double width = right - shifted_[i];  // as rounded
    objective.smooth_gradient(shifted_, behind_);
    for (std::size_t j = 0; j < ahead_.size(); ++j) ahead_[j] = (ahead_[j] - behind_[j]) / width;
  }

  Error singular() const {
    return Error(ErrorCode::invalid_parameter,
                 full_
                     ? "the matrix of second derivatives is singular or not finite here, and has no inverse; "
                       "set damping above 0, such as 0.001, or use newton_cg or lbfgs"
                     : "a weight has no finite second derivative but zero here, and its inverse is no "
                       "learning rate; set damping above 0, such as 0.001, or use lbfgs")
        .at_key("optimizer.damping");
  }

  bool full_;
  Vector curvature_;  // the Hessian, row by row, or its diagonal
  Vector direction_;  // of the coordinates that may move
  Vector shifted_;
  Vector ahead_;
  Vector behind_;
  SolverMemory memory_;
};

}  // namespace

std::unique_ptr<FullBatchRule> make_newton(const Values& settings) {
  return std::make_unique<Newton>(settings);
}

}  // namespace ravine
