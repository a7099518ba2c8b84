// Normalization of blocks by their own moments: of layers, of groups.
#include <algorithm>

#include "backend/cpu/measure.h"
#include "backend/cpu/summing_operation.h"

namespace ravine::cpu {
namespace {

// Blocks of a tensor seen as [outer, rows, groups, columns], cut into tiles along the outer extent.
template <typename T>
class BlockOperation : public LoopOperation<T> {
 public:
  BlockOperation(const BlockExtents& extents, const PointerTable& pointers, bool sums = false)
      : LoopOperation<T>(pointers, extents.outer, extents.rows * extents.groups * extents.columns),
        extents_(extents),
        width_(extents.groups * extents.columns) {
    if (sums) limit(this->cut_, most_summing_tiles);
  }

 protected:
  std::int64_t begin_of(std::int64_t outer, std::int64_t group) const {
    return outer * extents_.rows * width_ + group * extents_.columns;
  }
  Block<const T> block_at(const T* data) const { return {data, extents_.rows, extents_.columns, width_}; }
  template <typename Pointer>
  static Pointer offset(Pointer data, std::int64_t by) {
    return data == nullptr ? nullptr : data + by;
  }

  BlockExtents extents_;
  std::int64_t width_;  // of a row of all groups
};

template <typename T>
class BlockNormalizationOperation final : public BlockOperation<T> {
 public:
  BlockNormalizationOperation(const BlockNormalization& o, const Program&, const PointerTable& pointers)
      : BlockOperation<T>(o.extents, pointers), operation_(o), observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const std::int64_t first = this->cut_.begin(tile);
    const std::int64_t groups = this->extents_.groups;
    T* output = this->at(operation_.output);
    for (std::int64_t outer = first; outer < first + this->cut_.length(tile); ++outer) {
      for (std::int64_t group = 0; group < groups; ++group) {
        const std::int64_t begin = this->begin_of(outer, group);
        const std::int64_t column = group * this->extents_.columns;
        const std::int64_t index = outer * groups + group;
        kernels<T>().normalize_block(this->block_at(this->at(operation_.input) + begin),
                                     this->offset(this->at(operation_.scale), column),
                                     this->offset(this->at(operation_.centre), column),
                                     static_cast<T>(operation_.epsilon), output + begin,
                                     this->offset(this->at(operation_.mean), index),
                                     this->offset(this->at(operation_.inverse_deviation), index));
      }
    }
    const std::int64_t size = this->extents_.rows * this->width_;
    observer_.see(tile, {output + first * size, this->cut_.length(tile), size, size}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  BlockNormalization operation_;
  Observer<T> observer_;
};

template <typename T>
class BlockNormalizationGradientOperation final : public SummingOperation<BlockOperation<T>> {
 public:
  BlockNormalizationGradientOperation(const BlockNormalizationGradient& o, const Program&,
                                      const PointerTable& pointers)
      : SummingOperation<BlockOperation<T>>(o.extents, pointers, true),
        operation_(o),
        sums_(this->tiles(), this->width_),
        scale_observer_(o.observe_scale, 1),
        centre_observer_(o.observe_centre, 1) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const std::int64_t first = this->cut_.begin(tile);
    const std::int64_t groups = this->extents_.groups;
    const bool sums = finishes();
    if (sums) std::fill_n(sums_.first(tile), 2 * this->width_, 0.0);
    for (std::int64_t outer = first; outer < first + this->cut_.length(tile); ++outer) {
      for (std::int64_t group = 0; group < groups; ++group) {
        const std::int64_t begin = this->begin_of(outer, group);
        const std::int64_t column = group * this->extents_.columns;
        const std::int64_t index = outer * groups + group;
        kernels<T>().block_norm_gradient(
            this->block_at(this->at(operation_.input) + begin), this->at(operation_.output_gradient) + begin,
            this->offset(this->at(operation_.scale), column), this->at(operation_.mean)[index],
            this->at(operation_.inverse_deviation)[index],
            this->offset(this->at(operation_.input_gradient), begin),
            sums ? sums_.first(tile) + column : nullptr, sums ? sums_.second(tile) + column : nullptr);
      }
    }
  }
  bool finishes() const override {
    return operation_.scale_gradient != no_tensor || operation_.centre_gradient != no_tensor;
  }
  void finish() noexcept override {
    double squares[2];
    sums_.total(this->at(operation_.scale_gradient), this->at(operation_.centre_gradient), squares[0],
                squares[1]);
    scale_observer_.set_squares(0, squares[0]);
    centre_observer_.set_squares(0, squares[1]);
  }
  void collect(Measurements& measurements) const noexcept override {
    scale_observer_.collect(measurements);
    centre_observer_.collect(measurements);
  }

 private:
  BlockNormalizationGradient operation_;
  PairedSums sums_;
  Observer<T> scale_observer_;
  Observer<T> centre_observer_;
};

}  // namespace

#define RAVINE_PREPARE(Given, T)                                                                 \
  template <>                                                                                    \
  std::unique_ptr<CpuOperation> prepare_normalization<T, Given>(                                 \
      const Given& o, const Program& program, const PointerTable& pointers, int, std::int64_t) { \
    return std::make_unique<Given##Operation<T>>(o, program, pointers);                          \
  }
#define RAVINE_PREPARE_BOTH(Given) RAVINE_PREPARE(Given, float) RAVINE_PREPARE(Given, double)
RAVINE_PREPARE_BOTH(BlockNormalization)
RAVINE_PREPARE_BOTH(BlockNormalizationGradient)
#undef RAVINE_PREPARE_BOTH
#undef RAVINE_PREPARE

}  // namespace ravine::cpu
