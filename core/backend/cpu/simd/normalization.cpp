// Normalization of blocks (layer, group) and of rows of weights.
#include <cmath>

#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

template <typename T>
T inverse_deviation_of(T variance, T epsilon) {
  return T(1) / std::sqrt(variance + epsilon);
}

template <typename T>
void normalize_block(Block<const T> input, const T* scale, const T* centre, T epsilon, T* __restrict output,
                     T* mean_output, T* inverse_output) {
  const auto count = static_cast<double>(input.rows * input.columns);
  double sum = 0;
  for (std::int64_t row = 0; row < input.rows; ++row) {
    const T* x = input.data + row * input.stride;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < input.columns; ++i) sum += static_cast<double>(x[i]);
  }
  const double exact_mean = sum / count;
  double spread = 0;
  for (std::int64_t row = 0; row < input.rows; ++row) {
    const T* x = input.data + row * input.stride;
#pragma omp simd reduction(+ : spread)
    for (std::int64_t i = 0; i < input.columns; ++i) {
      const double deviation = static_cast<double>(x[i]) - exact_mean;
      spread += deviation * deviation;
    }
  }
  const T mean = static_cast<T>(exact_mean);
  const T inverse = inverse_deviation_of(static_cast<T>(spread / count), epsilon);
  if (mean_output != nullptr) *mean_output = mean;
  if (inverse_output != nullptr) *inverse_output = inverse;
  for (std::int64_t row = 0; row < input.rows; ++row) {
    const T* x = input.data + row * input.stride;
    T* y = output + row * input.stride;
    for (std::int64_t i = 0; i < input.columns; ++i) y[i] = (x[i] - mean) * inverse;
    if (scale != nullptr) {
#pragma omp simd
      for (std::int64_t i = 0; i < input.columns; ++i) y[i] *= scale[i];
    }
    if (centre != nullptr) {
#pragma omp simd
      for (std::int64_t i = 0; i < input.columns; ++i) y[i] += centre[i];
    }
  }
}

template <typename T>
void block_norm_gradient(Block<const T> input, const T* output_gradient, const T* scale, T mean, T inverse,
                         T* __restrict input_gradient, double* __restrict scale_sums,
                         double* __restrict centre_sums) {
  const auto scaled = [&](const T* g, std::int64_t i) { return scale == nullptr ? g[i] : g[i] * scale[i]; };
  double sum = 0;      // of the gradient of x_hat
  double product = 0;  // of it times x_hat
  for (std::int64_t row = 0; row < input.rows; ++row) {
    const T* x = input.data + row * input.stride;
    const T* g = output_gradient + row * input.stride;
#pragma omp simd reduction(+ : sum, product)
    for (std::int64_t i = 0; i < input.columns; ++i) {
      const T own = scaled(g, i);
      sum += static_cast<double>(own);
      product += static_cast<double>(own * ((x[i] - mean) * inverse));
    }
    if (scale_sums != nullptr) {
#pragma omp simd
      for (std::int64_t i = 0; i < input.columns; ++i) {
        scale_sums[i] += static_cast<double>(g[i] * ((x[i] - mean) * inverse));
      }
    }
    if (centre_sums != nullptr) {
#pragma omp simd
      for (std::int64_t i = 0; i < input.columns; ++i) centre_sums[i] += static_cast<double>(g[i]);
    }
  }
  if (input_gradient == nullptr) return;
  const auto count = static_cast<double>(input.rows * input.columns);
  const T average = static_cast<T>(sum / count);
  const T slope = static_cast<T>(product / count) * inverse;
  for (std::int64_t row = 0; row < input.rows; ++row) {
    const T* x = input.data + row * input.stride;
    const T* g = output_gradient + row * input.stride;
    T* result = input_gradient + row * input.stride;
#pragma omp simd
    for (std::int64_t i = 0; i < input.columns; ++i) {
      result[i] = inverse * (scaled(g, i) - average - (x[i] - mean) * slope);
    }
  }
}

template <typename T>
void affine(const T* input, T factor, T shift, T* __restrict output, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) output[i] = factor * input[i] + shift;
}

template <typename T>
double dot(const T* left, const T* right, std::int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) {
    sum += static_cast<double>(left[i]) * static_cast<double>(right[i]);
  }
  return sum;
}

template <typename T>
void normalize_weight(Block<const T> direction, const T* gain, T* __restrict weight) {
  for (std::int64_t row = 0; row < direction.rows; ++row) {
    const T* v = direction.data + row * direction.stride;
    T* w = weight + row * direction.stride;
    const double length = std::sqrt(dot(v, v, direction.columns));
    const T factor = static_cast<T>(static_cast<double>(gain[row]) / length);
#pragma omp simd
    for (std::int64_t i = 0; i < direction.columns; ++i) w[i] = factor * v[i];
  }
}

template <typename T>
typename Kernels<T>::WeightGradientSquares weight_norm_gradient(Block<const T> direction, const T* gain,
                                                                const T* weight_gradient,
                                                                T* __restrict direction_gradient,
                                                                T* __restrict gain_gradient) {
  typename Kernels<T>::WeightGradientSquares squares{};
  for (std::int64_t row = 0; row < direction.rows; ++row) {
    const T* v = direction.data + row * direction.stride;
    const T* g = weight_gradient + row * direction.stride;
    T* result = direction_gradient + row * direction.stride;
    const double square = dot(v, v, direction.columns);
    const double length = std::sqrt(square);
    const double along = dot(g, v, direction.columns);
    gain_gradient[row] = static_cast<T>(along / length);
    const T factor = static_cast<T>(static_cast<double>(gain[row]) / length);
    const T slope = static_cast<T>(along / square);
#pragma omp simd
    for (std::int64_t i = 0; i < direction.columns; ++i) result[i] = factor * (g[i] - slope * v[i]);
    squares.direction += dot(result, result, direction.columns);
    squares.gain += static_cast<double>(gain_gradient[row]) * static_cast<double>(gain_gradient[row]);
  }
  return squares;
}

}  // namespace

template <typename T>
void fill_normalization(Kernels<T>& table) {
  table.normalize_block = normalize_block<T>;
  table.block_norm_gradient = block_norm_gradient<T>;
  table.affine = affine<T>;
  table.normalize_weight = normalize_weight<T>;
  table.weight_norm_gradient = weight_norm_gradient<T>;
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_normalization)
