// Losses over rows of a batch.
#include <cmath>

#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// Writes exp(row - max) to `output` and returns {max, sum}.
template <typename T>
struct Exponentials {
  T maximum;
  T sum;
};

template <typename T>
Exponentials<T> exponentials(const T* logits, T* output, std::int64_t columns) {
  T maximum = logits[0];
  for (std::int64_t i = 1; i < columns; ++i) maximum = logits[i] > maximum ? logits[i] : maximum;
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < columns; ++i) {
    const T value = exponential(logits[i] - maximum);
    output[i] = value;
    sum += value;
  }
  return {maximum, sum};
}

// Loss of a row: log sum exp(z) - z[label], with the largest z taken out; gradient: softmax - one hot.
// With smoothing s the target is (1 - s) one hot + s / columns: s (z[label] - mean z) more, and the gradient
// follows.
template <typename T>
PartialLoss softmax_cross_entropy(Block<const T> logits, const std::int32_t* labels, T smoothing, T* gradient,
                                  T gradient_scale) {
  PartialLoss result{};
  const std::int64_t columns = logits.columns;
  for (std::int64_t row = 0; row < logits.rows; ++row) {
    const T* z = logits.data + row * logits.stride;
    const std::int32_t label = labels[row];
    const T own = z[label];
    std::int64_t above = 0;
    for (std::int64_t i = 0; i < columns; ++i) {
      // Of equal outputs the first counts as the larger one, as in argmax.
      above += z[i] > own || (z[i] == own && i < label) ? 1 : 0;
    }
    if (gradient != nullptr) {
      T* g = gradient + row * columns;
      const auto [maximum, sum] = exponentials(z, g, columns);
      const T scale = gradient_scale / sum;
#pragma omp simd
      for (std::int64_t i = 0; i < columns; ++i) g[i] *= scale;
      if (smoothing > T(0)) {
        const T share = gradient_scale * smoothing / static_cast<T>(columns);
#pragma omp simd
        for (std::int64_t i = 0; i < columns; ++i) g[i] -= share;
      }
      g[label] -= gradient_scale * (T(1) - smoothing);
      result.loss += std::log(static_cast<double>(sum)) + static_cast<double>(maximum - own);
    } else {
      T maximum = z[0];
      for (std::int64_t i = 1; i < columns; ++i) maximum = z[i] > maximum ? z[i] : maximum;
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t i = 0; i < columns; ++i) sum += exponential(z[i] - maximum);
      result.loss += std::log(static_cast<double>(sum)) + static_cast<double>(maximum - own);
    }
    if (smoothing > T(0)) {
      T below_own = 0;
#pragma omp simd reduction(+ : below_own)
      for (std::int64_t i = 0; i < columns; ++i) below_own += own - z[i];
      result.loss += static_cast<double>(smoothing * (below_own / static_cast<T>(columns)));
    }
    result.correct += above == 0 && own == own ? 1 : 0;
    result.correct_top5 += above < 5 && own == own ? 1 : 0;
  }
  return result;
}

template <typename T>
void softmax(Block<const T> logits, T* output) {
  for (std::int64_t row = 0; row < logits.rows; ++row) {
    T* p = output + row * logits.columns;
    const T scale = T(1) / exponentials(logits.data + row * logits.stride, p, logits.columns).sum;
#pragma omp simd
    for (std::int64_t i = 0; i < logits.columns; ++i) p[i] *= scale;
  }
}

template <typename T>
void softmax_gradient(Block<const T> output, const T* output_gradient, T* input_gradient) {
  const std::int64_t columns = output.columns;
  for (std::int64_t row = 0; row < output.rows; ++row) {
    const T* y = output.data + row * output.stride;
    const T* g = output_gradient + row * columns;
    T* to = input_gradient + row * columns;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < columns; ++i) sum += y[i] * g[i];
#pragma omp simd
    for (std::int64_t i = 0; i < columns; ++i) to[i] = y[i] * (g[i] - sum);
  }
}

template <typename T, typename Rule>
PartialLoss elementwise_loss(const void* rule_pointer, Block<const T> prediction, const T* targets,
                             T* gradient, T gradient_scale) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  const std::int64_t columns = prediction.columns;
  const T mean_scale = gradient_scale / static_cast<T>(columns);
  PartialLoss result{};
  for (std::int64_t row = 0; row < prediction.rows; ++row) {
    const T* a = prediction.data + row * prediction.stride;
    const T* y = targets + row * columns;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < columns; ++i) sum += rule.forward(a[i], y[i]);
    result.loss += static_cast<double>(sum) / static_cast<double>(columns);
    if constexpr (requires { &Rule::right; }) {
      std::int64_t right = 0;
      for (std::int64_t i = 0; i < columns; ++i) right += rule.right(a[i], y[i]) ? 1 : 0;
      result.correct += right == columns ? 1 : 0;
    }
    if (gradient != nullptr) {
      T* g = gradient + row * columns;
#pragma omp simd
      for (std::int64_t i = 0; i < columns; ++i) g[i] = mean_scale * rule.derivative(a[i], y[i]);
    }
  }
  return result;
}

}  // namespace

template <typename T>
void fill_losses(Kernels<T>& table) {
  table.softmax_cross_entropy = softmax_cross_entropy<T>;
  table.softmax = softmax<T>;
  table.softmax_gradient = softmax_gradient<T>;
  int index = 0;
  ElementwiseLossRules::for_each([&]<template <typename> class Rule>() {
    table.elementwise_loss[index++] = elementwise_loss<T, Rule<T>>;
  });
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_losses)
