// Normalization: sums over tiles are kept apart, in double, and put together in tile order.
#include <algorithm>

#include "backend/cpu/loop_operation.h"
#include "backend/cpu/measure.h"

namespace ravine::cpu {
namespace {

// Tiles that keep sums of their own are at most so many.
constexpr std::int64_t most_summing_tiles = 64;

void limit(Cut& cut, std::int64_t tiles) {
  cut.block = std::max(cut.block, (cut.extent + tiles - 1) / tiles);
}

// A pair of sums for each column and tile.
class PairedSums {
 public:
  PairedSums(int tiles, std::int64_t columns)
      : tiles_(tiles), columns_(columns), values_(static_cast<std::size_t>(2 * tiles * columns)) {}

  double* first(int tile) { return values_.data() + 2 * tile * columns_; }
  double* second(int tile) { return first(tile) + columns_; }

  // Writes the totals, where they are wanted, and returns their sums of squares.
  template <typename T>
  void total(T* first_total, T* second_total, double& first_squares, double& second_squares) {
    first_squares = second_squares = 0;
    for (std::int64_t i = 0; i < columns_; ++i) {
      double sums[2] = {0, 0};
      for (int tile = 0; tile < tiles_; ++tile) {
        sums[0] += first(tile)[i];
        sums[1] += second(tile)[i];
      }
      if (first_total != nullptr) first_total[i] = static_cast<T>(sums[0]);
      if (second_total != nullptr) second_total[i] = static_cast<T>(sums[1]);
      first_squares += sums[0] * sums[0];
      second_squares += sums[1] * sums[1];
    }
  }

 private:
  std::int64_t tiles_;
  std::int64_t columns_;
  std::vector<double> values_;
};

// All tiles, then one that sums over them in their order.
template <typename Base>
class SummingOperation : public Base {
 public:
  using Base::Base;
  int stages() const override { return finishes() ? 2 : 1; }
  int tiles_of(int stage) const override { return stage == 0 ? this->tiles() : 1; }
  int heaviest_stage() const override { return 0; }
  void run_stage(int stage, int tile, int worker, const RunContext& context) noexcept override {
    if (stage == 0) {
      this->run(tile, worker, context);
    } else {
      finish();
    }
  }

 protected:
  virtual bool finishes() const { return true; }
  virtual void finish() noexcept = 0;
};

// Rows of a matrix, cut into tiles.
template <typename T>
class RowOperation : public LoopOperation<T> {
 public:
  RowOperation(const Tensor& tensor, const PointerTable& pointers, bool sums = false)
      : LoopOperation<T>(pointers, rows_of(tensor), columns_of(tensor)), columns_(columns_of(tensor)) {
    if (sums) limit(this->cut_, most_summing_tiles);
  }

 protected:
  T* rows_from(TensorId id, int tile) const {
    return id == no_tensor ? nullptr : this->at(id) + this->cut_.begin(tile) * columns_;
  }
  Block<const T> block(TensorId id, int tile) const {
    return {rows_from(id, tile), this->cut_.length(tile), columns_, columns_};
  }

  std::int64_t columns_;
};

template <typename T>
class ColumnMomentsOperation final : public SummingOperation<RowOperation<T>> {
 public:
  ColumnMomentsOperation(const ColumnMoments& o, const Program& program, const PointerTable& pointers)
      : SummingOperation<RowOperation<T>>(program.tensor(o.input), pointers, true),
        operation_(o),
        sums_(this->tiles(), this->columns_) {}

  void run(int tile, int, const RunContext&) noexcept override {
    kernels<T>().column_moments(this->block(operation_.input, tile), sums_.first(tile), sums_.second(tile));
  }
  // By Chan, Golub and LeVeque (1983).
  void finish() noexcept override {
    T* mean = this->at(operation_.mean);
    T* variance = this->at(operation_.variance);
    for (std::int64_t i = 0; i < this->columns_; ++i) {
      double count = 0;
      double all_mean = 0;
      double all_spread = 0;
      for (int tile = 0; tile < this->tiles(); ++tile) {
        const auto own = static_cast<double>(this->cut_.length(tile));
        const double difference = sums_.first(tile)[i] - all_mean;
        all_spread += sums_.second(tile)[i] + difference * difference * count * own / (count + own);
        count += own;
        all_mean += difference * own / count;
      }
      mean[i] = static_cast<T>(all_mean);
      variance[i] = static_cast<T>(all_spread / count);
    }
  }

