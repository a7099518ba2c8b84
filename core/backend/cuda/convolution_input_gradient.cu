// The gradient of a convolution's input as a product: rows are places of the input, columns channels, and the
// depth is what of a window meets a place, with the filters. Where windows move by more than 1, places of the
// same remainder, by row and column, meet the same part of a window: they make a class, of which a tile is.
#include <numeric>

#include "backend/cuda/convolution_engine.h"
#include "backend/cuda/divider.h"
#include "backend/cuda/implicit_product.h"
#include "rules/activations/relu.h"

namespace ravine::cuda {
namespace {

// One direction of a window: of the places of a class, the first cell that meets them, from there on every
// `step`-th.
struct Reach {
  std::int32_t first;
  std::int32_t count;
};

template <typename T>
struct InputGradientSides {
  static constexpr bool left_along_depth = true;
  static constexpr bool right_along_depth = false;

  struct Tile {
    bool exists;
    std::int32_t first_row, first_column, depth, group;
    std::int32_t first_y, first_x;  // of the class
    std::int32_t width, rows;       // of its places
    Reach y, x;
  };
  // The place of the output that meets the first cell, which may lie beyond it; and the image.
  struct Left {
    bool exists;
    std::int32_t y, x;
    std::int64_t image;
  };
  struct Right {
    std::int32_t column;
  };

  ConvolutionExtents e;
  Factor<T> output;  // its gradient
  Factor<T> weight;
  Cells<T> input;  // its gradient
  Factor<T> add;
  Factor<T> relu_output;
  bool stores_fours;
  Relu<T> relu;
  std::int32_t step;   // between the cells of a window that meet a place
  std::int32_t moves;  // and between those places of the output
  Divider by_filters, by_most, by_fewer;

  InputGradientSides(const ConvolutionTask& task, const ConvolutionTensors<T>& tensors)
      : e(task.extents),
        output{tensors.output, lie_by_fours(tensors.output, e.group_filters)},
        weight{tensors.weight, lie_by_fours(tensors.weight, e.group_channels)},
        input(tensors.input),
        add{tensors.add, lie_by_fours(tensors.add, e.group_channels)},
        relu_output{tensors.relu_output, lie_by_fours(tensors.relu_output, e.group_channels)},
        stores_fours(lie_by_fours(tensors.input, e.group_channels)),
        relu(Values{}),
        step(e.stride / std::gcd(e.stride, e.dilation)),
        moves(step * e.dilation / e.stride),
        by_filters(e.group_filters),
        by_most(most_columns()),
        by_fewer(most_columns() > 1 ? most_columns() - 1 : 1) {}

  std::int32_t most_columns() const { return (e.window_width + step - 1) / step; }

  std::int64_t blocks(int rows, int columns) const {
    return std::int64_t{e.stride} * e.stride * row_tiles(rows) * column_tiles(columns) * e.groups;
  }
  // Of the first class, which is the largest.
  RAVINE_HOST_DEVICE std::int64_t row_tiles(int rows) const {
    const std::int64_t places = std::int64_t{e.images} * class_extent(e.height, 0) * class_extent(e.width, 0);
    return (places + rows - 1) / rows;
  }
  RAVINE_HOST_DEVICE std::int64_t column_tiles(int columns) const {
    return (e.group_channels + columns - 1) / columns;
  }

  RAVINE_HOST_DEVICE Tile tile(std::int64_t block, int rows, int columns) const {
    Tile tile{};
    tile.group = static_cast<std::int32_t>(block % e.groups);
    block /= e.groups;
    tile.first_column = static_cast<std::int32_t>(block % column_tiles(columns) * columns);
    block /= column_tiles(columns);
    tile.first_row = static_cast<std::int32_t>(block % row_tiles(rows) * rows);
    const auto of_class = static_cast<std::int32_t>(block / row_tiles(rows));
    tile.first_y = of_class / e.stride;
    tile.first_x = of_class % e.stride;
    tile.width = class_extent(e.width, tile.first_x);
    tile.rows = e.images * class_extent(e.height, tile.first_y) * tile.width;
    tile.exists = tile.first_row < tile.rows;
    tile.y = reach(tile.first_y + e.top, e.window_height);
    tile.x = reach(tile.first_x + e.left, e.window_width);
    tile.depth = tile.y.count * tile.x.count * e.group_filters;
    return tile;
  }

