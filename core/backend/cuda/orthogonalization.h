// Newton-Schulz iterations (rules/newton_schulz.h) on matrices in the memory of a device, by products.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/cuda/stream.h"

namespace ravine::cuda {

template <typename T>
class Orthogonalization {
 public:
  struct Extents {
    std::int64_t rows;
    std::int64_t columns;
    std::int64_t squares;  // the number of the sum of its squares
  };
  // All memory is taken here; a run takes none.
  Orthogonalization(Stream& stream, const std::vector<Extents>& matrices);
  ~Orthogonalization();

  // Where matrices lie before and after a run, row by row; and where each begins there.
  T* matrices() const;
  std::int64_t begin(std::size_t matrix) const;
  // Of matrices whose sums of squares are there, on the device.
  void run(const double* squares) noexcept;

 private:
  class Matrix;

  Stream& stream_;
  std::vector<std::unique_ptr<Matrix>> all_;
  Array<T> values_;
  Array<T> others_;
};

}  // namespace ravine::cuda
