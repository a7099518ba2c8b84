// One loop for every update rule.
#include <utility>

#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// Sums are flushed to double after so many elements, so that float32 sums stay exact enough.
constexpr std::int64_t flush = 4096;

// Without penalties their arithmetic, a third of a small rule's, is left out.
template <typename T, typename Rule, bool penalized, std::size_t... Slot>
PartialUpdate update(const void* rule_pointer, const UpdateRange<T>& range, std::index_sequence<Slot...>) {
  static_assert(sizeof...(Slot) <= 4, "UpdateRange holds four slots");
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  [[maybe_unused]] const Penalty<T> penalty = range.penalty;
  [[maybe_unused]] const bool decays = range.decays;
  PartialUpdate result{};
  for (std::int64_t begin = 0; begin < range.count; begin += flush) {
    const std::int64_t count = range.count - begin < flush ? range.count - begin : flush;
    T* theta = range.parameters + begin;
    const T* g = range.gradients + begin;
    [[maybe_unused]] T* const slots[] = {range.slots[Slot] + begin..., nullptr};
    T weight_squares = 0;
    T update_squares = 0;
#pragma omp simd reduction(+ : weight_squares, update_squares)
    for (std::int64_t i = 0; i < count; ++i) {
      const T before = theta[i];
      T after = before;
      if constexpr (requires { &Rule::decay; }) after = decays ? rule.decay(before) : before;
      if constexpr (penalized) {
        // Penalties are part of the objective: their gradient is taken where that of the loss was.
        T point = before;
        if constexpr (requires { &Rule::look_ahead; }) point = rule.look_ahead(before, slots[Slot][i]...);
        rule.update(after, penalty.gradient(g[i], point), slots[Slot][i]...);
        after = penalty.shrink(after);
      } else {
        rule.update(after, g[i], slots[Slot][i]...);
      }
      theta[i] = after;
      weight_squares += after * after;
      update_squares += (after - before) * (after - before);
    }
    result.weight_squares += static_cast<double>(weight_squares);
    result.update_squares += static_cast<double>(update_squares);
  }
  return result;
}

template <typename T, typename Rule>
PartialUpdate update_all(const void* rule, const UpdateRange<T>& range) {
  constexpr std::make_index_sequence<Rule::slots.size()> slots;
  return range.penalty.changes_nothing() ? update<T, Rule, false>(rule, range, slots)
                                         : update<T, Rule, true>(rule, range, slots);
}

template <typename T, typename Rule, std::size_t... Slot>
void look_ahead(const void* rule_pointer, const UpdateRange<T>& range, std::index_sequence<Slot...>) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
#pragma omp simd
  for (std::int64_t i = 0; i < range.count; ++i) {
    range.look_ahead[i] = rule.look_ahead(range.parameters[i], range.slots[Slot][i]...);
  }
}

template <typename T, typename Rule>
void look_ahead_all(const void* rule, const UpdateRange<T>& range) {
  look_ahead<T, Rule>(rule, range, std::make_index_sequence<Rule::slots.size()>{});
}

template <typename T, typename Rule, std::size_t... Slot>
double direction(const void* rule_pointer, const UpdateRange<T>& range, T* output,
                 std::index_sequence<Slot...>) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  const Penalty<T> penalty = range.penalty;
  double squares = 0;  // of values whose own squares may lie beyond float32
#pragma omp simd reduction(+ : squares)
  for (std::int64_t i = 0; i < range.count; ++i) {
    const T g = penalty.gradient(range.gradients[i], range.parameters[i]);
    output[i] = rule.direction(g, range.slots[Slot][i]...);
    squares += static_cast<double>(output[i]) * static_cast<double>(output[i]);
  }
  return squares;
}

template <typename T, typename Rule>
double direction_all(const void* rule, const UpdateRange<T>& range, T* output) {
  return direction<T, Rule>(rule, range, output, std::make_index_sequence<Rule::slots.size()>{});
}

template <typename T, typename Rule>
PartialUpdate update_matrix(const void* rule_pointer, const UpdateRange<T>& range, const T* orthogonal) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  const Penalty<T> penalty = range.penalty;
  const T step_size = rule.step_size(range.rows, range.columns);
  PartialUpdate result{};
  for (std::int64_t begin = 0; begin < range.count; begin += flush) {
    const std::int64_t end = range.count - begin < flush ? range.count : begin + flush;
    T weight_squares = 0;
    T update_squares = 0;
#pragma omp simd reduction(+ : weight_squares, update_squares)
    for (std::int64_t i = begin; i < end; ++i) {
      const T before = range.parameters[i];
      const T kept = range.decays ? rule.decay_matrix(before) : before;
      const T after = penalty.shrink(kept - step_size * orthogonal[i]);
      range.parameters[i] = after;
      weight_squares += after * after;
      update_squares += (after - before) * (after - before);
    }
    result.weight_squares += static_cast<double>(weight_squares);
    result.update_squares += static_cast<double>(update_squares);
  }
  return result;
}

}  // namespace

template <typename T>
void fill_updates(Kernels<T>& table) {
  int index = 0;
  UpdateRules::for_each([&]<template <typename> class Rule>() {
    table.updates[index].update = update_all<T, Rule<T>>;
    if constexpr (requires { &Rule<T>::look_ahead; }) {
      table.updates[index].look_ahead = look_ahead_all<T, Rule<T>>;
    }
    if constexpr (requires { &Rule<T>::direction; }) {
      table.updates[index].direction = direction_all<T, Rule<T>>;
      table.updates[index].update_matrix = update_matrix<T, Rule<T>>;
    }
    ++index;
  });
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_updates)
