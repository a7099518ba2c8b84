// What tiles measured, kept apart until it is summed in tile order.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "backend/cpu/histogram.h"
#include "backend/cpu/rule_object.h"
#include "backend/cpu/simd/kernels.h"

namespace ravine::cpu {

// Combines moments of tiles by Chan, Golub and LeVeque (1983).
OutputMoments combine(const std::vector<PartialMoments>& partials);

template <typename T>
class Observer {
 public:
  Observer(const Observation& observe, int tiles)
      : observe_(observe),
        moments_(observe.layer >= 0 ? static_cast<std::size_t>(tiles) : 0),
        squares_(observe.parameter >= 0 ? static_cast<std::size_t>(tiles) : 0) {}

  void see(int tile, Block<const T> block, const RunContext& context) noexcept {
    const auto index = static_cast<std::size_t>(tile);
    if (measures(context)) {
      moments_[index] = {};
      kernels<T>().moments(block, moments_[index]);
    }
    see_values(block, context);
    if (!squares_.empty()) squares_[index] = kernels<T>().squares(block);
  }
  // The same of f(block + bias), which is computed in the block's place: on the way, where the block is too
  // large for the nearest cache and its rows fill vectors.
  void see_activated(int tile, Block<T> block, const RuleObject& rule, const T* bias,
                     const RunContext& context) noexcept {
    constexpr std::int64_t values_in_cache = 4096;
    const auto& loops = kernels<T>().activations[rule.index];
    const Block<const T> output{block.data, block.rows, block.columns, block.stride};
    const bool at_once = block.rows * block.columns > values_in_cache && block.columns % 16 == 0;
    PartialMoments moments{};
    if (measures(context) && at_once) {
      loops.bias_forward_measured(rule.get(), block, bias, moments);
    } else {
      loops.bias_forward(rule.get(), block, bias);
      if (measures(context)) kernels<T>().moments(output, moments);
    }
    if (measures(context)) set_moments(tile, moments);
    see_values(output, context);
  }
  bool measures(const RunContext& context) const noexcept { return !moments_.empty() && context.observe; }
  // For kernels that measure themselves.
  void set_moments(int tile, const PartialMoments& moments) noexcept {
    if (!moments_.empty()) moments_[static_cast<std::size_t>(tile)] = moments;
  }
  // The distribution of values alone.
  void see_values(Block<const T> block, const RunContext& context) const noexcept {
    if (!moments_.empty() && context.outputs != nullptr) {
      add_to_histogram(block, context.outputs[static_cast<std::size_t>(observe_.layer)]);
    }
  }
  // For kernels that return the sum of squares themselves.
  void set_squares(int tile, double value) noexcept {
    if (!squares_.empty()) squares_[static_cast<std::size_t>(tile)] = value;
  }

  void collect(Measurements& measurements) const noexcept {
    if (!moments_.empty()) {
      measurements.layers[static_cast<std::size_t>(observe_.layer)] = combine(moments_);
    }
    if (!squares_.empty()) {
      double sum = 0;
      for (double value : squares_) sum += value;
      measurements.gradient_squares[static_cast<std::size_t>(observe_.parameter)] = sum;
    }
  }

 private:
  Observation observe_;
  std::vector<PartialMoments> moments_;
  std::vector<double> squares_;
};

}  // namespace ravine::cpu