  RAVINE_HOST_DEVICE Left left(const Tile& tile, std::int32_t row) const {
    if (row >= tile.rows || tile.depth == 0) return {false, 0, 0, 0};
    const Place place = place_of(tile, row);
    return {
        true, (place.y + e.top - tile.y.first * e.dilation) / e.stride,
        (place.x + e.left - tile.x.first * e.dilation) / e.stride,
        std::int64_t{place.image} * e.out_height * e.out_width * e.filters + tile.group * e.group_filters};
  }
  RAVINE_HOST_DEVICE void load_left(const Tile& tile, const Left& left, std::int32_t depth,
                                    T (&values)[4]) const {
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) values[j] = 0;
    if (!left.exists) return;
    if (output.by_fours) {
      const std::int64_t place = depth < tile.depth ? meeting_place(tile, left, depth) : -1;
      if (place < 0) return;
      const Four<T> four = output.load_four(place);
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) values[j] = four.values[j];
      return;
    }
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) {
      const std::int64_t place = depth + j < tile.depth ? meeting_place(tile, left, depth + j) : -1;
      if (place >= 0) values[j] = output.load(place);
    }
  }

  RAVINE_HOST_DEVICE Right right(const Tile&, std::int32_t column) const { return {column}; }
  RAVINE_HOST_DEVICE void load_right(const Tile& tile, const Right& right, std::int32_t depth,
                                     T (&values)[4]) const {
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) values[j] = 0;
    if (depth >= tile.depth || right.column >= e.group_channels) return;
    const Cell cell = cell_of(tile, depth);
    const std::int32_t y = tile.y.first + cell.row * step;
    const std::int32_t x = tile.x.first + cell.column * step;
    const std::int64_t filter = std::int64_t{tile.group} * e.group_filters + cell.filter;
    const std::int64_t place =
        ((filter * e.window_height + y) * e.window_width + x) * e.group_channels + right.column;
    if (weight.by_fours) {
      const Four<T> four = weight.load_four(place);
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) values[j] = four.values[j];
      return;
    }
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) {
      if (right.column + j < e.group_channels) values[j] = weight.load(place + j);
    }
  }

  RAVINE_HOST_DEVICE void store(const Tile& tile, std::int32_t row, std::int32_t column,
                                const T (&values)[4][4]) const {
    const std::int32_t count = e.group_channels - column < 4 ? e.group_channels - column : 4;
    if (count <= 0) return;
    RAVINE_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (row + i >= tile.rows) continue;
      const Place place = place_of(tile, row + i);
      const std::int64_t at =
          ((std::int64_t{place.image} * e.height + place.y) * e.width + place.x) * e.channels +
          tile.group * e.group_channels + column;
      Four<T> four;
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) four.values[j] = values[i][j];
      finish(at, count, four);
      store_some(input, stores_fours, at, four, count);
    }
  }

 private:
  struct Place {
    std::int32_t image, y, x;
  };
  struct Cell {
    std::int32_t row, column, filter;
  };

  RAVINE_HOST_DEVICE std::int32_t class_extent(std::int32_t extent, std::int32_t first) const {
    return first < extent ? (extent - first + e.stride - 1) / e.stride : 0;
  }
  // `place` with the padding before it.
  RAVINE_HOST_DEVICE Reach reach(std::int32_t place, std::int32_t window) const {
    for (std::int32_t cell = 0; cell < step && cell < window; ++cell) {
      if ((place - cell * e.dilation) % e.stride == 0) return {cell, (window - cell + step - 1) / step};
    }
    return {0, 0};
  }
  RAVINE_HOST_DEVICE Place place_of(const Tile& tile, std::int32_t row) const {
    const std::int32_t line = row / tile.width;
    const std::int32_t height = class_extent(e.height, tile.first_y);
    return {line / height, tile.first_y + line % height * e.stride,
            tile.first_x + row % tile.width * e.stride};
  }
  RAVINE_HOST_DEVICE Cell cell_of(const Tile& tile, std::int32_t depth) const {
    std::int32_t filter = depth;
    std::int32_t column = by_filters.divide(filter);
    const std::int32_t row =
        (tile.x.count == (e.window_width + step - 1) / step ? by_most : by_fewer).divide(column);
    return {row, column, filter};
  }
  // Where a value of the output that meets the place lies; -1 beyond the output.
  RAVINE_HOST_DEVICE std::int64_t meeting_place(const Tile& tile, const Left& left,
                                                std::int32_t depth) const {
    const Cell cell = cell_of(tile, depth);
    const std::int32_t y = left.y - cell.row * moves;
    const std::int32_t x = left.x - cell.column * moves;
    if (y < 0 || y >= e.out_height || x < 0 || x >= e.out_width) return -1;
    return left.image + (std::int64_t{y} * e.out_width + x) * e.filters + cell.filter;
  }

  // What is fused behind the product.
  RAVINE_HOST_DEVICE void finish(std::int64_t at, int count, Four<T>& four) const {
    if (add.cells.exists()) {
      const Four<T> more = load_some(add, at, count);
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) four.values[j] += more.values[j];
    }
    if (relu_output.cells.exists()) {
      const Four<T> y = load_some(relu_output, at, count);
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) four.values[j] *= relu.derivative(T(0), y.values[j]);
    }
  }
  RAVINE_HOST_DEVICE static Four<T> load_some(const Factor<T>& factor, std::int64_t at, int count) {
    if (factor.by_fours) return factor.load_four(at);
    Four<T> four;
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) four.values[j] = j < count ? factor.load(at + j) : T(0);
    return four;
  }
};

}  // namespace

template <typename T>
void run_input_gradient(Stream& stream, const ConvolutionTask& task,
                        const ConvolutionTensors<T>& tensors) noexcept {
  run_implicit_product<T>(stream, InputGradientSides<T>(task, tensors), task.extents.group_channels);
}
template void run_input_gradient(Stream&, const ConvolutionTask&, const ConvolutionTensors<float>&) noexcept;
template void run_input_gradient(Stream&, const ConvolutionTask&, const ConvolutionTensors<double>&) noexcept;

}  // namespace ravine::cuda
