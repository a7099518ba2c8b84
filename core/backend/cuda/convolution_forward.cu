// Convolution as a product: rows are places of the output, columns filters, and the depth is a window with
// its channels. Both factors lie along the depth.
#include "backend/cuda/convolution_engine.h"
#include "backend/cuda/divider.h"
#include "backend/cuda/implicit_product.h"
#include "rules/activations/relu.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct ForwardSides {
  static constexpr bool left_along_depth = true;
  static constexpr bool right_along_depth = true;

  struct Tile {
    bool exists;
    std::int32_t first_row, first_column, depth, group;
  };
  // A window: its first row and column in the image, which may lie before them, and the image.
  struct Left {
    bool exists;
    std::int32_t y, x;
    std::int64_t image;
  };
  struct Right {
    bool exists;
    std::int64_t filter;
  };

  ConvolutionExtents e;
  Factor<T> input;
  Factor<T> weight;
  Cells<T> output;
  bool stores_fours;
  const T* bias;
  bool has_relu;
  Relu<T> relu;
  Divider by_out_width, by_out_height, by_channels, by_window_width;

  ForwardSides(const ConvolutionTask& task, const ConvolutionTensors<T>& tensors)
      : e(task.extents),
        input{tensors.input, lie_by_fours(tensors.input, e.group_channels)},
        weight{tensors.weight, lie_by_fours(tensors.weight, e.group_channels)},
        output(tensors.output),
        stores_fours(lie_by_fours(tensors.output, e.group_filters)),
        bias(tensors.bias),
        has_relu(task.has_relu),
        relu(Values{}),
        by_out_width(e.out_width),
        by_out_height(e.out_height),
        by_channels(e.group_channels),
        by_window_width(e.window_width) {}

  std::int64_t blocks(int rows, int columns) const {
    return (std::int64_t{e.places()} + rows - 1) / rows * column_tiles(columns) * e.groups;
  }
  RAVINE_HOST_DEVICE std::int64_t column_tiles(int columns) const {
    return (e.group_filters + columns - 1) / columns;
  }

  RAVINE_HOST_DEVICE Tile tile(std::int64_t block, int rows, int columns) const {
    const auto group = static_cast<std::int32_t>(block % e.groups);
    block /= e.groups;
    const std::int64_t tiles = column_tiles(columns);
    return {true, static_cast<std::int32_t>(block / tiles * rows),
            static_cast<std::int32_t>(block % tiles * columns), e.weights_of_filter(), group};
  }

  RAVINE_HOST_DEVICE Left left(const Tile& tile, std::int32_t row) const {
    if (row >= e.places()) return {false, 0, 0, 0};
    std::int32_t x = row;
    std::int32_t y = by_out_width.divide(x);
    const std::int32_t image = by_out_height.divide(y);
    return {true, y * e.stride - e.top, x * e.stride - e.left,
            std::int64_t{image} * e.height * e.width * e.channels + tile.group * e.group_channels};
  }
  RAVINE_HOST_DEVICE void load_left(const Tile& tile, const Left& left, std::int32_t depth,
                                    T (&values)[4]) const {
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) values[j] = 0;
    if (!left.exists) return;
    if (input.by_fours) {
      const std::int64_t place = depth < tile.depth ? place_of(left, depth) : -1;
      if (place < 0) return;
      const Four<T> four = input.load_four(place);
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) values[j] = four.values[j];
      return;
    }
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) {
      const std::int64_t place = depth + j < tile.depth ? place_of(left, depth + j) : -1;
      if (place >= 0) values[j] = input.load(place);
    }
  }

  RAVINE_HOST_DEVICE Right right(const Tile& tile, std::int32_t column) const {
    if (column >= e.group_filters) return {false, 0};
    return {true, (std::int64_t{tile.group} * e.group_filters + column) * tile.depth};
  }
  RAVINE_HOST_DEVICE void load_right(const Tile& tile, const Right& right, std::int32_t depth,
                                     T (&values)[4]) const {
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) values[j] = 0;
    if (!right.exists) return;
    if (weight.by_fours) {
      if (depth >= tile.depth) return;
      const Four<T> four = weight.load_four(right.filter + depth);
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) values[j] = four.values[j];
      return;
    }
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) {
      if (depth + j < tile.depth) values[j] = weight.load(right.filter + depth + j);
    }
  }

  RAVINE_HOST_DEVICE void store(const Tile& tile, std::int32_t row, std::int32_t column,
                                const T (&values)[4][4]) const {
    const std::int32_t first = tile.group * e.group_filters + column;
    const std::int32_t count = e.group_filters - column < 4 ? e.group_filters - column : 4;
    T shifts[4];
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) shifts[j] = bias == nullptr || j >= count ? T(0) : bias[first + j];
    RAVINE_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (row + i >= e.places()) continue;
      Four<T> four;
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) {
        const T value = values[i][j] + shifts[j];
        four.values[j] = has_relu ? relu.forward(value) : value;
      }
      store_some(output, stores_fours, std::int64_t{row + i} * e.filters + first, four, count);
    }
  }

 private:
  // Where a value under the window lies; -1 beyond the image.
  RAVINE_HOST_DEVICE std::int64_t place_of(const Left& left, std::int32_t depth) const {
    std::int32_t channel = depth;
    std::int32_t column = by_channels.divide(channel);
    const std::int32_t row = by_window_width.divide(column);
    const std::int32_t y = left.y + row * e.dilation;
    const std::int32_t x = left.x + column * e.dilation;
    if (y < 0 || y >= e.height || x < 0 || x >= e.width) return -1;
    return left.image + (std::int64_t{y} * e.width + x) * e.channels + channel;
  }
};

}  // namespace

template <typename T>
void run_forward(Stream& stream, const ConvolutionTask& task, const ConvolutionTensors<T>& tensors) noexcept {
  run_implicit_product<T>(stream, ForwardSides<T>(task, tensors), task.extents.group_filters);
}
template void run_forward(Stream&, const ConvolutionTask&, const ConvolutionTensors<float>&) noexcept;
template void run_forward(Stream&, const ConvolutionTask&, const ConvolutionTensors<double>&) noexcept;

}  // namespace ravine::cuda
