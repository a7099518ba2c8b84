// Our own products and transposition, at every instruction set, beside sums in double.
#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

#include "levels.h"

namespace ravine::cpu {

TEST_CASE_TEMPLATE("levels: products and transposition", T, float, double) {
  for (const Kernels<T>& kernels : levels<T>()) {
    CAPTURE(kernels.level);
    for (std::size_t m : {1, 2, 5, 7, 13, 26}) {
      for (std::size_t n : sizes) {
        const std::size_t k = 1 + (m * 7 + n) % 37;
        if (n > 200) continue;
        CAPTURE(m);
        CAPTURE(n);
        // Rows lie further apart than they are long, and what lies between must stay.
        const std::size_t right_stride = n + 3, output_stride = n + 2;
        const auto left = numbers<T>(m * k, 1), right = numbers<T>(k * right_stride, 2);
        for (bool transposed : {false, true}) {
          std::vector<T> output(m * output_stride, T(7)), expected = output;
          const StridedBlock<T> strided{left.data(), static_cast<std::int64_t>(transposed ? 1 : k),
                                        static_cast<std::int64_t>(transposed ? m : 1)};
          kernels.product(strided, static_cast<std::int64_t>(m), static_cast<std::int64_t>(n),
                          static_cast<std::int64_t>(k), right.data(), static_cast<std::int64_t>(right_stride),
                          output.data(), static_cast<std::int64_t>(output_stride));
          for (std::size_t i = 0; i < m; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
              double sum = 0;
              for (std::size_t p = 0; p < k; ++p) {
                sum += static_cast<double>(left[transposed ? p * m + i : i * k + p]) *
                       static_cast<double>(right[p * right_stride + j]);
              }
              expected[i * output_stride + j] = static_cast<T>(sum);
            }
          }
          check_close(output, expected, 8);
          // Added to what is there: each value then is twice the sum.
          kernels.add_product(strided, static_cast<std::int64_t>(m), static_cast<std::int64_t>(n),
                              static_cast<std::int64_t>(k), right.data(),
                              static_cast<std::int64_t>(right_stride), output.data(),
                              static_cast<std::int64_t>(output_stride));
          for (std::size_t i = 0; i < m; ++i) {
            for (std::size_t j = 0; j < n; ++j) expected[i * output_stride + j] *= T(2);
          }
          check_close(output, expected, 8);
        }
        const auto matrix = numbers<T>(m * n, 3);
        std::vector<T> turned(n * (m + 1), T(7)), expected = turned;
        kernels.transpose({matrix.data(), static_cast<std::int64_t>(m), static_cast<std::int64_t>(n),
                           static_cast<std::int64_t>(n)},
                          turned.data(), static_cast<std::int64_t>(m + 1));
        for (std::size_t i = 0; i < m; ++i) {
          for (std::size_t j = 0; j < n; ++j) expected[j * (m + 1) + i] = matrix[i * n + j];
        }
        CHECK(turned == expected);
      }
    }
  }
}

}  // namespace ravine::cpu
