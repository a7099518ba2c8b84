// What operations read and write, and what they measure.
#pragma once

#include <cstdint>
#include <string>

#include "base/dtype.h"
#include "base/shape.h"

namespace ravine {

using TensorId = int;
inline constexpr TensorId no_tensor = -1;

// Who owns a tensor's memory.
enum class TensorRole {
  input,       // bound by the caller at every run
  target,      // bound by the caller; weights of rows may be left unbound
  output,      // bound by the caller when it wants the result, else in the arena
  activation,  // in the arena
  parameter,   // a slice of the parameter buffer (or of the look-ahead point)
  gradient,    // a slice of the gradient buffer
  state,       // a slice of the state buffer: what layers keep from step to step
};

struct Tensor {
  Shape shape;  // with the batch extent in front where there is one
  DType dtype;
  TensorRole role;
  std::string name;
  std::int64_t offset = 0;     // in elements, for parameters and gradients
  TensorId alias = no_tensor;  // the same memory under another shape
};

// What an operation measures of its output while that is in cache; -1 for nothing.
struct Observation {
  int layer = -1;      // mean, variance and fraction of zeros of this layer's output
  int parameter = -1;  // sum of squares of this parameter's gradient
};

}  // namespace ravine
