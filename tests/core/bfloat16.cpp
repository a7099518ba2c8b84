// Numbers rounded to bfloat16, in pairs, and products of them, beside bits and sums in double.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "backend/cpu/convolution_engine.h"
#include "backend/cpu/rounded_product.h"
#include "levels.h"

namespace ravine::cpu {
namespace {

// To the nearest, ties to even; of normal numbers.
std::uint32_t bits_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

float rounded(float value) { return std::bit_cast<float>(bits_of(value) << 16); }

std::vector<float> rounded(std::vector<float> values) {
  for (float& value : values) value = rounded(value);
  return values;
}

bool is_there() {
  if (!has_bfloat16()) MESSAGE("skipped: this processor has no AVX512-BF16");
  return has_bfloat16();
}

}  // namespace

TEST_CASE("bfloat16: pairs of rows and columns") {
  if (!is_there()) return;
  const auto& loops = kernels<float>().bfloat16;
  for (std::size_t rows : {1, 2, 3, 15, 16, 17, 33}) {
    for (std::size_t columns : {1, 2, 7, 16, 31, 32, 33, 50, 65}) {
      CAPTURE(rows);
      CAPTURE(columns);
      auto values = numbers<float>(rows * (columns + 3), 1);
      values[0] = 1.0f + 0x1p-8f;  // ties: to 1 and to 1 + 2^-6
      if (values.size() > 2) values[1] = 1.0f + 3 * 0x1p-8f;
      const Block<const float> block{values.data(), static_cast<std::int64_t>(rows),
                                     static_cast<std::int64_t>(columns),
                                     static_cast<std::int64_t>(columns + 3)};
      // Beyond the last row or column there are zeros.
      const auto element = [&](std::size_t i, std::size_t j) {
        return i < rows && j < columns ? bits_of(values[i * (columns + 3) + j]) : 0;
      };
      constexpr Bfloat16Pair untouched = 7;
      const std::size_t across = (columns + 1) / 2, down = (rows + 1) / 2;

      std::vector<Bfloat16Pair> found(rows * (across + 2), untouched), expected = found;
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < across; ++j) {
          expected[i * (across + 2) + j] = element(i, 2 * j) | element(i, 2 * j + 1) << 16;
        }
      }
      loops.pair_columns(block, found.data(), static_cast<std::int64_t>(across + 2));
      CHECK(found == expected);
      // The same of numbers that are stored in bfloat16: their bits, as they are.
      std::vector<Bfloat16> stored(values.size());
      loops.round(values.data(), stored.data(), static_cast<std::int64_t>(values.size()));
      const Block<const Bfloat16> of_stored{stored.data(), block.rows, block.columns, block.stride};
      const auto same_of_stored = [&](auto loop, std::int64_t stride) {
        std::vector<Bfloat16Pair> again(found.size(), untouched);
        loop(of_stored, again.data(), stride);
        return again == expected;
      };
      CHECK(same_of_stored(loops.stored.pair_columns, static_cast<std::int64_t>(across + 2)));

      found.assign(across * (rows + 2), untouched);
      expected = found;
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < across; ++j) {
          expected[j * (rows + 2) + i] = element(i, 2 * j) | element(i, 2 * j + 1) << 16;
        }
      }
      loops.pair_columns_transposed(block, found.data(), static_cast<std::int64_t>(rows + 2));
      CHECK(found == expected);
      CHECK(same_of_stored(loops.stored.pair_columns_transposed, static_cast<std::int64_t>(rows + 2)));

      found.assign(down * (columns + 2), untouched);
      expected = found;
      for (std::size_t i = 0; i < down; ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
          expected[i * (columns + 2) + j] = element(2 * i, j) | element(2 * i + 1, j) << 16;
        }
      }
      loops.pair_rows(block, found.data(), static_cast<std::int64_t>(columns + 2));
      CHECK(found == expected);
      CHECK(same_of_stored(loops.stored.pair_rows, static_cast<std::int64_t>(columns + 2)));
    }
  }
}

