// Winograd's minimal filtering F(4 x 4, r x r): between images, or windows, and the (r + 3)^2 points at which
// a tile of 4 x 4 values of the output costs one product each. Sources: S. Winograd, Arithmetic Complexity of
// Computations, 1980; A. Lavin, S. Gray, CVPR 2016; that the choice of points decides about rounding:
// B. Barabasz et al., ACM TOMS 46(4), 2020.
#include <array>
#include <type_traits>
#include <utility>

#include "backend/cpu/simd/vector.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

template <std::size_t rows, std::size_t columns>
using Matrix = std::array<std::array<double, columns>, rows>;

template <std::size_t rows, std::size_t columns>
constexpr Matrix<columns, rows> transposed(const Matrix<rows, columns>& matrix) {
  Matrix<columns, rows> result{};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) result[j][i] = matrix[i][j];
  }
  return result;
}

constexpr std::size_t step = 4;  // from tile to tile, and the size of the output's

// But for infinity. The number of all is the extent of a tile of the input.
template <std::size_t extent>
constexpr std::array<double, extent - 1> points;
template <>
constexpr std::array<double, 5> points<6>{0, 1, -1, 2, -0.5};
template <>
constexpr std::array<double, 7> points<8>{0, 1, -1, 2, -2, 0.5, -0.5};

constexpr double power(double base, std::size_t exponent) {
  double result = 1;
  for (std::size_t i = 0; i < exponent; ++i) result *= base;
  return result;
}

// The powers of each point; at infinity the highest alone counts.
template <std::size_t extent, std::size_t count>
constexpr Matrix<extent, count> powers() {
  Matrix<extent, count> result{};
  for (std::size_t i = 0; i + 1 < extent; ++i) {
    for (std::size_t j = 0; j < count; ++j) result[i][j] = power(points<extent>[i], j);
  }
  result[extent - 1][count - 1] = 1;
  return result;
}

// The same, divided by the product of a point's distances from the others.
template <std::size_t extent, std::size_t count>
constexpr Matrix<extent, count> scaled_powers() {
  Matrix<extent, count> result = powers<extent, count>();
  for (std::size_t i = 0; i + 1 < extent; ++i) {
    double distances = 1;
    for (std::size_t other = 0; other + 1 < extent; ++other) {
      if (other != i) distances *= points<extent>[i] - points<extent>[other];
    }
    for (double& value : result[i]) value /= distances;
  }
  return result;
}

// Row i: the coefficients of the polynomial that is zero at every point but the i-th.
template <std::size_t extent>
constexpr Matrix<extent, extent> polynomials() {
  Matrix<extent, extent> result{};
  for (std::size_t i = 0; i < extent; ++i) {
    result[i][0] = 1;
    std::size_t degree = 0;
    for (std::size_t other = 0; other + 1 < extent; ++other) {
      if (other == i) continue;
      ++degree;
      for (std::size_t j = degree + 1; j-- > 0;) {
        result[i][j] = (j > 0 ? result[i][j - 1] : 0) - points<extent>[other] * result[i][j];
      }
    }
  }
  return result;
}

// As in the paper's y = A' [(G g) (B' d)].
template <std::size_t r>
constexpr auto B_transposed = polynomials<r + step - 1>();
template <std::size_t r>
constexpr auto B = transposed(B_transposed<r>);
template <std::size_t r>
constexpr auto A = powers<r + step - 1, step>();
template <std::size_t r>
constexpr auto A_transposed = transposed(A<r>);
template <std::size_t r>
constexpr auto G = scaled_powers<r + step - 1, r>();
template <std::size_t r>
constexpr auto G_transposed = transposed(G<r>);

// Row `row` of matrix * values. What is multiplied by zero is left out, by one is only added.
template <typename T, const auto& matrix, std::size_t row, std::size_t columns>
Vector<T> times(const Vector<T> (&values)[columns]) {
  Vector<T> sum{};
  bool first = true;
  [&]<std::size_t... column>(std::index_sequence<column...>) {
    const auto add = [&]<std::size_t j>(std::integral_constant<std::size_t, j>) {
      constexpr double factor = matrix[row][j];
      if constexpr (factor == 0) {
        return;
      } else {
        if (first) {
          sum = factor == 1 ? values[j] : values[j] * static_cast<T>(factor);
        } else if constexpr (factor == 1) {
          sum += values[j];
        } else if constexpr (factor == -1) {
          sum -= values[j];
        } else {
          sum += values[j] * static_cast<T>(factor);
        }
        first = false;
      }
    };
    (add(std::integral_constant<std::size_t, column>{}), ...);
  }(std::make_index_sequence<columns>{});
  return sum;
}

// matrix * tile * matrix'; load(i, j) and store(i, j, value) are its elements.
template <typename T, const auto& matrix, typename Load, typename Store>
void transform(const Load& load, const Store& store) {
  constexpr std::size_t rows = matrix.size();
  constexpr std::size_t columns = matrix[0].size();
  Vector<T> half[rows][columns];
  [&]<std::size_t... row>(std::index_sequence<row...>) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < columns; ++j) {
      Vector<T> values[columns];
#pragma GCC unroll 8
      for (std::size_t i = 0; i < columns; ++i) values[i] = load(i, j);
      ((half[row][j] = times<T, matrix, row>(values)), ...);
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < rows; ++i) (store(i, row, times<T, matrix, row>(half[i])), ...);
  }(std::make_index_sequence<rows>{});
}

