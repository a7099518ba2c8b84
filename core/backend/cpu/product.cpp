// A product and its epilogues, tile by tile: bias, activation or its gradient, and measurements are done
// on each tile while it is in cache. Where our own kernels compute a product whose right factor lies column
// by column, that is brought into order: by each tile for its own columns, or, where tiles are rows, by a
// stage before. In bfloat16 the factor that all tiles share is rounded by such a stage, unless it is stored
// so; an output that is stored in bfloat16 is rounded last, from a tile in float32.
#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "backend/cpu/aligned_array.h"
#include "backend/cpu/measure.h"
#include "backend/cpu/operation.h"
#include "backend/cpu/product_engine.h"
#include "backend/cpu/rounded_product.h"
#include "backend/cpu/rule_object.h"
#include "backend/cpu/stored_tile.h"

namespace ravine::cpu {
namespace {

// How the output is cut, along its longer side, into blocks of equal size (the last one may be smaller).
struct Grid {
  bool along_rows;
  std::int64_t block;
  int tiles;
};

Grid grid_for(const ProductExtents& extents, bool own) {
  constexpr double flops_per_tile = 65536;  // a microsecond, or less
  constexpr std::int64_t most_tiles = 32;
  const auto [m, n, k] = extents;
  const bool along_rows = m >= n;
  // Our own kernels take any number of rows, and 64 columns at once.
  const std::int64_t granule = along_rows ? (own ? 1 : 16) : 64;
  const std::int64_t least = along_rows ? 16 : 64;
  const std::int64_t extent = along_rows ? m : n;
  const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const auto most = std::clamp<std::int64_t>(extent / least, 1, most_tiles);
  const auto wanted = std::clamp<std::int64_t>(static_cast<std::int64_t>(flops / flops_per_tile), 1, most);
  const std::int64_t share = (extent + wanted - 1) / wanted;
  const std::int64_t block = (share + granule - 1) / granule * granule;
  return {along_rows, block, static_cast<int>((extent + block - 1) / block)};
}

Grid grid_of_rows(const ProductExtents& extents, std::int64_t rows) {
  return {true, rows, static_cast<int>((extents.m + rows - 1) / rows)};
}

// Our own kernels stream the right factor through the cache: they lead while a strip of it stays there.
template <typename T>
bool prefers_own(const Product& product, const ProductExtents& extents) {
  constexpr std::int64_t longest_sum = 2048;
  constexpr std::int64_t largest_copy = std::int64_t{8} << 20;  // bytes of a transposed right factor
  if (extents.k > longest_sum) return false;
  return !product.transpose_right ||
         extents.n * extents.k * static_cast<std::int64_t>(sizeof(T)) <= largest_copy;
}

template <typename T>
class OwnProduct final : public ProductEngine<T> {
 public:
  explicit OwnProduct(const ProductShape& shape) : shape_(shape) {}
  void run(int, const T* left, const T* right, T* output) noexcept override {
    const StridedBlock<T> strided{left, shape_.transpose_left ? 1 : shape_.left_stride,
                                  shape_.transpose_left ? shape_.left_stride : 1};
    kernels<T>().product(strided, shape_.m, shape_.n, shape_.k, right, shape_.right_stride, output,
                         shape_.output_stride);
  }
  const char* name() const override { return "own"; }

 private:
  ProductShape shape_;
};

// Of a right factor that lies column by column: a strip of columns is brought into order, into a place that
// stays in the worker's cache, and multiplied.
template <typename T>
class StripProduct final : public ProductEngine<T> {
 public:
  StripProduct(const ProductShape& shape, int workers) : shape_(shape) {
    for (int worker = 0; worker < workers; ++worker) strips_.emplace_back(width * shape.k);
  }
  void run(int worker, const T* left, const T* right, T* output) noexcept override {
    T* strip = strips_[static_cast<std::size_t>(worker)].get();
    const StridedBlock<T> strided{left, shape_.left_stride, 1};
    for (std::int64_t column = 0; column < shape_.n; column += width) {
      const std::int64_t columns = std::min(width, shape_.n - column);
      kernels<T>().transpose({right + column * shape_.right_stride, columns, shape_.k, shape_.right_stride},
                             strip, width);
      kernels<T>().product(strided, shape_.m, columns, shape_.k, strip, width, output + column,
                           shape_.output_stride);
    }
  }
  const char* name() const override { return "own"; }

