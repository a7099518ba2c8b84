#include "backend/cpu/rounded_product.h"

#include <algorithm>

namespace ravine::cpu {
namespace {

// Of a sum, and of the factor that is cut: their pairs stay in the cache of a core.
constexpr std::int64_t summed_at_once = 2048;
constexpr std::int64_t rows_at_once = 48;
constexpr std::int64_t columns_at_once = 64;

std::int64_t pairs_of(std::int64_t count) { return (count + 1) / 2; }
std::int64_t whole_lines(std::int64_t pairs) { return (pairs + 15) / 16 * 16; }

}  // namespace

std::int64_t PairedFactor::stride_for(std::int64_t count, std::int64_t summed) const {
  return whole_lines(pairs_in_rows() ? pairs_of(summed) : count);
}

std::int64_t PairedFactor::size_for(std::int64_t count, std::int64_t summed) const {
  return stride_for(count, summed) * (pairs_in_rows() ? count : pairs_of(summed));
}

std::int64_t PairedFactor::place(std::int64_t index, std::int64_t sum_index, std::int64_t stride) const {
  return pairs_in_rows() ? index * stride + sum_index / 2 : sum_index / 2 * stride + index;
}

Pairs PairedFactor::pairs_in(const void* data, std::int64_t first, std::int64_t first_summed) const {
  return {static_cast<const Bfloat16Pair*>(data) + place(first, first_summed, stride_ / 2), stride_ / 2};
}

void PairedFactor::round(const void* data, std::int64_t first, std::int64_t count, std::int64_t first_summed,
                         std::int64_t summed, Bfloat16Pair* pairs, std::int64_t stride) const noexcept {
  const auto bring = [&]<typename T>(const PairLoops<T>& loops, const T* values) {
    if (sums_over_rows()) {
      loops.pair_rows({values + first_summed * stride_ + first, summed, count, stride_}, pairs, stride);
      return;
    }
    const Block<const T> block{values + first * stride_ + first_summed, count, summed, stride_};
    (is_left_ ? loops.pair_columns : loops.pair_columns_transposed)(block, pairs, stride);
  };
  const auto& loops = kernels<float>().bfloat16;
  if (is_stored_) {
    bring(loops.stored, static_cast<const Bfloat16*>(data));
  } else {
    bring(static_cast<const PairLoops<float>&>(loops), static_cast<const float*>(data));
  }
}

int PairedFactor::tiles() const {
  return static_cast<int>(((sums_over_rows() ? k_ : extent_) + rows_of_tile - 1) / rows_of_tile);
}

void PairedFactor::round_tile(int tile, const void* data, Bfloat16Pair* pairs,
                              std::int64_t stride) const noexcept {
  const std::int64_t row = tile * rows_of_tile;
  if (sums_over_rows()) {
    round(data, 0, extent_, row, std::min(rows_of_tile, k_ - row), pairs + place(0, row, stride), stride);
  } else {
    round(data, row, std::min(rows_of_tile, extent_ - row), 0, k_, pairs + place(row, 0, stride), stride);
  }
}

RoundedProduct::RoundedProduct(const ProductShape& shape, StoredFactors stored, bool along_rows, int workers)
    : shape_(shape),
      along_rows_(along_rows),
      left_(true, shape.transpose_left, stored.left, shape.m, shape.k, shape.left_stride),
      right_(false, shape.transpose_right, stored.right, shape.n, shape.k, shape.right_stride) {
  const PairedFactor& cut = along_rows ? left_ : right_;
  const std::int64_t extent = along_rows ? shape.n : shape.m;
  const std::int64_t part = along_rows ? rows_at_once : columns_at_once;
  const std::int64_t summed = std::min(shape.k, summed_at_once);
  shared_stride_ = shared().stride_for(extent, shape.k);
  if (!shared().is_paired()) shared_ = AlignedArray<Bfloat16Pair>(shared().size_for(extent, shape.k));
  part_stride_ = cut.stride_for(part, summed);
  if (cut.is_paired()) return;
  for (int worker = 0; worker < workers; ++worker) parts_.emplace_back(cut.size_for(part, summed));
}

void RoundedProduct::round_shared(int tile, const void* left, const void* right) noexcept {
  shared().round_tile(tile, along_rows_ ? right : left, shared_.get(), shared_stride_);
}

void RoundedProduct::run(int worker, std::int64_t first, std::int64_t count, const void* left,
                         const void* right, float* output, std::int64_t output_stride) noexcept {
  const auto product = kernels<float>().bfloat16.product;
  const PairedFactor& cut = along_rows_ ? left_ : right_;
  const void* cut_data = along_rows_ ? left : right;
  const void* shared_data = along_rows_ ? right : left;
  const std::int64_t most = along_rows_ ? rows_at_once : columns_at_once;
  for (std::int64_t begin = first; begin < first + count; begin += most) {
    const std::int64_t length = std::min(most, first + count - begin);
    float* to = output + (begin - first) * (along_rows_ ? output_stride : 1);
    for (std::int64_t sum = 0; sum < shape_.k; sum += summed_at_once) {
      const std::int64_t summed = std::min(summed_at_once, shape_.k - sum);
      const Pairs whole = shared().is_paired()
                              ? shared().pairs_in(shared_data, 0, sum)
                              : Pairs{shared_.get() + shared().place(0, sum, shared_stride_), shared_stride_};
      const Pairs part = cut.is_paired() ? cut.pairs_in(cut_data, begin, sum)
                                         : rounded_part(worker, cut_data, begin, length, sum, summed);
      const std::int64_t m = along_rows_ ? length : shape_.m, n = along_rows_ ? shape_.n : length;
      const Pairs& right_pairs = along_rows_ ? whole : part;
      product(as_left(along_rows_ ? part : whole), m, n, pairs_of(summed), right_pairs.data,
              right_pairs.stride, to, output_stride, sum > 0);
    }
  }
}

Pairs RoundedProduct::rounded_part(int worker, const void* data, std::int64_t first, std::int64_t count,
                                   std::int64_t first_summed, std::int64_t summed) noexcept {
  Bfloat16Pair* pairs = parts_[static_cast<std::size_t>(worker)].get();
  (along_rows_ ? left_ : right_).round(data, first, count, first_summed, summed, pairs, part_stride_);
  return {pairs, part_stride_};
}

StridedBlock<Bfloat16Pair> RoundedProduct::as_left(const Pairs& pairs) const {
  if (shape_.transpose_left) return {pairs.data, 1, pairs.stride};
  return {pairs.data, pairs.stride, 1};
}

namespace {

class RoundedEngine final : public ProductEngine<float> {
 public:
  RoundedEngine(const ProductShape& shape, int workers) : shape_(shape), along_rows_(shape.m >= shape.n) {
    for (int worker = 0; worker < workers; ++worker)
      products_.emplace_back(shape, StoredFactors{}, along_rows_, 1);
  }
  void run(int worker, const float* left, const float* right, float* output) noexcept override {
    RoundedProduct& product = products_[static_cast<std::size_t>(worker)];
    for (int tile = 0; tile < product.shared_tiles(); ++tile) product.round_shared(tile, left, right);
    product.run(0, 0, along_rows_ ? shape_.m : shape_.n, left, right, output, shape_.output_stride);
  }
  const char* name() const override { return RoundedProduct::name(); }

 private:
  ProductShape shape_;
  bool along_rows_;
  std::vector<RoundedProduct> products_;
};

}  // namespace

std::unique_ptr<ProductEngine<float>> make_rounded_product(const ProductShape& shape, int workers) {
  return std::make_unique<RoundedEngine>(shape, workers);
}

}  // namespace ravine::cpu
