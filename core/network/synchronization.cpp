#include "network/synchronization.h"

#include <map>

namespace ravine {
namespace {

class Synchronization {
 public:
  explicit Synchronization(LoweredProgram& lowered) : program_(lowered.program) {}

  void run() {
    std::vector<Step> steps = std::move(program_.steps);
    program_.steps.clear();
    for (Step& step : steps) {
      if (auto* gradient = std::get_if<ColumnNormalizationGradient>(&step.operation)) {
        gradient->count = counts_.at(gradient->mean);
      }
      if (auto* average = std::get_if<MovingAverage>(&step.operation)) {
        const auto found = counts_.find(average->value);
        if (found != counts_.end() && is_variance_.at(average->value)) average->count = found->second;
      }
      exchange_inputs(step.operation, names());
      program_.section = step.section;
      program_.layer = step.layer;
      program_.steps.push_back(step);
      if (const auto* moments = std::get_if<ColumnMoments>(&step.operation)) merge(*moments);
      if (const auto* sums = std::get_if<ColumnNormalizationSums>(&step.operation)) merge(*sums);
    }
  }

 private:
  // By what name later steps read each tensor.
  const std::vector<TensorId>& names() {
    while (names_.size() < program_.tensors.size()) names_.push_back(static_cast<TensorId>(names_.size()));
    return names_;
  }

  TensorId whole(TensorId part) {
    Tensor tensor = program_.tensor(part);
    tensor.role = TensorRole::activation;  // gradients of parameters are of the part
    tensor.offset = 0;
    tensor.name += ".whole";
    const TensorId made = program_.add_tensor(std::move(tensor));
    names();
    names_[static_cast<std::size_t>(part)] = made;
    return made;
  }

  void merge(const ColumnMoments& moments) {
    const TensorId count = program_.add_tensor(
        {{1}, program_.dtype(), TensorRole::activation, program_.tensor(moments.mean).name + ".count"});
    counts_[moments.mean] = counts_[moments.variance] = count;
    is_variance_[moments.mean] = false;
    is_variance_[moments.variance] = true;
    const std::int64_t rows = rows_of(program_.tensor(moments.input));
    const TensorId mean = whole(moments.mean);
    const TensorId variance = whole(moments.variance);
    program_.add(MergeMoments{moments.mean, moments.variance, rows, count, mean, variance});
  }

  void merge(const ColumnNormalizationSums& sums) {
    const TensorId scale = whole(sums.scale_gradient);
    const TensorId centre = whole(sums.centre_gradient);
    program_.add(MergeSums{sums.scale_gradient, sums.centre_gradient, scale, centre});
  }

  Program& program_;
  std::vector<TensorId> names_;
  std::map<TensorId, TensorId> counts_;  // of means and variances of a part
  std::map<TensorId, bool> is_variance_;
};

}  // namespace

void synchronize_normalization(LoweredProgram& lowered) { Synchronization(lowered).run(); }

}  // namespace ravine
