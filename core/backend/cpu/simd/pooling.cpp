// Largest value and mean under a moving window, for one image, all channels of a position at once.
#include <algorithm>
#include <limits>

#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// The part of a window that lies in the image: rows and columns of the window from begin to end.
struct Part {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t first;  // row or column of the image under the first row or column of the window
};

Part part_of(std::int64_t position, std::int64_t stride, std::int64_t padding, std::int64_t size,
             std::int64_t extent) {
  const std::int64_t first = position * stride - padding;
  return {std::max<std::int64_t>(0, -first), std::min(size, extent - first), first};
}

// Calls `visit` with every position of the output and the window's parts there.
template <typename Visit>
void for_each_window(const PoolingExtents& e, const Visit& visit) {
  for (std::int64_t y = 0; y < e.out_height; ++y) {
    const Part rows = part_of(y, e.stride, e.top, e.window_height, e.height);
    for (std::int64_t x = 0; x < e.out_width; ++x) {
      visit((y * e.out_width + x) * e.channels, rows, part_of(x, e.stride, e.left, e.window_width, e.width));
    }
  }
}

// Calls `visit` with the offset of each value of the image under a window and its number in the window.
template <typename Visit>
void for_each_cell(const PoolingExtents& e, const Part& rows, const Part& columns, const Visit& visit) {
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    for (std::int64_t j = columns.begin; j < columns.end; ++j) {
      visit(((rows.first + i) * e.width + columns.first + j) * e.channels,
            static_cast<std::int32_t>(i * e.window_width + j));
    }
  }
}

// The first of equal values is the largest; NaN is larger than any number.
template <typename T>
void max_forward(const PoolingExtents& e, const T* input, T* output, std::int32_t* positions) {
  for_each_window(e, [&](std::int64_t at, const Part& rows, const Part& columns) {
    T* __restrict best = output + at;
    const auto first = static_cast<std::int32_t>(rows.begin * e.window_width + columns.begin);
    std::fill(best, best + e.channels, -std::numeric_limits<T>::infinity());
    if (positions == nullptr) {
      for_each_cell(e, rows, columns, [&](std::int64_t offset, std::int32_t) {
        const T* values = input + offset;
#pragma omp simd
        for (std::int64_t c = 0; c < e.channels; ++c) {
          best[c] = values[c] > best[c] || values[c] != values[c] ? values[c] : best[c];
        }
      });
      return;
    }
    std::int32_t* __restrict where = positions + at;
    std::fill(where, where + e.channels, first);
    for_each_cell(e, rows, columns, [&](std::int64_t offset, std::int32_t cell) {
      const T* values = input + offset;
#pragma omp simd
      for (std::int64_t c = 0; c < e.channels; ++c) {
        const bool larger = values[c] > best[c] || values[c] != values[c];
        best[c] = larger ? values[c] : best[c];
        where[c] = larger ? cell : where[c];
      }
    });
  });
}

// Windows that neither overlap nor leave a gap write each value once: nothing need be cleared or added.
bool windows_tile(const PoolingExtents& e) {
  return e.window_height == e.stride && e.window_width == e.stride && e.top == 0 && e.left == 0 &&
         e.out_height * e.stride == e.height && e.out_width * e.stride == e.width;
}

template <typename T>
void clear(const PoolingExtents& e, T* gradient) {
  std::fill(gradient, gradient + e.height * e.width * e.channels, T(0));
}

template <typename T>
void max_gradient(const PoolingExtents& e, const T* output_gradient, const std::int32_t* positions,
                  T* input_gradient) {
  const bool tile = windows_tile(e);
  if (!tile) clear(e, input_gradient);
  for_each_window(e, [&](std::int64_t at, const Part& rows, const Part& columns) {
    const T* gradient = output_gradient + at;
    const std::int32_t* where = positions + at;
    for_each_cell(e, rows, columns, [&](std::int64_t offset, std::int32_t cell) {
      T* __restrict values = input_gradient + offset;
      if (tile) {
#pragma omp simd
        for (std::int64_t c = 0; c < e.channels; ++c) values[c] = where[c] == cell ? gradient[c] : T(0);
      } else {
#pragma omp simd
        for (std::int64_t c = 0; c < e.channels; ++c) values[c] += where[c] == cell ? gradient[c] : T(0);
      }
    });
  });
}

template <typename T>
T share(const Part& rows, const Part& columns) {
  return T(1) / static_cast<T>((rows.end - rows.begin) * (columns.end - columns.begin));
}

// The mean over the values of the image: padding is not counted.
template <typename T>
void average_forward(const PoolingExtents& e, const T* input, T* output, std::int32_t*) {
  for_each_window(e, [&](std::int64_t at, const Part& rows, const Part& columns) {
    T* __restrict mean = output + at;
    std::fill(mean, mean + e.channels, T(0));
    for_each_cell(e, rows, columns, [&](std::int64_t offset, std::int32_t) {
      const T* values = input + offset;
#pragma omp simd
      for (std::int64_t c = 0; c < e.channels; ++c) mean[c] += values[c];
    });
    const T weight = share<T>(rows, columns);
#pragma omp simd
    for (std::int64_t c = 0; c < e.channels; ++c) mean[c] *= weight;
  });
}

template <typename T>
void average_gradient(const PoolingExtents& e, const T* output_gradient, const std::int32_t*,
                      T* input_gradient) {
  clear(e, input_gradient);
  for_each_window(e, [&](std::int64_t at, const Part& rows, const Part& columns) {
    const T* gradient = output_gradient + at;
    const T weight = share<T>(rows, columns);
    for_each_cell(e, rows, columns, [&](std::int64_t offset, std::int32_t) {
      T* __restrict values = input_gradient + offset;
#pragma omp simd
      for (std::int64_t c = 0; c < e.channels; ++c) values[c] += weight * gradient[c];
    });
  });
}

}  // namespace

template <typename T>
void fill_pooling(Kernels<T>& table) {
  table.max_pooling = {max_forward<T>, max_gradient<T>};
  table.average_pooling = {average_forward<T>, average_gradient<T>};
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_pooling)
