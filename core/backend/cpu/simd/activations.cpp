// One loop for every activation rule.
#include <algorithm>

#include "backend/cpu/simd/moment_sums.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

template <typename T, typename Rule>
void forward(const void* rule_pointer, const T* __restrict input, T* __restrict output, std::int64_t count) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) output[i] = rule.forward(input[i]);
}

// input_gradient may be the same memory as output_gradient.
template <typename T, typename Rule>
void gradient(const void* rule_pointer, const T* input, const T* output, const T* output_gradient,
              T* input_gradient, std::int64_t count) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  if constexpr (Rule::derivative_reads_input) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      input_gradient[i] = output_gradient[i] * rule.derivative(input[i], output[i]);
    }
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      input_gradient[i] = output_gradient[i] * rule.derivative(T(0), output[i]);
    }
  }
}

template <typename T, typename Rule>
void bias_forward(const void* rule_pointer, Block<T> block, const T* __restrict bias) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  for (std::int64_t row = 0; row < block.rows; ++row) {
    T* __restrict values = block.data + row * block.stride;
    if (bias != nullptr) {
#pragma omp simd
      for (std::int64_t i = 0; i < block.columns; ++i) values[i] = rule.forward(values[i] + bias[i]);
    } else {
#pragma omp simd
      for (std::int64_t i = 0; i < block.columns; ++i) values[i] = rule.forward(values[i]);
    }
  }
}

template <typename T, typename Rule>
void bias_forward_measured(const void* rule_pointer, Block<T> block, const T* __restrict bias,
                           PartialMoments& all) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  if (block.rows * block.columns == 0) return;
  if (all.count == 0) {
    all.shift = static_cast<double>(rule.forward(bias == nullptr ? *block.data : *block.data + *bias));
  }
  all.count += static_cast<double>(block.rows * block.columns);
  const std::int64_t rows_of_sum = std::max<std::int64_t>(1, values_of_sum<T> / block.columns);
  for (std::int64_t begin = 0; begin < block.rows; begin += rows_of_sum) {
    MomentSums<T> sums(static_cast<T>(all.shift));
    for (std::int64_t row = begin; row < std::min(begin + rows_of_sum, block.rows); ++row) {
      T* __restrict values = block.data + row * block.stride;
      for (std::int64_t i = 0; i < block.columns; i += lanes<T>) {
        const auto part = static_cast<int>(std::min<std::int64_t>(lanes<T>, block.columns - i));
        const Vector<T> value = load_some(values + i, part);
        const Vector<T> result =
            activated<T>(rule, bias == nullptr ? value : value + load_some(bias + i, part));
        sums.add_some(result, part);
        store_some(values + i, result, part);
      }
    }
    sums.flush(all);
  }
}

}  // namespace

template <typename T>
void fill_activations(Kernels<T>& table) {
  int index = 0;
  ActivationRules::for_each([&]<template <typename> class Rule>() {
    table.activations[index++] = {forward<T, Rule<T>>, gradient<T, Rule<T>>, bias_forward<T, Rule<T>>,
                                  bias_forward_measured<T, Rule<T>>};
  });
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_activations)