 private:
  ColumnMoments operation_;
  PairedSums sums_;
};

template <typename T>
class ColumnNormalizationOperation final : public RowOperation<T> {
 public:
  ColumnNormalizationOperation(const ColumnNormalization& o, const Program& program,
                               const PointerTable& pointers)
      : RowOperation<T>(program.tensor(o.input), pointers),
        operation_(o),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const Block<const T> input = this->block(operation_.input, tile);
    T* output = this->rows_from(operation_.output, tile);
    kernels<T>().normalize_columns(
        input,
        {this->at(operation_.mean), this->at(operation_.variance), this->at(operation_.scale),
         this->at(operation_.centre), static_cast<T>(operation_.epsilon)},
        output);
    observer_.see(tile, {output, input.rows, input.columns, input.stride}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  ColumnNormalization operation_;
  Observer<T> observer_;
};

template <typename T>
class ColumnNormalizationSumsOperation final : public SummingOperation<RowOperation<T>> {
 public:
  ColumnNormalizationSumsOperation(const ColumnNormalizationSums& o, const Program& program,
                                   const PointerTable& pointers)
      : SummingOperation<RowOperation<T>>(program.tensor(o.input), pointers, true),
        operation_(o),
        sums_(this->tiles(), this->columns_),
        scale_observer_(o.observe_scale, 1),
        centre_observer_(o.observe_centre, 1) {}

  void run(int tile, int, const RunContext&) noexcept override {
    kernels<T>().column_norm_sums(this->block(operation_.input, tile),
                                  this->rows_from(operation_.output_gradient, tile),
                                  {this->at(operation_.mean), this->at(operation_.variance), nullptr, nullptr,
                                   static_cast<T>(operation_.epsilon)},
                                  sums_.first(tile), sums_.second(tile));
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
  ColumnNormalizationSums operation_;
  PairedSums sums_;
  Observer<T> scale_observer_;
  Observer<T> centre_observer_;
};

template <typename T>
class ColumnNormalizationGradientOperation final : public RowOperation<T> {
 public:
  ColumnNormalizationGradientOperation(const ColumnNormalizationGradient& o, const Program& program,
                                       const PointerTable& pointers)
      : RowOperation<T>(program.tensor(o.input), pointers),
        operation_(o),
        rows_(static_cast<T>(rows_of(program.tensor(o.input)))) {}

  void run(int tile, int, const RunContext&) noexcept override {
    kernels<T>().column_norm_gradient(
        this->block(operation_.input, tile), this->rows_from(operation_.output_gradient, tile),
        {this->at(operation_.mean), this->at(operation_.variance), this->at(operation_.scale), nullptr,
         static_cast<T>(operation_.epsilon)},
        this->at(operation_.scale_gradient), this->at(operation_.centre_gradient), rows_,
        this->rows_from(operation_.input_gradient, tile));
  }

 private:
  ColumnNormalizationGradient operation_;
  T rows_;
};

template <typename T>
class MovingAverageOperation final : public LoopOperation<T> {
 public:
  MovingAverageOperation(const MovingAverage& o, const Program& program, const PointerTable& pointers)
      : LoopOperation<T>(pointers, program.tensor(o.value).shape.elements(), 1),
        operation_(o),
        momentum_(static_cast<T>(o.momentum)),
        share_(static_cast<T>((1 - o.momentum) * o.factor)) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const T* value = this->at(operation_.value) + this->cut_.begin(tile);
    T* average = this->at(operation_.average) + this->cut_.begin(tile);
    for (std::int64_t i = 0; i < this->cut_.length(tile); ++i) {
      average[i] = momentum_ * average[i] + share_ * value[i];
    }
  }

