#include "optimizers/full_batch_update.h"

#include <utility>

#include "base/errors.h"
#include "base/memory.h"
#include "optimizers/vectors.h"

namespace ravine {
namespace {

template <typename T>
void copy_out(const void* from, Vector& to) {
  const T* values = static_cast<const T*>(from);
  std::copy_n(values, to.size(), to.begin());
}

template <typename T>
void copy_in(const Vector& from, void* to) {
  std::transform(from.begin(), from.end(), static_cast<T*>(to),
                 [](double value) { return static_cast<T>(value); });
}

void read(DType dtype, const void* from, Vector& to) {
  dtype == DType::float64 ? copy_out<double>(from, to) : copy_out<float>(from, to);
}

void write(DType dtype, const Vector& from, void* to) {
  dtype == DType::float64 ? copy_in<double>(from, to) : copy_in<float>(from, to);
}

}  // namespace

// J = loss + l2/2 sum w^2 + l1 sum |w|, the sums over what decays; or with l2 ||W|| for each W that does.
class FullBatchUpdate::PenalizedLoss final : public Objective {
 public:
  PenalizedLoss(DType dtype, const std::vector<UpdateSegment>& segments, HostCopy& gradients, HostCopy& trial)
      : dtype_(dtype), segments_(segments), gradients_(gradients), trial_(trial) {
    for (const UpdateSegment& segment : segments) {
      for (std::int64_t i = segment.begin; !segment.frozen && i < segment.end; ++i) coordinates_.push_back(i);
    }
  }

  void begin(const Regularization& regularization) { regularization_ = regularization; }
  void begin(const EvaluateLoss& evaluate) { evaluate_ = &evaluate; }
  std::int64_t evaluations() const { return evaluations_; }

  double evaluate(const Vector& point, Vector& gradient) override {
    return penalized(run(point), point, gradient, regularization_.l1);
  }
  void smooth_gradient(const Vector& point, Vector& gradient) override {
    penalized(run(point), point, gradient, 0);
  }
  const std::vector<std::int64_t>& coordinates() const override { return coordinates_; }

  // With a loss and a gradient buffer that belong to the point.
  double penalized(double value, const Vector& point, Vector& gradient, double l1) {
    ++evaluations_;
    gradients_.fetch();
    read(dtype_, gradients_.data(), gradient);
    Regularization asked = regularization_;
    asked.l1 = l1;
    for (const UpdateSegment& segment : segments_) {
      asked.l2 = segment.l2 >= 0 ? segment.l2 : regularization_.l2;
      Penalty<double> penalty(asked, segment.decays, 0);
      if (asked.l2_of_norm && !segment.frozen) {
        const double norm = norm_of(point, segment);
        value += penalty.l2 * norm / 2;  // as much as the sum of l2/norm/2 w^2 below
        penalty.divide_l2(norm);
      }
      for (auto i = static_cast<std::size_t>(segment.begin); i < static_cast<std::size_t>(segment.end); ++i) {
        gradient[i] = segment.frozen ? 0 : penalty.gradient(gradient[i], point[i]);
        value += segment.frozen ? 0 : penalty.value(point[i]);
      }
    }
    return value;
  }
  double l1() const { return regularization_.l1; }

 private:
  static double norm_of(const Vector& point, const UpdateSegment& segment) {
    double squares = 0;
    for (auto i = static_cast<std::size_t>(segment.begin); i < static_cast<std::size_t>(segment.end); ++i) {
      squares += point[i] * point[i];
    }
    return std::sqrt(squares);
  }

  double run(const Vector& point) {
    write(dtype_, point, trial_.data());
    trial_.store();
    return (*evaluate_)();
  }

  DType dtype_;
  const std::vector<UpdateSegment>& segments_;
  HostCopy& gradients_;
  HostCopy& trial_;
  std::vector<std::int64_t> coordinates_;
  Regularization regularization_;
  const EvaluateLoss* evaluate_ = nullptr;
  std::int64_t evaluations_ = 0;
};

FullBatchUpdate::FullBatchUpdate(std::shared_ptr<FullBatchRule> rule, Backend& backend, DType dtype,
                                 const UpdateBuffers& buffers, std::vector<UpdateSegment> segments,
                                 std::shared_ptr<Buffer> trial)
    : rule_(std::move(rule)),
      dtype_(dtype),
      owners_(buffers.owners),
      segments_(std::move(segments)),
      trial_(std::move(trial)),
      parameters_(backend, buffers.parameters, trial_->bytes()),
      gradients_(backend, buffers.gradients, trial_->bytes()),
      trial_copy_(backend, trial_->data(), trial_->bytes()),
      objective_(std::make_unique<PenalizedLoss>(dtype, segments_, gradients_, trial_copy_)),
      weight_squares_(segments_.size()),
      update_squares_(segments_.size()) {
  const std::size_t count = segments_.empty() ? 0 : static_cast<std::size_t>(segments_.back().end);
  for (void* slot : buffers.slots) state_.emplace_back(static_cast<double*>(slot), count);
  before_.resize(count);
  point_.resize(count);
  gradient_.resize(count);
}

FullBatchUpdate::~FullBatchUpdate() = default;

void FullBatchUpdate::begin(const Values& settings, std::int64_t, const Regularization& regularization) {
  settings_ = &settings;
  objective_->begin(regularization);
}

void FullBatchUpdate::step(double loss, const EvaluateLoss& evaluate) {
  objective_->begin(evaluate);
  parameters_.fetch();
  read(dtype_, parameters_.data(), before_);
  point_ = before_;
  const double value = objective_->penalized(loss, point_, gradient_, objective_->l1());
  rule_->step(*objective_, *settings_, value, gradient_, state_, point_);
  write(dtype_, point_, parameters_.data());
  parameters_.store();
  read(dtype_, parameters_.data(), point_);
  evaluations_ = objective_->evaluations();
  measure(before_, point_);
}

void FullBatchUpdate::measure(const Vector& before, const Vector& after) {
  for (std::size_t segment = 0; segment < segments_.size(); ++segment) {
    double weights = 0;
    double updates = 0;
    for (auto i = static_cast<std::size_t>(segments_[segment].begin);
         i < static_cast<std::size_t>(segments_[segment].end); ++i) {
      weights += after[i] * after[i];
      updates += (after[i] - before[i]) * (after[i] - before[i]);
    }
    weight_squares_[segment] = weights;
    update_squares_[segment] = updates;
  }
}

}  // namespace ravine
