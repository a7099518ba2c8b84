#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {

#define RAVINE_TEXT(name) #name
#define RAVINE_NAME(name) RAVINE_TEXT(name)

template <typename T>
Kernels<T> make_kernels() {
  Kernels<T> table{};
  table.level = RAVINE_NAME(RAVINE_SIMD);
  fill_activations(table);
  fill_products(table);
  fill_bfloat16(table);
  fill_reductions(table);
  fill_accumulation(table);
  fill_pooling(table);
  fill_winograd(table);
  fill_dropout(table);
  fill_losses(table);
  fill_column_normalization(table);
  fill_normalization(table);
  fill_updates(table);
  return table;
}

template Kernels<float> make_kernels<float>();
template Kernels<double> make_kernels<double>();

}  // namespace ravine::cpu::RAVINE_SIMD
