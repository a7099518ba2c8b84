// How a program is computed. Apart from the number format, no choice changes results by more than rounding.
#pragma once

#include <cstdint>

namespace ravine {

struct ComputeOptions {
  // Bias, activation and its derivative are part of the operation before them.
  bool fuse = true;
  // Batch normalization, the addition of a shortcut and the activation are one pass.
  bool fuse_normalization = true;
  // Workers wait for each other between phases instead of between operations.
  bool phases = true;
  // Neighbouring convolutions and poolings take a few images after the other through all of them.
  bool chunks = true;
  // Products over short sums are computed by kernels of our own.
  bool own_products = true;
  // Convolutions with windows of 3 x 3 and 5 x 5, except in float64, are computed by Winograd's method: with
  // less than half of the multiplications, and more rounding: some 10^-6 of the values, six in gradients of
  // weights.
  bool winograd = true;
  // In bfloat16: what lies between operations that can read and write it is stored in it.
  bool store_bfloat16 = true;
  // On a GPU, training steps follow each other without a stop for the host.
  bool device_steps = true;
  // Tensors that do not live at the same time share memory.
  bool share_memory = true;
  // Layers between outputs that are kept for the backward pass; the others are computed again there. 0: all
  // are kept.
  std::int64_t checkpoint_every = 0;
  // Operands of products and convolutions are rounded to bfloat16; sums stay float32.
  bool bfloat16 = false;
  // On a GPU: operands of products and convolutions in float32 may be rounded to 11 significant bits.
  bool tf32 = false;
};

}  // namespace ravine