TEST_CASE("bfloat16: rounded and widened") {
  if (!is_there()) return;
  const auto& loops = kernels<float>().bfloat16;
  for (std::size_t count : {1, 2, 15, 16, 31, 32, 33, 64, 100}) {
    const auto values = numbers<float>(count, 3);
    std::vector<Bfloat16> stored(count + 1, Bfloat16{7});
    loops.round(values.data(), stored.data(), static_cast<std::int64_t>(count));
    std::vector<float> widened(count + 1, 7.0f);
    loops.widen(stored.data(), widened.data(), static_cast<std::int64_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(stored[i].bits == bits_of(values[i]));
      CHECK(widened[i] == rounded(values[i]));
    }
    CHECK(stored[count].bits == 7);
    CHECK(widened[count] == 7.0f);
  }
}

TEST_CASE("bfloat16: products, cut along rows and columns") {
  if (!is_there()) return;
  struct Extents {
    std::int64_t m, n, k;
  };
  for (const auto& [m, n, k] : {Extents{1, 1, 1}, Extents{5, 3, 7}, Extents{130, 17, 33},
                                Extents{49, 150, 64}, Extents{61, 70, 2051}, Extents{7, 129, 4096}}) {
    for (int order = 0; order < 8; ++order) {
      const bool transpose_left = order & 1, transpose_right = order & 2, along_rows = order & 4;
      CAPTURE(m);
      CAPTURE(order);
      // Rows of factors and output lie further apart than they are long.
      const ProductShape shape{m,
                               n,
                               k,
                               transpose_left,
                               transpose_right,
                               (transpose_left ? m : k) + (m == 49 ? 2 : 3),
                               (transpose_right ? k : n) + 2,
                               n + 1};
      const auto size = [](std::int64_t rows, std::int64_t stride) {
        return static_cast<std::size_t>(rows * stride);
      };
      const auto left = numbers<float>(size(transpose_left ? k : m, shape.left_stride), 1);
      const auto right = numbers<float>(size(transpose_right ? n : k, shape.right_stride), 2);
      std::vector<float> found(size(m, shape.output_stride), 7.0f), expected = found;
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (std::int64_t p = 0; p < k; ++p) {
            const auto l = transpose_left ? p * shape.left_stride + i : i * shape.left_stride + p;
            const auto r = transpose_right ? j * shape.right_stride + p : p * shape.right_stride + j;
            sum += static_cast<double>(rounded(left[static_cast<std::size_t>(l)])) *
                   static_cast<double>(rounded(right[static_cast<std::size_t>(r)]));
          }
          expected[static_cast<std::size_t>(i * shape.output_stride + j)] = static_cast<float>(sum);
        }
      }
      const auto compute = [&](StoredFactors factors, const void* first, const void* second) {
        RoundedProduct product(shape, factors, along_rows, 2);
        for (int tile = 0; tile < product.shared_tiles(); ++tile) product.round_shared(tile, first, second);
        const std::int64_t extent = along_rows ? m : n;
        const std::int64_t half = extent / 2;
        std::vector<float> result(found.size(), 7.0f);
        float* rest = result.data() + half * (along_rows ? shape.output_stride : 1);
        if (half > 0) product.run(1, 0, half, first, second, result.data(), shape.output_stride);
        product.run(0, half, extent - half, first, second, rest, shape.output_stride);
        return result;
      };
      found = compute({}, left.data(), right.data());
      check_close(found, expected, 64);
      // Factors that are stored in bfloat16 give the same bits.
      const auto stored = [](const std::vector<float>& values) {
        std::vector<Bfloat16> bits(values.size());
        kernels<float>().bfloat16.round(values.data(), bits.data(), static_cast<std::int64_t>(values.size()));
        return bits;
      };
      const auto stored_left = stored(left), stored_right = stored(right);
      CHECK(compute({true, false}, stored_left.data(), right.data()) == found);
      CHECK(compute({false, true}, left.data(), stored_right.data()) == found);
      CHECK(compute({true, true}, stored_left.data(), stored_right.data()) == found);

      std::vector<float> again(found.size(), 7.0f);
      make_rounded_product(shape, 2)->run(1, left.data(), right.data(), again.data());
      check_close(again, expected, 64);
    }
  }
}