 private:
  static constexpr std::int64_t width = 64;
  ProductShape shape_;
  std::vector<AlignedArray<T>> strips_;  // one a worker
};

template <typename T>
class ProductOperation final : public CpuOperation {
 public:
  ProductOperation(const Product& product, const Program& program, const PointerTable& pointers, int workers,
                   std::int64_t samples)
      : product_(product),
        pointers_(pointers),
        extents_(extents_of(product, program)),
        own_(program.options.bfloat16 || (program.options.own_products && prefers_own<T>(product, extents_))),
        grid_(samples > 0 ? grid_of_rows(extents_, samples) : grid_for(extents_, own_)),
        left_stride_(columns_of(program.tensor(product.left))),
        right_stride_(columns_of(program.tensor(product.right))),
        output_(product.output, program, grid_.block * (grid_.along_rows ? extents_.n : extents_.m), workers),
        activation_input_(product.activation_input, program, widened_at_once, workers),
        activation_output_(product.activation_output, program, widened_at_once, workers),
        observer_(product.observe, grid_.tiles) {
    for (std::int64_t extent : {extents_.m, extents_.n, extents_.k}) {
      if (extent > std::numeric_limits<std::int32_t>::max()) {
        throw Error(ErrorCode::shape_mismatch,
                    "a matrix product over " + std::to_string(extent) + " values is too large");
      }
    }
    if (product.activation || product.bias != no_tensor) {
      const Component identity{"identity", {}};
      const Component& rule = product.activation ? *product.activation : identity;
      activation_ = make_rule<ActivationRules, T>(rule.name, rule.values);
    }
    if (product.activation_gradient) {
      gradient_ = make_rule<ActivationRules, T>(product.activation_gradient->name,
                                                product.activation_gradient->values);
    }
    if (program.options.bfloat16) {
      const StoredFactors stored{is_stored_in_bfloat16(product.left, program),
                                 is_stored_in_bfloat16(product.right, program)};
      turns_ = turns();
      if (turns_) {
        const ProductShape turned{extents_.n, extents_.m,    extents_.k,   false,
                                  true,       right_stride_, left_stride_, extents_.m};
        rounded_ =
            std::make_unique<RoundedProduct>(turned, StoredFactors{stored.right, stored.left}, true, workers);
        for (int worker = 0; worker < workers; ++worker) turned_.emplace_back(grid_.block * extents_.m);
      } else {
        rounded_ = std::make_unique<RoundedProduct>(whole_shape(), stored, grid_.along_rows, workers);
      }
      order_tiles_ = rounded_->shared_tiles();
      return;
    }
    if (own_ && product.transpose_right && grid_.along_rows) {
      ordered_ = AlignedArray<T>(ordered_stride() * extents_.k);
      order_tiles_ = static_cast<int>((extents_.n + rows_to_order - 1) / rows_to_order);
    }
    const std::int64_t extent = grid_.along_rows ? extents_.m : extents_.n;
    inner_ = make(shape_of(std::min(grid_.block, extent)), workers);
    const std::int64_t rest = extent % grid_.block;
    if (grid_.tiles > 1 && rest != 0) edge_ = make(shape_of(rest), workers);
  }

  int tiles() const override { return grid_.tiles; }
  int stages() const override { return order_tiles_ == 0 ? 1 : 2; }
  int tiles_of(int stage) const override { return stage + 1 == stages() ? grid_.tiles : order_tiles_; }
  void run_stage(int stage, int tile, int worker, const RunContext& context) noexcept override {
    if (stage + 1 == stages()) {
      run(tile, worker, context);
    } else {
      order(tile);
    }
  }

