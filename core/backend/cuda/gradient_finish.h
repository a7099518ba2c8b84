// What is fused behind gradients of inputs where their kernel does not do it itself.
#pragma once

#include <memory>
#include <optional>

#include "backend/cuda/measure.h"

namespace ravine::cuda {

// Of the tensors that do not exist there is nothing to do; those that do are the same in every run.
template <typename T>
struct GradientFinishTensors {
  Cells<T> gradient;
  Cells<T> add;
  Cells<T> activation_input;
  Cells<T> activation_output;
  Cells<T> result;  // may be the gradient
};

// result = (gradient + add) f'(input, output), f the activation before.
template <typename T>
class GradientFinish {
 public:
  virtual ~GradientFinish() = default;
  virtual void run(Stream& stream, std::int64_t elements,
                   const GradientFinishTensors<T>& tensors) const noexcept = 0;
};

// Without a rule nothing is multiplied.
template <typename T>
std::unique_ptr<GradientFinish<T>> make_gradient_finish(const std::optional<Component>& rule);

}  // namespace ravine::cuda
