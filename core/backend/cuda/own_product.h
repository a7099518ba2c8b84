// Products that are too small for a library: one kernel with all that follows.
#pragma once

#include <memory>

#include "backend/cuda/cells.h"
#include "backend/cuda/matrix_product.h"
#include "base/values.h"

namespace ravine::cuda {

// Whether a library would take longer to begin than this takes.
bool is_small(const RowMajorProduct& product);

// Row by row; output = f(left right + bias), or (left right) f'(activation_input, activation_output).
template <typename T>
struct OwnProductTensors {
  Cells<T> left;
  Cells<T> right;
  const T* bias;  // null for none
  Cells<T> activation_input;
  Cells<T> activation_output;
  Cells<T> output;
  T* left_sums;  // of the left factor over the summed extent, a value a row of the output; null for none
};

template <typename T>
class OwnProduct {
 public:
  virtual ~OwnProduct() = default;
  virtual void run(const OwnProductTensors<T>& tensors) const noexcept = 0;
};

// `rounds`: factors are rounded to bfloat16 where they are not stored so.
template <typename T>
std::unique_ptr<OwnProduct<T>> make_own_product(Stream& stream, const RowMajorProduct& product, bool rounds,
                                                const Component* activation,
                                                const Component* activation_gradient);

}  // namespace ravine::cuda
