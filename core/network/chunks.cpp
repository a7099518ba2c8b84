#include "network/chunks.h"

#include <algorithm>

namespace ravine {
namespace {

// An image, or what is left of it.
bool is_by_batch(TensorId id, const Program& program) {
  const Shape& shape = program.tensor(id).shape;
  return shape.rank() >= 2 && shape[0] == program.batch();
}

// Of what a worker has in its cache: what is stored in bfloat16 is computed in float32.
double bytes_computed(const Tensor& tensor) {
  return (tensor.dtype == DType::bfloat16 ? 2 : 1) * bytes_of(tensor);
}

// Each tile keeps sums of its own.
constexpr double most_bytes_of_sums = 4 << 20;

}  // namespace

std::vector<TensorId> sums_over_images(const Operation& operation, const Program& program) {
  std::vector<TensorId> sums = outputs_of(operation);
  if (std::holds_alternative<ConvolutionWeightGradient>(operation)) return sums;
  std::erase_if(sums, [&](TensorId id) { return is_by_batch(id, program); });
  return sums;
}

bool is_by_images(const Operation& operation, const Program& program) {
  const bool is_convolution = std::holds_alternative<Convolution>(operation) ||
                              std::holds_alternative<ConvolutionInputGradient>(operation) ||
                              std::holds_alternative<ConvolutionWeightGradient>(operation);
  const bool is_other = std::holds_alternative<Pooling>(operation) ||
                        std::holds_alternative<PoolingGradient>(operation) ||
                        std::holds_alternative<Activation>(operation) ||
                        std::holds_alternative<ActivationGradient>(operation) ||
                        std::holds_alternative<ColumnNormalization>(operation) ||
                        std::holds_alternative<ColumnNormalizationGradient>(operation) ||
                        std::holds_alternative<Dropout>(operation) || std::holds_alternative<Add>(operation);
  // Large sums are left to a phase with fewer tiles.
  for (TensorId id : sums_over_images(operation, program)) {
    if (bytes_of(program.tensor(id)) > most_bytes_of_sums) return false;
  }
  return (is_convolution || is_other) && program.tensor(inputs_of(operation).front()).shape.rank() == 4;
}

std::int64_t images_of_tile(const Program& program) {
  constexpr double bytes_in_cache = 512 * 1024;  // half of what a core has to itself
  const auto batch = static_cast<double>(program.batch());
  double largest = 1;
  double largest_sum = 1;
  for (const Step& step : program.steps) {
    const Operation& operation = step.operation;
    if (!is_by_images(operation, program)) continue;
    double bytes = 0;
    for (const auto& ids : {inputs_of(operation), outputs_of(operation)}) {
      for (TensorId id : ids) {
        if (is_by_batch(id, program)) bytes += bytes_computed(program.tensor(id)) / batch;
      }
    }
    largest = std::max(largest, bytes);
    for (TensorId id : sums_over_images(operation, program)) {
      largest_sum = std::max(largest_sum, bytes_of(program.tensor(id)));
    }
  }
  const auto most = (program.batch() + 15) / 16;  // for many workers
  const auto fit = static_cast<std::int64_t>(bytes_in_cache / largest);
  const auto least = static_cast<std::int64_t>(batch * largest_sum / most_bytes_of_sums) + 1;
  const std::int64_t images = std::clamp<std::int64_t>(fit, std::min(least, most), most);
  // A few more where that makes all tiles equal.
  for (std::int64_t more = images; more <= std::min(2 * images, most); ++more) {
    if (program.batch() % more == 0) return more;
  }
  return images;
}

}  // namespace ravine
