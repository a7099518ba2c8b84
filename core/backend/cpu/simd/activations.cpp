// One loop for every activation rule.
#include "backend/cpu/simd/table.h"

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

}  // namespace

template <typename T>
void fill_activations(Kernels<T>& table) {
  int index = 0;
  ActivationRules::for_each([&]<template <typename> class Rule>() {
    table.activations[index++] = {forward<T, Rule<T>>, gradient<T, Rule<T>>, bias_forward<T, Rule<T>>};
  });
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_activations)
