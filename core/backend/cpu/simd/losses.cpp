// Losses over rows of a batch.
#include <cmath>

#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// So many rows are taken together: rows are often shorter than a vector, and their exponentials one loop.
constexpr std::int64_t rows_at_once = 32;

// Writes exp(row - max) for some rows, one behind the other, and the maximum of each.
template <typename T>
void exponentials(Block<const T> logits, T* output, T* maxima) {
  const std::int64_t columns = logits.columns;
  for (std::int64_t row = 0; row < logits.rows; ++row) {
    const T* z = logits.data + row * logits.stride;
    T* shifted = output + row * columns;
    T maximum = z[0];
    for (std::int64_t i = 1; i < columns; ++i) maximum = z[i] > maximum ? z[i] : maximum;
    maxima[row] = maximum;
    for (std::int64_t i = 0; i < columns; ++i) shifted[i] = z[i] - maximum;
  }
#pragma omp simd
  for (std::int64_t i = 0; i < logits.rows * columns; ++i) output[i] = exponential(output[i]);
}

// Sums of exponentials run over pieces of a row, so that evaluation, which does not store them, finds the
// same.
constexpr std::int64_t piece = 512;

template <typename T>
T sum_of_piece(const T* values, std::int64_t count) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += values[i];
  return sum;
}

template <typename T>
T sum_of(const T* values, std::int64_t count) {
  T sum = 0;
  for (std::int64_t begin = 0; begin < count; begin += piece) {
    sum += sum_of_piece(values + begin, count - begin < piece ? count - begin : piece);
  }
  return sum;
}

// The sum of exp(row - max), without a place to keep them.
template <typename T>
T sum_of_exponentials(const T* logits, std::int64_t columns, T* maximum) {
  T values[piece];
  *maximum = logits[0];
  for (std::int64_t i = 1; i < columns; ++i) *maximum = logits[i] > *maximum ? logits[i] : *maximum;
  const T shift = *maximum;
  T sum = 0;
  for (std::int64_t begin = 0; begin < columns; begin += piece) {
    const std::int64_t count = columns - begin < piece ? columns - begin : piece;
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) values[i] = exponential(logits[begin + i] - shift);
    sum += sum_of_piece(values, count);
  }
  return sum;
}

// Loss of a row: log sum exp(z) - z[label], with the largest z taken out; gradient: softmax - one hot.
// With smoothing s the target is (1 - s) one hot + s / columns: s (z[label] - mean z) more, and the gradient
// follows. With weights c of the classes each class's part of the target is multiplied by its own: it sums to
// (1 - s) c[label] + s mean c. Of a mixture the one hot target is divided between two labels; the prediction
// is right where it is the label with the larger share.
template <typename T>
PartialLoss softmax_cross_entropy(Block<const T> logits, const RowClasses<T>& targets, T smoothing,
                                  const RowWeights<T>& weights, T* gradient) {
  PartialLoss result{};
  const std::int64_t columns = logits.columns;
  const T* classes = weights.classes;
  const T spread = smoothing / static_cast<T>(columns);
  const T even_scale = static_cast<T>(weights.share(1));
  T maxima[rows_at_once];
  for (std::int64_t row = 0; row < logits.rows; ++row) {
    const T* z = logits.data + row * logits.stride;
    if (gradient != nullptr && row % rows_at_once == 0) {
      const std::int64_t left = logits.rows - row;
      exponentials<T>({z, left < rows_at_once ? left : rows_at_once, columns, logits.stride},
                      gradient + row * columns, maxima);
    }
    const std::int32_t label = targets.labels[row];
    const bool mixed = targets.shares != nullptr;
    const std::int32_t second = mixed ? targets.second_labels[row] : label;
    const T share = mixed ? targets.shares[row] : T(1);
    const std::int32_t wanted = share < T(0.5) ? second : label;
    const T own = z[label];
    std::int64_t above = 0;
    for (std::int64_t i = 0; i < columns; ++i) {
      // Of equal outputs the first counts as the larger one, as in argmax.
      above += z[i] > z[wanted] || (z[i] == z[wanted] && i < wanted) ? 1 : 0;
    }
    T hit = (T(1) - smoothing) * share;
    T second_hit = (T(1) - smoothing) * (T(1) - share);
    T mass = 1;
    if (classes != nullptr) {
      hit *= classes[label];
      second_hit *= classes[second];
      mass = hit + second_hit + spread * static_cast<T>(weights.class_sum);
    }
    double weight = 1;
    T scale = even_scale;
    if (weights.samples != nullptr) {
      weight = static_cast<double>(weights.samples[row]);
      scale = static_cast<T>(weights.share(weight));
    }
    double loss = 0;
    if (gradient != nullptr) {
      T* g = gradient + row * columns;
      const T maximum = maxima[row % rows_at_once];
      const T sum = sum_of(g, columns);
      const T factor = scale * mass / sum;
#pragma omp simd
      for (std::int64_t i = 0; i < columns; ++i) g[i] *= factor;
      if (smoothing > T(0)) {
        const T share = scale * spread;
        if (classes == nullptr) {
#pragma omp simd
          for (std::int64_t i = 0; i < columns; ++i) g[i] -= share;
        } else {
#pragma omp simd
          for (std::int64_t i = 0; i < columns; ++i) g[i] -= share * classes[i];
        }
      }
      g[label] -= scale * hit;
      if (mixed) g[second] -= scale * second_hit;
      loss = std::log(static_cast<double>(sum)) + static_cast<double>(maximum - own);
    } else {
      T maximum;
      const T sum = sum_of_exponentials(z, columns, &maximum);
      loss = std::log(static_cast<double>(sum)) + static_cast<double>(maximum - own);
    }
    loss *= static_cast<double>(mass);
    if (mixed) loss += static_cast<double>(second_hit * (own - z[second]));
    if (smoothing > T(0)) {
      T below_own = 0;
      if (classes == nullptr) {
#pragma omp simd reduction(+ : below_own)
        for (std::int64_t i = 0; i < columns; ++i) below_own += own - z[i];
      } else {
#pragma omp simd reduction(+ : below_own)
        for (std::int64_t i = 0; i < columns; ++i) below_own += classes[i] * (own - z[i]);
      }
      loss += static_cast<double>(smoothing * (below_own / static_cast<T>(columns)));
    }
    result.loss += weight * loss;
    result.correct += above == 0 && own == own ? 1 : 0;
    result.correct_top5 += above < 5 && own == own ? 1 : 0;
  }
  return result;
}

