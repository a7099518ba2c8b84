// How the files of one instruction set fill its table. Private to this folder.
#pragma once

#include "backend/cpu/simd/kernels.h"

#if !defined(RAVINE_SIMD)
#error "compile the files of this folder with -DRAVINE_SIMD=<level>"
#endif

namespace ravine::cpu::RAVINE_SIMD {

template <typename T>
void fill_activations(Kernels<T>& table);
template <typename T>
void fill_products(Kernels<T>& table);
template <typename T>
void fill_bfloat16(Kernels<T>& table);
template <typename T>
void fill_reductions(Kernels<T>& table);
template <typename T>
void fill_accumulation(Kernels<T>& table);
template <typename T>
void fill_pooling(Kernels<T>& table);
template <typename T>
void fill_winograd(Kernels<T>& table);
template <typename T>
void fill_dropout(Kernels<T>& table);
template <typename T>
void fill_losses(Kernels<T>& table);
template <typename T>
void fill_column_normalization(Kernels<T>& table);
template <typename T>
void fill_normalization(Kernels<T>& table);
template <typename T>
void fill_updates(Kernels<T>& table);

}  // namespace ravine::cpu::RAVINE_SIMD

// Instantiates a fill function for both element types.
#define RAVINE_FILL_BOTH(function)                  \
  namespace ravine::cpu::RAVINE_SIMD {              \
  template void function<float>(Kernels<float>&);   \
  template void function<double>(Kernels<double>&); \
  }