  void run(int tile, int worker, const RunContext& context) noexcept override {
    const std::int64_t begin = tile * grid_.block;
    const std::int64_t row = grid_.along_rows ? begin : 0;
    const std::int64_t column = grid_.along_rows ? 0 : begin;
    const std::int64_t extent = grid_.along_rows ? extents_.m : extents_.n;
    const std::int64_t length = std::min(grid_.block, extent - begin);
    const bool is_edge = edge_ != nullptr && tile == grid_.tiles - 1;

    const std::int64_t offset = row * extents_.n + column;
    const std::int64_t columns = grid_.along_rows ? extents_.n : length;
    const Block<T> block{output_.place(worker, at<void>(product_.output), offset),
                         grid_.along_rows ? length : extents_.m, columns,
                         output_.is_stored() ? columns : extents_.n};
    if (rounded_ != nullptr) {
      multiply_rounded(worker, begin, length, block);
    } else {
      const T* left = at<const T>(product_.left) + (product_.transpose_left ? row : row * left_stride_);
      (is_edge ? edge_ : inner_)->run(worker, left, right_from(column), block.data);
    }
    if (gradient_.index >= 0) multiply_by_derivative(worker, block, offset);
    if (activation_.index >= 0) {
      const T* bias = product_.bias == no_tensor ? nullptr : at<const T>(product_.bias) + column;
      observer_.see_activated(tile, block, activation_, bias, context);
    } else {
      observer_.see(tile, {block.data, block.rows, block.columns, block.stride}, context);
    }
    store(block, offset);
  }

  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

  std::string engine() const override {
    return rounded_ != nullptr ? RoundedProduct::name() : inner_->name();
  }

 private:
  template <typename Element>
  Element* at(TensorId id) const {
    return static_cast<Element*>(pointers_[static_cast<std::size_t>(id)]);
  }

  // Weights that lie column by column are the left factor of the transposed product: their rows are rounded
  // as they lie, and the output, which is smaller, is transposed instead.
  bool turns() const {
    constexpr std::int64_t two_vectors = 32;
    return !grid_.along_rows && product_.transpose_right && !product_.transpose_left &&
           extents_.m >= two_vectors;
  }

  ProductShape whole_shape() const {
    return {extents_.m,   extents_.n,    extents_.k, product_.transpose_left, product_.transpose_right,
            left_stride_, right_stride_, extents_.n};
  }

  ProductShape shape_of(std::int64_t length) const {
    const bool ordered = order_tiles_ > 0;
    return {grid_.along_rows ? length : extents_.m,
            grid_.along_rows ? extents_.n : length,
            extents_.k,
            product_.transpose_left,
            product_.transpose_right && !ordered,
            left_stride_,
            ordered ? ordered_stride() : right_stride_,
            extents_.n};
  }

  std::unique_ptr<ProductEngine<T>> make(const ProductShape& shape, int workers) const {
    if (!own_) return make_product<T>(shape, workers);
    if (shape.transpose_right) return std::make_unique<StripProduct<T>>(shape, workers);
    return std::make_unique<OwnProduct<T>>(shape);
  }

  // Where the product's columns from this one on begin in the right factor.
  const T* right_from(std::int64_t column) const {
    if (order_tiles_ > 0) return ordered_.get() + column;
    return at<const T>(product_.right) + (product_.transpose_right ? column * right_stride_ : column);
  }

  // Whole cache lines, so that workers that bring different rows into order do not write to the same ones.
  std::int64_t ordered_stride() const { return (extents_.n + 15) / 16 * 16; }

  void multiply_rounded(int worker, std::int64_t begin, std::int64_t length, Block<T> output) noexcept {
    if constexpr (std::is_same_v<T, float>) {
      const void* left = at<const void>(product_.left);
      const void* right = at<const void>(product_.right);
      if (!turns_) return rounded_->run(worker, begin, length, left, right, output.data, output.stride);
      T* turned = turned_[static_cast<std::size_t>(worker)].get();
      rounded_->run(worker, begin, length, right, left, turned, extents_.m);
      kernels<T>().transpose({turned, length, extents_.m, extents_.m}, output.data, output.stride);
    }
  }