TEST_CASE("bfloat16: convolutions multiply rounded numbers") {
  if (!is_there()) return;
  // height, width, channels, their outputs, window (height, width, stride, dilation, top, left), groups.
  const ConvolutionShape shapes[] = {
      {9, 8, 16, 9, 8, 32, {3, 3, 1, 1, 1, 1}, 1}, {12, 12, 1, 8, 8, 20, {5, 5, 1, 1, 0, 0}, 1},
      {9, 8, 12, 5, 4, 6, {3, 2, 2, 1, 1, 0}, 3},  {7, 7, 8, 7, 7, 8, {3, 3, 1, 2, 2, 2}, 1},
      {6, 5, 8, 6, 5, 3, {1, 1, 1, 1, 0, 0}, 1},   {6, 6, 10, 6, 6, 10, {3, 3, 1, 1, 1, 1}, 10}};
  const ImageCut cut{3, 2};
  for (const ConvolutionShape& shape : shapes) {
    for (ConvolutionKind kind :
         {ConvolutionKind::forward, ConvolutionKind::input_gradient, ConvolutionKind::weight_gradient}) {
      CAPTURE(shape.channels);
      CAPTURE(static_cast<int>(kind));
      const bool weights = kind == ConvolutionKind::weight_gradient;
      const std::int64_t input = shape.input_elements(), output = shape.output_elements();
      const auto count = [](std::int64_t elements) { return static_cast<std::size_t>(elements); };
      const std::int64_t read = kind == ConvolutionKind::input_gradient ? output : input;
      const std::int64_t written = weights                            ? shape.weight_elements()
                                   : kind == ConvolutionKind::forward ? cut.images * output
                                                                      : cut.images * input;
      const auto first = numbers<float>(count(cut.images * read), 1);
      const auto second = numbers<float>(count(weights ? cut.images * output : shape.weight_elements()), 2);
      const auto computed = [&](ConvolutionEngine<float>& engine, const auto& a, const auto& b) {
        AlignedArray<float> own(engine.own_elements());
        std::vector<float> result(count(written));
        if (weights) {
          engine.run(1, cut.images, a.data(), b.data(), own.get());
          for (int part = 0; part < engine.parts(); ++part)
            engine.export_part(part, own.get(), result.data());
          return result;
        }
        if constexpr (std::is_same_v<std::decay_t<decltype(b[0])>, float>) {
          for (int part = 0; part < engine.parts(); ++part) engine.import_part(part, b.data(), own.get());
          engine.run(1, cut.images, a.data(), own.get(), result.data());
        }
        return result;
      };
      const auto stored = [](const std::vector<float>& values) {
        std::vector<Bfloat16> bits(values.size());
        kernels<float>().bfloat16.round(values.data(), bits.data(), static_cast<std::int64_t>(values.size()));
        return bits;
      };
      const OperandForms forms{OperandForm::rounded, OperandForm::rounded};
      const OperandForms as_stored{OperandForm::stored, weights ? OperandForm::stored : OperandForm::rounded};
      const auto judge = make_unfolded_convolution<float>(kind, shape, 2);
      const auto expected = computed(*judge, rounded(first), rounded(second));
      const auto check = [&](const auto& make, double ulps) {
        const auto engine = make(forms);
        if (engine == nullptr) return;
        const auto found = computed(*engine, first, second);
        check_close(found, expected, ulps);
        const auto of_stored = make(as_stored);
        if (weights) {
          CHECK(computed(*of_stored, stored(first), stored(second)) == found);
        } else {
          CHECK(computed(*of_stored, stored(first), second) == found);
        }
      };
      check([&](const OperandForms& f) { return make_unfolded_convolution<float>(kind, shape, 2, f); }, 64);
      check([&](const OperandForms& f) { return make_onednn_convolution(kind, shape, cut, 2, f); }, 64);
      check([&](const OperandForms& f) { return make_winograd_convolution<float>(kind, shape, cut, 2, f); },
            512);
    }
  }
}

}  // namespace ravine::cpu
