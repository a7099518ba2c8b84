// Products whose factors are rounded to bfloat16 and multiplied in pairs along the sum, which is float32.
#pragma once

#include <memory>
#include <vector>

#include "backend/cpu/aligned_array.h"
#include "backend/cpu/product_engine.h"
#include "backend/cpu/simd/kernels.h"

namespace ravine::cpu {

// A factor as it lies in memory, and in pairs. Its extent is that of the output: rows of the left factor,
// columns of the right one.
class PairedFactor {
 public:
  PairedFactor(bool is_left, bool is_transposed, std::int64_t extent, std::int64_t k, std::int64_t stride)
      : is_left_(is_left), is_transposed_(is_transposed), extent_(extent), k_(k), stride_(stride) {}

  // Of pairs for a part of the factor; whole cache lines.
  std::int64_t stride_for(std::int64_t count, std::int64_t summed) const;
  std::int64_t size_for(std::int64_t count, std::int64_t summed) const;
  // Where in pairs of this stride an index of the extent and of the sum (an even one) is.
  std::int64_t place(std::int64_t index, std::int64_t sum_index, std::int64_t stride) const;
  // Rounds a part into pairs, the first of which is at `pairs`.
  void round(const float* data, std::int64_t first, std::int64_t count, std::int64_t first_summed,
             std::int64_t summed, Bfloat16Pair* pairs, std::int64_t stride) const noexcept;
  // The whole factor is rounded in tiles, each of some of its rows in memory.
  int tiles() const;
  void round_tile(int tile, const float* data, Bfloat16Pair* pairs, std::int64_t stride) const noexcept;

 private:
  static constexpr std::int64_t rows_of_tile = 32;

  bool sums_over_rows() const { return is_left_ == is_transposed_; }
  bool pairs_in_rows() const { return is_left_ && !is_transposed_; }

  bool is_left_;
  bool is_transposed_;
  std::int64_t extent_;
  std::int64_t k_;
  std::int64_t stride_;
};

// Computes blocks of rows, or of columns, of an output. The factor that all blocks share is rounded before;
// of the other one each block rounds its own part.
class RoundedProduct {
 public:
  RoundedProduct(const ProductShape& shape, bool along_rows, int workers);

  int shared_tiles() const { return shared().tiles(); }
  void round_shared(int tile, const float* left, const float* right) noexcept;
  // Some rows, or columns, of the output, which begins at `output`; each worker may compute others.
  void run(int worker, std::int64_t first, std::int64_t count, const float* left, const float* right,
           float* output) noexcept;
  static const char* name() { return "own bf16"; }

 private:
  const PairedFactor& shared() const { return along_rows_ ? right_ : left_; }
  StridedBlock<Bfloat16Pair> as_left(const Bfloat16Pair* pairs, std::int64_t stride) const;

  ProductShape shape_;
  bool along_rows_;
  PairedFactor left_;
  PairedFactor right_;
  std::int64_t shared_stride_;
  std::int64_t part_stride_;
  AlignedArray<Bfloat16Pair> shared_;
  std::vector<AlignedArray<Bfloat16Pair>> parts_;  // one a worker
};

// Products that each worker computes alone.
std::unique_ptr<ProductEngine<float>> make_rounded_product(const ProductShape& shape, int workers);

}  // namespace ravine::cpu
