// Rows of samples that lie on the device, gathered in the order of a chunk of batches.
#pragma once

#include <cstdint>

#include "backend/cuda/stream.h"
#include "base/dtype.h"

namespace ravine::cuda {

// out row i = source row indices[i], as its bytes are.
void gather_bytes(Stream& stream, const void* source, const std::int64_t* indices, std::int64_t rows,
                  std::int64_t row_bytes, void* out);

// The same with conversion, or, where there are means, (x - mean) * scale, computed in float64.
struct ScaledRows {
  const void* source;
  DType stored;
  const std::int64_t* indices;
  std::int64_t rows;
  std::int64_t columns;
  const double* mean;  // null: converted alone
  const double* scale;
  void* out;
  DType dtype;
};
void gather_scaled(Stream& stream, const ScaledRows& rows);

// Of samples that are mixed with others: the labels of the others and the shares in the network's type; or,
// where values are approximated, the values themselves are mixed.
struct MixedTargets {
  const void* source;  // of all samples
  const std::int64_t* partners;
  const double* shares;
  std::int64_t rows;
  std::int64_t columns;
};
void mix_labels(Stream& stream, const MixedTargets& mixed, std::int32_t* second_labels, void* shares,
                DType dtype);
void mix_values(Stream& stream, const MixedTargets& mixed, void* targets, DType dtype);

}  // namespace ravine::cuda
