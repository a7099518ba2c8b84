// The gradient of a convolution's weights as a product: rows are the weights of a filter, columns filters,
// and the depth is all places of the output. Parts of the places are summed by blocks of their own, and then
// put together in their order.
#include <algorithm>

#include "backend/cuda/convolution_engine.h"
#include "backend/cuda/divider.h"
#include "backend/cuda/implicit_product.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct WeightGradientSides {
  static constexpr bool left_along_depth = false;
  static constexpr bool right_along_depth = false;

  struct Tile {
    bool exists;
    std::int32_t first_row, first_column, depth, group, part;
    std::int32_t first_place;
  };
  struct Left {
    std::int32_t weight;
  };
  struct Right {
    std::int32_t filter;
  };

  ConvolutionExtents e;
  Factor<T> input;
  Factor<T> output;  // its gradient
  T* weight;         // its gradient, of each part
  std::int32_t parts, places_of_part;
  Divider by_out_width, by_out_height, by_channels, by_window_width;

  WeightGradientSides(const ConvolutionTask& task, const ConvolutionTensors<T>& tensors, int parts, T* weight)
      : e(task.extents),
        input{tensors.input, lie_by_fours(tensors.input, e.group_channels)},
        output{tensors.output, lie_by_fours(tensors.output, e.group_filters)},
        weight(weight),
        parts(parts),
        places_of_part((e.places() + parts - 1) / parts),
        by_out_width(e.out_width),
        by_out_height(e.out_height),
        by_channels(e.group_channels),
        by_window_width(e.window_width) {}

  std::int64_t blocks(int rows, int columns) const {
    return row_tiles(rows) * column_tiles(columns) * e.groups * parts;
  }
  RAVINE_HOST_DEVICE std::int64_t row_tiles(int rows) const {
    return (e.weights_of_filter() + rows - 1) / rows;
  }
  RAVINE_HOST_DEVICE std::int64_t column_tiles(int columns) const {
    return (e.group_filters + columns - 1) / columns;
  }

  RAVINE_HOST_DEVICE Tile tile(std::int64_t block, int rows, int columns) const {
    Tile tile{};
    tile.group = static_cast<std::int32_t>(block % e.groups);
    block /= e.groups;
    tile.first_row = static_cast<std::int32_t>(block % row_tiles(rows) * rows);
    block /= row_tiles(rows);
    tile.first_column = static_cast<std::int32_t>(block % column_tiles(columns) * columns);
    tile.part = static_cast<std::int32_t>(block / column_tiles(columns));
    const std::int64_t first = std::int64_t{tile.part} * places_of_part;
    const std::int64_t left = e.places() - first;
    tile.first_place = static_cast<std::int32_t>(left > 0 ? first : 0);
    tile.depth = static_cast<std::int32_t>(left <= 0 ? 0 : left < places_of_part ? left : places_of_part);
    tile.exists = true;
    return tile;
  }

  RAVINE_HOST_DEVICE Left left(const Tile&, std::int32_t row) const { return {row}; }
  RAVINE_HOST_DEVICE void load_left(const Tile& tile, const Left& left, std::int32_t depth,
                                    T (&values)[4]) const {
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) values[j] = 0;
    if (depth >= tile.depth) return;
    std::int32_t x = tile.first_place + depth;
    std::int32_t y = by_out_width.divide(x);
    const std::int32_t image = by_out_height.divide(y);
    const Window window{
        y * e.stride - e.top, x * e.stride - e.left,
        std::int64_t{image} * e.height * e.width * e.channels + tile.group * e.group_channels};
    if (input.by_fours) {
      const std::int64_t place = left.weight < e.weights_of_filter() ? place_of(window, left.weight) : -1;
      if (place < 0) return;
      const Four<T> four = input.load_four(place);
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) values[j] = four.values[j];
      return;
    }
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) {
      const std::int64_t place =
          left.weight + j < e.weights_of_filter() ? place_of(window, left.weight + j) : -1;
      if (place >= 0) values[j] = input.load(place);
    }
  }

  RAVINE_HOST_DEVICE Right right(const Tile&, std::int32_t column) const { return {column}; }
  RAVINE_HOST_DEVICE void load_right(const Tile& tile, const Right& right, std::int32_t depth,
                                     T (&values)[4]) const {
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) values[j] = 0;
    if (depth >= tile.depth || right.filter >= e.group_filters) return;
    const std::int64_t place =
        std::int64_t{tile.first_place + depth} * e.filters + tile.group * e.group_filters + right.filter;
    if (output.by_fours) {
      const Four<T> four = output.load_four(place);
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) values[j] = four.values[j];
      return;
    }
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) {
      if (right.filter + j < e.group_filters) values[j] = output.load(place + j);
    }
  }

  RAVINE_HOST_DEVICE void store(const Tile& tile, std::int32_t row, std::int32_t column,
                                const T (&values)[4][4]) const {
    T* const to = weight + tile.part * std::int64_t{e.filters} * e.weights_of_filter();
    RAVINE_UNROLL
    for (int j = 0; j < 4; ++j) {
      const std::int64_t filter = std::int64_t{tile.group} * e.group_filters + column + j;
      RAVINE_UNROLL
      for (int i = 0; i < 4; ++i) {
        if (column + j < e.group_filters && row + i < e.weights_of_filter()) {
          to[filter * e.weights_of_filter() + row + i] = values[i][j];
        }
      }
    }
  }

 private:
  // Its first row and column in the image, which may lie before them, and the image.
  struct Window {
    std::int32_t y, x;
    std::int64_t image;
  };
  // Where the value lies that a weight of the window is multiplied by; -1 beyond the image.
  RAVINE_HOST_DEVICE std::int64_t place_of(const Window& window, std::int32_t weight_index) const {
    std::int32_t channel = weight_index;
    std::int32_t column = by_channels.divide(channel);
    const std::int32_t row = by_window_width.divide(column);
    const std::int32_t y = window.y + row * e.dilation;
    const std::int32_t x = window.x + column * e.dilation;
    if (y < 0 || y >= e.height || x < 0 || x >= e.width) return -1;
    return window.image + (std::int64_t{y} * e.width + x) * e.channels + channel;
  }
};