 private:
  MovingAverage operation_;
  T momentum_;
  T share_;
};

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

template <typename T>
class AffineOperation final : public LoopOperation<T> {
 public:
  AffineOperation(const Affine& o, const Program& program, const PointerTable& pointers)
      : LoopOperation<T>(pointers, program.tensor(o.input).shape.elements(), 1),
        operation_(o),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t count = this->cut_.length(tile);
    T* output = this->at(operation_.output) + begin;
    kernels<T>().affine(this->at(operation_.input) + begin, static_cast<T>(operation_.factor),
                        static_cast<T>(operation_.shift), output, count);
    observer_.see(tile, {output, 1, count, count}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  Affine operation_;
  Observer<T> observer_;
};

// The weights into each unit as a row.
Tensor by_units(Tensor weight) {
  const std::int64_t units = weight.shape[0];
  weight.shape = {units, weight.shape.elements() / units};
  return weight;
}

template <typename T>
class WeightNormalizationOperation final : public RowOperation<T> {
 public:
  WeightNormalizationOperation(const WeightNormalization& o, const Program& program,
                               const PointerTable& pointers)
      : RowOperation<T>(by_units(program.tensor(o.direction)), pointers), operation_(o) {}

  void run(int tile, int, const RunContext&) noexcept override {
    kernels<T>().normalize_weight(this->block(operation_.direction, tile),
                                  this->at(operation_.gain) + this->cut_.begin(tile),
                                  this->rows_from(operation_.weight, tile));
  }

 private:
  WeightNormalization operation_;
};

template <typename T>
class WeightNormalizationGradientOperation final : public RowOperation<T> {
 public:
  WeightNormalizationGradientOperation(const WeightNormalizationGradient& o, const Program& program,
                                       const PointerTable& pointers)
      : RowOperation<T>(by_units(program.tensor(o.direction)), pointers),
        operation_(o),
        direction_observer_(o.observe_direction, this->tiles()),
        gain_observer_(o.observe_gain, this->tiles()) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const std::int64_t row = this->cut_.begin(tile);
    const auto squares = kernels<T>().weight_norm_gradient(
        this->block(operation_.direction, tile), this->at(operation_.gain) + row,
        this->rows_from(operation_.weight_gradient, tile),
        this->rows_from(operation_.direction_gradient, tile), this->at(operation_.gain_gradient) + row);
    direction_observer_.set_squares(tile, squares.direction);
    gain_observer_.set_squares(tile, squares.gain);
  }
  void collect(Measurements& measurements) const noexcept override {
    direction_observer_.collect(measurements);
    gain_observer_.collect(measurements);
  }

 private:
  WeightNormalizationGradient operation_;
  Observer<T> direction_observer_;
  Observer<T> gain_observer_;
};

}  // namespace

#define RAVINE_PREPARE(Given, T)                                                                        \
  template <>                                                                                           \
  std::unique_ptr<CpuOperation> prepare_normalization<T, Given>(const Given& o, const Program& program, \
                                                                const PointerTable& pointers) {         \
    return std::make_unique<Given##Operation<T>>(o, program, pointers);                                 \
  }
#define RAVINE_PREPARE_BOTH(Given) RAVINE_PREPARE(Given, float) RAVINE_PREPARE(Given, double)
RAVINE_PREPARE_BOTH(ColumnMoments)
RAVINE_PREPARE_BOTH(ColumnNormalization)
RAVINE_PREPARE_BOTH(ColumnNormalizationSums)
RAVINE_PREPARE_BOTH(ColumnNormalizationGradient)
RAVINE_PREPARE_BOTH(MovingAverage)
RAVINE_PREPARE_BOTH(BlockNormalization)
RAVINE_PREPARE_BOTH(BlockNormalizationGradient)
RAVINE_PREPARE_BOTH(Affine)
RAVINE_PREPARE_BOTH(WeightNormalization)
RAVINE_PREPARE_BOTH(WeightNormalizationGradient)
#undef RAVINE_PREPARE_BOTH
#undef RAVINE_PREPARE

}  // namespace ravine::cpu
