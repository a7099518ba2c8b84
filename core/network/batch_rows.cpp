#include "network/batch_rows.h"

#include <algorithm>

namespace ravine {

BatchRows::BatchRows(const TrainingChunk& chunk, const Graph& graph, const Loss& loss, DType dtype)
    : chunk_(chunk), dtype_(dtype) {
  const auto element = static_cast<std::int64_t>(size_of(dtype));
  input_bytes_ = graph.input.elements() * element;
  target_bytes_ = loss.target_kind() == TargetKind::labels ? static_cast<std::int64_t>(sizeof(std::int32_t))
                                                           : graph.output().elements() * element;
}

void BatchRows::bind(ExecutionPlan& plan, std::int64_t row) const {
  const auto [inputs, targets, weights, second_labels, shares] = from(row);
  plan.bind_input(inputs);
  plan.bind_targets(targets, weights, {static_cast<const std::int32_t*>(second_labels), shares});
}

std::array<const void*, batch_arrays> BatchRows::from(std::int64_t row) const {
  const auto* weights = static_cast<const std::byte*>(chunk_.weights);
  const Mixture mixture = chunk_.mixture.from(row, dtype_);
  return {input(row), static_cast<const std::byte*>(chunk_.targets) + row * target_bytes_,
          weights == nullptr ? nullptr : weights + row * static_cast<std::int64_t>(size_of(dtype_)),
          mixture.labels, mixture.shares};
}

MergedMeasurements::MergedMeasurements(std::size_t layers, std::size_t parameters) {
  whole.layers.resize(layers);
  whole.gradient_squares.resize(parameters);
}

// Moments by Chan, Golub and LeVeque (1983); every row has as many values as another.
void MergedMeasurements::add(const Measurements& part, std::int64_t rows) noexcept {
  if (rows_ == 0) {
    whole.loss = whole.weight = 0;
    whole.correct = whole.correct_top5 = 0;
    std::fill(whole.layers.begin(), whole.layers.end(), OutputMoments{});
  }
  rows_ += rows;
  whole.loss += part.loss;
  whole.weight += part.weight;
  whole.correct += part.correct;
  whole.correct_top5 += part.correct_top5;
  const double share = static_cast<double>(rows) / static_cast<double>(rows_);
  for (std::size_t i = 0; i < whole.layers.size(); ++i) {
    OutputMoments& merged = whole.layers[i];
    const OutputMoments& moments = part.layers[i];
    const double difference = moments.mean - merged.mean;
    merged.variance +=
        share * (moments.variance - merged.variance) + share * (1 - share) * difference * difference;
    merged.mean += share * difference;
    merged.zeros += share * (moments.zeros - merged.zeros);
  }
}

}  // namespace ravine
