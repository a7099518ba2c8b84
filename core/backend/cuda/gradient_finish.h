// gradient = (gradient + add) times the derivative of the activation before, each where it is given.
#pragma once

#include <optional>

#include "backend/cuda/operation.h"

namespace ravine::cuda {

struct GradientFinish {
  TensorId gradient;
  TensorId add = no_tensor;
  std::optional<Component> activation = {};
  TensorId activation_input = no_tensor;
  TensorId activation_output = no_tensor;
};

template <typename T>
Prepared prepare_gradient_finish(const GradientFinish& o, const Preparation& preparation);

}  // namespace ravine::cuda
