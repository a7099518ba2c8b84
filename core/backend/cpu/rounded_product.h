// Products whose factors are rounded to bfloat16 and multiplied in pairs along the sum, which is float32.
#pragma once

#include <memory>
#include <vector>

#include "backend/cpu/aligned_array.h"
#include "backend/cpu/product_engine.h"
#include "backend/cpu/simd/kernels.h"

namespace ravine::cpu {

// Numbers in pairs, and how far rows are apart.
struct Pairs {
  const Bfloat16Pair* data;
  std::int64_t stride;
};

// A factor as it lies in memory, in float32 or (`is_stored`) in bfloat16, and in pairs. Its extent is that of
// the output: rows of the left factor, columns of the right one.
class PairedFactor {
 public:
  PairedFactor(bool is_left, bool is_transposed, bool is_stored, std::int64_t extent, std::int64_t k,
               std::int64_t stride)
      : is_left_(is_left),
        is_transposed_(is_transposed),
        is_stored_(is_stored),
        extent_(extent),
        k_(k),
        stride_(stride) {}

  // Whether it lies in pairs as it is, and those of a part of it.
  bool is_paired() const { return is_stored_ && pairs_in_rows() && k_ % 2 == 0 && stride_ % 2 == 0; }
  Pairs pairs_in(const void* data, std::int64_t first, std::int64_t first_summed) const;

  // Of pairs for a part of the factor; whole cache lines.
  std::int64_t stride_for(std::int64_t count, std::int64_t summed) const;
  std::int64_t size_for(std::int64_t count, std::int64_t summed) const;
  // Where in pairs of this stride an index of the extent and of the sum (an even one) is.
  std::int64_t place(std::int64_t index, std::int64_t sum_index, std::int64_t stride) const;
  // Rounds a part into pairs, the first of which is at `pairs`.
  void round(const void* data, std::int64_t first, std::int64_t count, std::int64_t first_summed,
             std::int64_t summed, Bfloat16Pair* pairs, std::int64_t stride) const noexcept;
  // The whole factor is rounded in tiles, each of some of its rows in memory.
  int tiles() const;
  void round_tile(int tile, const void* data, Bfloat16Pair* pairs, std::int64_t stride) const noexcept;

 private:
  static constexpr std::int64_t rows_of_tile = 32;

  bool sums_over_rows() const { return is_left_ == is_transposed_; }
  bool pairs_in_rows() const { return is_left_ && !is_transposed_; }

  bool is_left_;
  bool is_transposed_;
  bool is_stored_;
  std::int64_t extent_;
  std::int64_t k_;
  std::int64_t stride_;
};

// Which factors are stored in bfloat16.
struct StoredFactors {
  bool left = false;
  bool right = false;
};

// Computes blocks of rows, or of columns, of an output. The factor that all blocks share is rounded before;
// of the other one each block rounds its own part.
class RoundedProduct {
 public:
  RoundedProduct(const ProductShape& shape, StoredFactors stored, bool along_rows, int workers);

  int shared_tiles() const { return shared().is_paired() ? 0 : shared().tiles(); }
  void round_shared(int tile, const void* left, const void* right) noexcept;
  // Some rows, or columns, of the output, the first of which is at `output`; each worker may compute others.
  void run(int worker, std::int64_t first, std::int64_t count, const void* left, const void* right,
           float* output, std::int64_t output_stride) noexcept;
  static const char* name() { return "own bf16"; }

 private:
  // Of some rows or columns, and a part of the sum, in the worker's own memory.
  Pairs rounded_part(int worker, const void* data, std::int64_t first, std::int64_t count,
                     std::int64_t first_summed, std::int64_t summed) noexcept;
  const PairedFactor& shared() const { return along_rows_ ? right_ : left_; }
  StridedBlock<Bfloat16Pair> as_left(const Pairs& pairs) const;

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