// Calls visit(offset of a tile's first value in the images, and of its value at the first point) for every
// vector of channels.
template <typename T, typename Visit>
void for_each_tile(const WinogradTiles& t, const Visit& visit) {
  for (std::int64_t index = 0; index < t.count; ++index) {
    const std::int64_t tile = t.first + index;
    const std::int64_t row = tile / t.across;  // of all images, one below the other
    const std::int64_t y = row / t.down * t.height + row % t.down * step;
    const std::int64_t from = (y * t.width + tile % t.across * step) * t.channels;
    for (std::int64_t channel = 0; channel < t.channels; channel += lanes<T>) {
      visit(from + channel, index * t.channels + channel);
    }
  }
}

// Asks for what the tile below covers, that the loop comes to a row of tiles later.
template <int writes, typename T>
void prefetch_below(const WinogradTiles& t, const T* tile) {
  for (std::size_t i = step; i < 2 * step; ++i) {
    for (std::size_t j = 0; j < step; ++j) {
      __builtin_prefetch(
          tile + (static_cast<std::int64_t>(i) * t.width + static_cast<std::int64_t>(j)) * t.channels,
          writes);
    }
  }
}

template <typename T>
Vector<T> values_at(const T* from) {
  return load(from);
}
// Widened to float32.
Vector<float> values_at(const Bfloat16* from) {
  typedef std::uint16_t Halves __attribute__((vector_size(vector_bytes / 2), aligned(2), may_alias));
  typedef std::uint32_t Words __attribute__((vector_size(vector_bytes)));
  return reinterpret_cast<Vector<float>>(
      __builtin_convertvector(*reinterpret_cast<const Halves*>(from), Words) << 16);
}

// `Stored`: the type of the images' values.
template <typename T, typename Stored, std::size_t r>
void input(const WinogradTiles& t, const Stored* images, T* at_points) {
  for_each_tile<T>(t, [&](std::int64_t from, std::int64_t to) {
    transform<T, B_transposed<r>>(
        [&](auto i, auto j) { return values_at(images + from + (i * t.width + j) * t.channels); },
        [&](auto i, auto j, Vector<T> value) {
          store(at_points + to + (i * (r + step - 1) + j) * t.plane, value);
        });
  });
}

template <typename T, typename Stored, std::size_t r>
void output_gradient(const WinogradTiles& t, const Stored* images, T* at_points) {
  for_each_tile<T>(t, [&](std::int64_t from, std::int64_t to) {
    prefetch_below<0>(t, images + from);
    transform<T, A<r>>(
        [&](auto i, auto j) { return values_at(images + from + (i * t.width + j) * t.channels); },
        [&](auto i, auto j, Vector<T> value) {
          store(at_points + to + (i * (r + step - 1) + j) * t.plane, value);
        });
  });
}

template <typename T, std::size_t r>
void output(const WinogradTiles& t, const T* at_points, T* images) {
  for_each_tile<T>(t, [&](std::int64_t to, std::int64_t from) {
    prefetch_below<1>(t, images + to);
    transform<T, A_transposed<r>>(
        [&](auto i, auto j) { return load(at_points + from + (i * (r + step - 1) + j) * t.plane); },
        [&](auto i, auto j, Vector<T> value) { store(images + to + (i * t.width + j) * t.channels, value); });
  });
}

// Tiles of the input overlap: what they say about a value adds up.
template <typename T, std::size_t r>
void input_gradient(const WinogradTiles& t, const T* at_points, T* images) {
  for_each_tile<T>(t, [&](std::int64_t to, std::int64_t from) {
    transform<T, B<r>>(
        [&](auto i, auto j) { return load(at_points + from + (i * (r + step - 1) + j) * t.plane); },
        [&](auto i, auto j, Vector<T> value) {
          T* sum = images + to + (i * t.width + j) * t.channels;
          store(sum, load(sum) + value);
        });
  });
}

template <typename T, std::size_t r>
void weights(const T* window, std::int64_t stride, T* at_points, std::int64_t plane, std::int64_t count) {
  for (std::int64_t index = 0; index < count; index += lanes<T>) {
    transform<T, G<r>>([&](auto i, auto j) { return load(window + index + (i * r + j) * stride); },
                       [&](auto i, auto j, Vector<T> value) {
                         store(at_points + index + (i * (r + step - 1) + j) * plane, value);
                       });
  }
}

template <typename T, std::size_t r>
void weights_gradient(const T* at_points, std::int64_t plane, T* window, std::int64_t stride,
                      std::int64_t count) {
  for (std::int64_t index = 0; index < count; index += lanes<T>) {
    transform<T, G_transposed<r>>(
        [&](auto i, auto j) { return load(at_points + index + (i * (r + step - 1) + j) * plane); },
        [&](auto i, auto j, Vector<T> value) { store(window + index + (i * r + j) * stride, value); });
  }
}

template <typename T, std::size_t r>
typename Kernels<T>::WinogradLoops loops() {
  typename Kernels<T>::WinogradLoops made{};
  made.input = input<T, T, r>;
  made.output = output<T, r>;
  made.input_gradient = input_gradient<T, r>;
  made.output_gradient = output_gradient<T, T, r>;
  made.weights = weights<T, r>;
  made.weights_gradient = weights_gradient<T, r>;
  if constexpr (std::is_same_v<T, float>) {
    made.stored_input = input<T, Bfloat16, r>;
    made.stored_output_gradient = output_gradient<T, Bfloat16, r>;
  }
  return made;
}

}  // namespace

template <typename T>
void fill_winograd(Kernels<T>& table) {
  table.winograd3 = loops<T, 3>();
  table.winograd5 = loops<T, 5>();
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_winograd)
