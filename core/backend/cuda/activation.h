// The loops over an activation rule.
#pragma once

#include <memory>

#include "backend/cuda/measure.h"

namespace ravine::cuda {

template <typename T>
class ActivationLoops {
 public:
  virtual ~ActivationLoops() = default;
  // output = f(input + bias), the bias by column, or null; both may be the same memory.
  virtual void forward(Cells<T> input, const T* bias, std::int64_t columns, Cells<T> output,
                       const Observer& observer, const RunContext& context) const noexcept = 0;
  // input_gradient = output_gradient f'(input, output), which may be the same memory.
  virtual void derivative(Stream& stream, std::int64_t elements, Cells<T> input, Cells<T> output,
                          Cells<T> output_gradient, Cells<T> input_gradient) const noexcept = 0;
};

template <typename T>
std::unique_ptr<ActivationLoops<T>> make_activation_loops(const Component& rule);

}  // namespace ravine::cuda