template <typename T>
void softmax(Block<const T> logits, T* output) {
  const std::int64_t columns = logits.columns;
  T maxima[rows_at_once];
  for (std::int64_t row = 0; row < logits.rows; ++row) {
    T* p = output + row * columns;
    if (row % rows_at_once == 0) {
      const std::int64_t left = logits.rows - row;
      exponentials<T>({logits.data + row * logits.stride, left < rows_at_once ? left : rows_at_once, columns,
                       logits.stride},
                      p, maxima);
    }
    const T scale = T(1) / sum_of(p, columns);
#pragma omp simd
    for (std::int64_t i = 0; i < columns; ++i) p[i] *= scale;
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

// A number for each output that has no effect.
template <typename T>
struct Ones {
  T operator[](std::int64_t) const { return T(1); }
};

template <typename T, typename Rule, typename Settings>
PartialLoss elementwise_rows(const Rule& rule, Block<const T> prediction, const T* targets, Settings settings,
                             const RowWeights<T>& weights, T* gradient) {
  const std::int64_t columns = prediction.columns;
  const T even_scale = static_cast<T>(weights.share(1)) / static_cast<T>(columns);
  PartialLoss result{};
  for (std::int64_t row = 0; row < prediction.rows; ++row) {
    const T* a = prediction.data + row * prediction.stride;
    const T* y = targets + row * columns;
    double weight = 1;
    T scale = even_scale;
    if (weights.samples != nullptr) {
      weight = static_cast<double>(weights.samples[row]);
      scale = static_cast<T>(weights.share(weight)) / static_cast<T>(columns);
    }
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < columns; ++i) {
      if constexpr (requires { Rule::output_setting; }) {
        sum += rule.forward(a[i], y[i], settings[i]);
      } else {
        sum += rule.forward(a[i], y[i]);
      }
    }
    result.loss += weight * (static_cast<double>(sum) / static_cast<double>(columns));
    if constexpr (requires { &Rule::right; }) {
      std::int64_t right = 0;
      for (std::int64_t i = 0; i < columns; ++i) right += rule.right(a[i], y[i]) ? 1 : 0;
      result.correct += right == columns ? 1 : 0;
    }
    if (gradient != nullptr) {
      T* g = gradient + row * columns;
#pragma omp simd
      for (std::int64_t i = 0; i < columns; ++i) {
        if constexpr (requires { Rule::output_setting; }) {
          g[i] = scale * rule.derivative(a[i], y[i], settings[i]);
        } else {
          g[i] = scale * rule.derivative(a[i], y[i]);
        }
      }
    }
  }
  return result;
}

template <typename T, typename Rule>
PartialLoss elementwise_loss(const void* rule_pointer, Block<const T> prediction, const T* targets,
                             const T* output_settings, const RowWeights<T>& weights, T* gradient) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  if constexpr (requires { Rule::output_setting; }) {
    if (output_settings != nullptr) {
      return elementwise_rows(rule, prediction, targets, output_settings, weights, gradient);
    }
  }
  return elementwise_rows(rule, prediction, targets, Ones<T>{}, weights, gradient);
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
