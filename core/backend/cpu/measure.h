// What tiles measured, kept apart until it is summed in tile order.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "backend/cpu/histogram.h"
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
    if (!moments_.empty() && context.observe) moments_[index] = kernels<T>().moments(block);
    if (!moments_.empty() && context.outputs != nullptr) {
      add_to_histogram(block, context.outputs[static_cast<std::size_t>(observe_.layer)]);
    }
    if (!squares_.empty()) squares_[index] = kernels<T>().squares(block);
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