  // Calls visit(first value in the block, the same in the tensor, count) for what lies one behind the other.
  template <typename Visit>
  void for_rows(Block<T> block, std::int64_t offset, const Visit& visit) const noexcept {
    const bool whole = block.columns == extents_.n;
    const std::int64_t rows = whole ? 1 : block.rows;
    const std::int64_t count = whole ? block.rows * block.columns : block.columns;
    for (std::int64_t row = 0; row < rows; ++row) {
      visit(block.data + row * block.stride, offset + row * extents_.n, count);
    }
  }

  void store(Block<T> block, std::int64_t offset) const noexcept {
    if (!output_.is_stored()) return;
    for_rows(block, offset, [&](const T* values, std::int64_t place, std::int64_t count) {
      output_.store(values, at<void>(product_.output), place, count);
    });
  }

  void order(int tile) noexcept {
    if constexpr (std::is_same_v<T, float>) {
      if (rounded_ != nullptr) {
        const void* left = at<const void>(product_.left);
        const void* right = at<const void>(product_.right);
        rounded_->round_shared(tile, turns_ ? right : left, turns_ ? left : right);
        return;
      }
    }
    const std::int64_t row = tile * rows_to_order;
    const std::int64_t rows = std::min(rows_to_order, extents_.n - row);
    const Block<const T> block{at<const T>(product_.right) + row * right_stride_, rows, extents_.k,
                               right_stride_};
    kernels<T>().transpose(block, ordered_.get() + row, ordered_stride());
  }

  void multiply_by_derivative(int worker, Block<T> block, std::int64_t offset) const noexcept {
    const auto loop = kernels<T>().activations[gradient_.index].gradient;
    const bool widens = activation_input_.is_stored() || activation_output_.is_stored();
    for_rows(block, offset, [&](T* gradient, std::int64_t place, std::int64_t count) {
      const std::int64_t most = widens ? widened_at_once : count;
      for (std::int64_t begin = 0; begin < count; begin += most) {
        const std::int64_t some = std::min(most, count - begin);
        const auto read = [&](const Tile<T>& tile) {
          return tile.read(worker, at<void>(tile.id()), place + begin, some);
        };
        const T* y = read(activation_output_);
        const T* x = product_.activation_input == no_tensor ? y : read(activation_input_);
        loop(gradient_.get(), x, y, gradient + begin, gradient + begin, some);
      }
    });
  }

  Product product_;
  const PointerTable& pointers_;
  ProductExtents extents_;
  bool own_;
  Grid grid_;
  std::int64_t left_stride_;
  std::int64_t right_stride_;
  static constexpr std::int64_t rows_to_order = 32;
  AlignedArray<T> ordered_;                  // the right factor, [k, n], where a stage brings it into order
  int order_tiles_ = 0;                      // of that stage
  std::unique_ptr<RoundedProduct> rounded_;  // in bfloat16
  bool turns_ = false;                       // it is the transposed one
  std::vector<AlignedArray<T>> turned_;      // what it gives, one a worker
  static constexpr std::int64_t widened_at_once = 1024;
  Tile<T> output_;
  Tile<T> activation_input_;
  Tile<T> activation_output_;
  RuleObject activation_;
  RuleObject gradient_;
  std::unique_ptr<ProductEngine<T>> inner_;
  std::unique_ptr<ProductEngine<T>> edge_;
  Observer<T> observer_;
};

}  // namespace

template <typename T>
std::unique_ptr<CpuOperation> prepare_product(const Product& product, const Program& program,
                                              const PointerTable& pointers, int workers,
                                              std::int64_t samples) {
  return std::make_unique<ProductOperation<T>>(product, program, pointers, workers, samples);
}
template std::unique_ptr<CpuOperation> prepare_product<float>(const Product&, const Program&,
                                                              const PointerTable&, int, std::int64_t);
template std::unique_ptr<CpuOperation> prepare_product<double>(const Product&, const Program&,
                                                               const PointerTable&, int, std::int64_t);

}  // namespace ravine::cpu
