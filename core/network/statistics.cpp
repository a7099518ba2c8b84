#include "network/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ravine {

StatisticsRing::StatisticsRing(const Graph& graph, bool has_accuracy, const std::vector<bool>& observed,
                               std::int64_t rows)
    : has_accuracy_(has_accuracy), capacity_(rows) {
  columns_ = {"loss"};
  if (has_accuracy) columns_.push_back("accuracy");
  columns_.insert(columns_.end(), {"learning_rate", "gradient_norm"});
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const GraphLayer& layer = graph.layers[i];
    if (observed[i]) {
      for (const char* name : {"activation_mean", "activation_variance", "activation_zeros"}) {
        columns_.push_back(layer.name + "." + name);
      }
    }
    if (layer.parameter_count > 0) {
      for (const char* name : {"gradient_norm", "weight_norm", "update_norm"}) {
        columns_.push_back(layer.name + "." + name);
      }
    }
    if (observed[i] || layer.parameter_count > 0) {
      sources_.push_back({static_cast<int>(i), observed[i], layer.first_parameter, layer.parameter_count});
    }
  }
  steps_.resize(static_cast<std::size_t>(rows));
  values_.resize(static_cast<std::size_t>(rows) * columns_.size());
}

void StatisticsRing::record(const StepRecord& step, const Measurements& measured,
                            const std::vector<double>& weight_squares,
                            const std::vector<double>& update_squares) {
  float* value = values_.data() + static_cast<std::size_t>(next_) * columns_.size();
  const auto put = [&](double number) { *value++ = static_cast<float>(number); };
  const auto batch = static_cast<double>(step.batch);
  put(mean_loss(measured));
  if (has_accuracy_) put(static_cast<double>(measured.correct) / batch);
  put(step.learning_rate);
  put(step.gradient_norm);
  if (!step.of_layers) {
    float* end = values_.data() + static_cast<std::size_t>(next_ + 1) * columns_.size();
    std::fill(value, end, std::numeric_limits<float>::quiet_NaN());
  }
  for (const Source& source : sources_) {
    if (!step.of_layers) break;
    if (source.observed) {
      const OutputMoments& moments = measured.layers[static_cast<std::size_t>(source.layer)];
      put(moments.mean);
      put(moments.variance);
      put(moments.zeros);
    }
    if (source.parameter_count == 0) continue;
    double squares[3] = {0, 0, 0};
    for (int i = source.first_parameter; i < source.first_parameter + source.parameter_count; ++i) {
      const auto parameter = static_cast<std::size_t>(i);
      squares[0] += measured.gradient_squares[parameter];
      squares[1] += weight_squares[parameter];
      squares[2] += update_squares[parameter];
    }
    for (double sum : squares) put(std::sqrt(sum));
  }
  steps_[static_cast<std::size_t>(next_)] = step.step;
  next_ = (next_ + 1) % capacity_;
  if (rows_ < capacity_) ++rows_;
}

void StatisticsRing::drain(std::vector<std::int64_t>& steps, std::vector<float>& values) {
  const std::size_t columns = columns_.size();
  for (std::int64_t i = 0; i < rows_; ++i) {
    const auto row = static_cast<std::size_t>((next_ - rows_ + i + capacity_) % capacity_);
    steps.push_back(steps_[row]);
    const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(row * columns);
    values.insert(values.end(), begin, begin + static_cast<std::ptrdiff_t>(columns));
  }
  rows_ = 0;
}

}  // namespace ravine
