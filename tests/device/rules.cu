// Compiled by tests/packaging/test_device_rules.py where nvcc is: every rule must be device code too.
#include "rules/activations/list.h"
#include "rules/distributions/constant.h"
#include "rules/distributions/normal.h"
#include "rules/distributions/truncated_normal.h"
#include "rules/distributions/uniform.h"
#include "rules/losses/list.h"
#include "rules/penalty.h"
#include "rules/updates/list.h"

namespace ravine {

template <typename T, typename Rule>
__global__ void activate(Rule rule, const T* x, T* y, T* gradient) {
  const int i = threadIdx.x;
  y[i] = rule.forward(x[i]);
  gradient[i] *= rule.derivative(x[i], y[i]);
}

template <typename T, typename Rule>
__global__ void lose(Rule rule, const T* a, const T* y, T* loss) {
  const int i = threadIdx.x;
  if constexpr (requires { Rule::output_setting; }) {
    loss[i] = rule.forward(a[i], y[i], T(2)) + rule.derivative(a[i], y[i], T(2));
  } else {
    loss[i] = rule.forward(a[i], y[i]) + rule.derivative(a[i], y[i]);
  }
}

template <typename T, typename Rule, std::size_t... Slot>
__device__ void update_one(const Rule& rule, T* theta, T g, T* slots, std::index_sequence<Slot...>) {
  if constexpr (requires { &Rule::decay; }) *theta = rule.decay(*theta);
  rule.update(*theta, g, slots[Slot]...);
  if constexpr (requires { &Rule::look_ahead; }) *theta = rule.look_ahead(*theta, slots[Slot]...);
  if constexpr (requires { &Rule::direction; }) {
    *theta = rule.decay_matrix(*theta) - rule.step_size(T(2), T(3)) * rule.direction(g, slots[Slot]...);
  }
}

template <typename T, typename Rule>
__global__ void update(Rule rule, T* theta, const T* g, T* slots) {
  update_one<T>(rule, theta + threadIdx.x, g[threadIdx.x], slots, std::make_index_sequence<Rule::slots.size()>{});
}

template <typename T>
__global__ void penalize(Penalty<T> penalty, T* theta, T* g) {
  const int i = threadIdx.x;
  g[i] = penalty.gradient(g[i], theta[i]);
  theta[i] = penalty.shrink(theta[i]);
}
template __global__ void penalize<float>(Penalty<float>, float*, float*);
template __global__ void penalize<double>(Penalty<double>, double*, double*);

template <typename Rule>
__global__ void draw(Rule rule, RandomKey key, double* out) {
  out[threadIdx.x] = rule.draw(key.bits(threadIdx.x));
}

template <typename T>
void instantiate(const Values& settings, T* data) {
  ActivationRules::for_each([&]<template <typename> class Rule>() {
    activate<T><<<1, 32>>>(Rule<T>(settings), data, data, data);
  });
  ElementwiseLossRules::for_each([&]<template <typename> class Rule>() {
    lose<T><<<1, 32>>>(Rule<T>(settings), data, data, data);
  });
  UpdateRules::for_each([&]<template <typename> class Rule>() {
    update<T><<<1, 32>>>(Rule<T>(settings, 1), data, data, data);
  });
}

void instantiate_all(const Values& settings, float* single, double* judged) {
  instantiate<float>(settings, single);
  instantiate<double>(settings, judged);
  draw<<<1, 32>>>(ConstantDistribution{0}, RandomKey{}, judged);
  draw<<<1, 32>>>(UniformDistribution{0, 1}, RandomKey{}, judged);
  draw<<<1, 32>>>(NormalDistribution{0, 1}, RandomKey{}, judged);
  draw<<<1, 32>>>(TruncatedNormalDistribution{0, 1, -2, 2}, RandomKey{}, judged);
}

}  // namespace ravine