// output = the sum of all parts; a block takes 32 elements, by 8 threads each.
template <typename T>
struct SumParts {
  static constexpr int elements_of_block = 32;
  static constexpr int lanes = block_threads / elements_of_block;

  const T* values;
  T* output;
  std::int64_t parts, elements;

  struct Shared {
    double sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const std::int64_t first = block.index * elements_of_block;
    block.each([&](int thread) {
      const std::int64_t element = first + thread % elements_of_block;
      double sum = 0;
      for (std::int64_t part = thread / elements_of_block; element < elements && part < parts;
           part += lanes) {
        sum += static_cast<double>(values[part * elements + element]);
      }
      shared.sums[thread] = sum;
    });
    block.each([&](int thread) {
      const std::int64_t element = first + thread;
      if (thread >= elements_of_block || element >= elements) return;
      double sum = 0;
      for (int lane = 0; lane < lanes; ++lane) sum += shared.sums[thread + lane * elements_of_block];
      output[element] = static_cast<T>(sum);
    });
  }
};

std::int64_t elements_of(const ConvolutionExtents& e) {
  return std::int64_t{e.filters} * e.weights_of_filter();
}

}  // namespace

// Enough blocks for a large device, of 256 places at least, and partial sums of 64 MiB of float32 at most: so
// many follow from the shape alone, and with them the bits.
int parts_of_weight_gradient(const ConvolutionExtents& e) {
  const std::int64_t tiles =
      (std::int64_t{e.weights_of_filter()} + 63) / 64 * ((e.group_filters + 63) / 64) * e.groups;
  const std::int64_t wanted = (1024 + tiles - 1) / tiles;
  const std::int64_t fit = (std::int64_t{16} << 20) / elements_of(e);
  const std::int64_t filled = (std::int64_t{e.places()} + 255) / 256;
  return static_cast<int>(std::max<std::int64_t>(1, std::min({wanted, fit, filled})));
}

std::int64_t partial_elements(const ConvolutionExtents& e) {
  const int parts = parts_of_weight_gradient(e);
  return parts == 1 ? 0 : parts * elements_of(e);
}

template <typename T>
void run_weight_gradient(Stream& stream, const ConvolutionTask& task, const ConvolutionTensors<T>& tensors,
                         T* partials) noexcept {
  const ConvolutionExtents& e = task.extents;
  const int parts = parts_of_weight_gradient(e);
  T* const result = static_cast<T*>(tensors.weight.data);
  T* const to = parts == 1 ? result : partials;
  run_implicit_product<T>(stream, WeightGradientSides<T>(task, tensors, parts, to), e.group_filters);
  if (parts == 1) return;
  const std::int64_t elements = elements_of(e);
  const int of_block = SumParts<T>::elements_of_block;
  for_blocks(stream, (elements + of_block - 1) / of_block, SumParts<T>{partials, result, parts, elements});
}
template void run_weight_gradient(Stream&, const ConvolutionTask&, const ConvolutionTensors<float>&,
                                  float*) noexcept;
template void run_weight_gradient(Stream&, const ConvolutionTask&, const ConvolutionTensors<double>&,
                                  double*) noexcept;

}  // namespace ravine::cuda
