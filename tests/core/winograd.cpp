// Winograd's convolution: in double beside sums as they are defined, in float within its rounding.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "backend/cpu/convolution_engine.h"
#include "levels.h"

namespace ravine::cpu {
namespace {

using Values = std::vector<double>;

// Calls visit(image, filter, weight, value of the input, value of the output) for every term of the sums.
template <typename Visit>
void for_each_term(const ConvolutionShape& s, std::int64_t images, const Visit& visit) {
  for (std::int64_t image = 0; image < images; ++image) {
    for (std::int64_t y = 0; y < s.out_height; ++y) {
      for (std::int64_t x = 0; x < s.out_width; ++x) {
        for (std::int64_t i = 0; i < s.window.height; ++i) {
          for (std::int64_t j = 0; j < s.window.width; ++j) {
            const std::int64_t row = y + i - s.window.top, column = x + j - s.window.left;
            if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
            const std::int64_t from = ((image * s.height + row) * s.width + column) * s.channels;
            const std::int64_t to = ((image * s.out_height + y) * s.out_width + x) * s.filters;
            for (std::int64_t f = 0; f < s.filters; ++f) {
              const std::int64_t weight = ((f * s.window.height + i) * s.window.width + j) * s.channels;
              for (std::int64_t c = 0; c < s.channels; ++c) {
                visit(static_cast<std::size_t>(from + c), static_cast<std::size_t>(weight + c),
                      static_cast<std::size_t>(to + f));
              }
            }
          }
        }
      }
    }
  }
}

Values expected(ConvolutionKind kind, const ConvolutionShape& s, std::int64_t images, const Values& first,
                const Values& second) {
  const bool forward = kind == ConvolutionKind::forward;
  const bool weights = kind == ConvolutionKind::weight_gradient;
  Values sums(static_cast<std::size_t>(weights   ? s.weight_elements()
                                       : forward ? images * s.output_elements()
                                                 : images * s.input_elements()));
  for_each_term(s, images, [&](std::size_t input, std::size_t weight, std::size_t output) {
    if (forward) sums[output] += first[input] * second[weight];
    if (weights) sums[weight] += first[input] * second[output];
    if (!forward && !weights) sums[input] += first[output] * second[weight];
  });
  return sums;
}

// Images given to the engine in tiles of three, and in one.
template <typename T>
Values found(ConvolutionKind kind, const ConvolutionShape& s, const ImageCut& cut, const Values& first,
             const Values& second) {
  const auto engine = make_winograd_convolution<T>(kind, s, cut, 2);
  REQUIRE(engine != nullptr);
  const std::vector<T> left(first.begin(), first.end()), right(second.begin(), second.end());
  const auto own_elements = static_cast<std::size_t>(engine->own_elements());
  AlignedArray<T> own(engine->own_elements());
  const bool forward = kind == ConvolutionKind::forward;
  const bool weights = kind == ConvolutionKind::weight_gradient;
  const std::int64_t from =
      kind == ConvolutionKind::input_gradient ? s.output_elements() : s.input_elements();
  const std::int64_t to = forward ? s.output_elements() : s.input_elements();
  std::vector<T> result(static_cast<std::size_t>(weights ? s.weight_elements() : cut.batch * to), T(7));
  if (!weights) {
    for (int part = engine->parts(); part-- > 0;) engine->import_part(part, right.data(), own.get());
  }
  std::vector<T> sum(own_elements), tile_sum(own_elements);
  for (int tile = 0; tile < cut.tiles(); ++tile) {
    const std::int64_t image = cut.begin(tile);
    if (!weights) {
      engine->run(tile % 2, cut.length(tile), left.data() + image * from, own.get(),
                  result.data() + image * to);
      continue;
    }
    engine->run(tile % 2, cut.length(tile), left.data() + image * from,
                right.data() + image * s.output_elements(), tile_sum.data());
    for (std::size_t i = 0; i < own_elements; ++i) sum[i] += tile_sum[i];
  }
  for (int part = 0; weights && part < engine->parts(); ++part) {
    engine->export_part(part, sum.data(), result.data());
  }
  return {result.begin(), result.end()};
}

// Root mean squares of the difference and of what is expected, as a ratio.
double error_of(const Values& values, const Values& expected) {
  REQUIRE(values.size() == expected.size());
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    error += (values[i] - expected[i]) * (values[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  REQUIRE(size > 0);
  return std::sqrt(error / size);
}

// height, width, channels, their outputs, window (height, width, stride, dilation, top, left), groups.
ConvolutionShape shape(std::int64_t height, std::int64_t width, std::int64_t channels, std::int64_t filters,
                       std::int64_t size, std::int64_t padding) {
  return {height,
          width,
          channels,
          height + 2 * padding - size + 1,
          width + 2 * padding - size + 1,
          filters,
          {size, size, 1, 1, padding, padding},
          1};
}

}  // namespace

TEST_CASE("Winograd's convolution is a convolution") {
  // With and without padding; tiles that reach over the edge; one tile; many images, and parts of one, at
  // once.
  const ConvolutionShape shapes[] = {
      shape(8, 8, 16, 32, 3, 1),   shape(13, 11, 16, 16, 3, 1),
      shape(6, 10, 32, 16, 3, 0),  shape(12, 12, 32, 48, 5, 0),
      shape(10, 9, 16, 16, 5, 2),  shape(4, 4, 64, 48, 3, 1),
      shape(40, 36, 16, 16, 3, 1), {9, 8, 16, 8, 8, 16, {3, 3, 1, 1, 0, 1}, 1}};
  const ImageCut cut{7, 3};
  for (const ConvolutionShape& s : shapes) {
    for (ConvolutionKind kind :
         {ConvolutionKind::forward, ConvolutionKind::input_gradient, ConvolutionKind::weight_gradient}) {
      CAPTURE(s.height);
      CAPTURE(s.window.height);
      CAPTURE(static_cast<int>(kind));
      const bool weights = kind == ConvolutionKind::weight_gradient;
      const std::int64_t of_first =
          kind == ConvolutionKind::input_gradient ? s.output_elements() : s.input_elements();
      // Rounded to float, so that both element types compute the same.
      const auto first = numbers<float>(static_cast<std::size_t>(cut.batch * of_first), 1);
      const auto second = numbers<float>(
          static_cast<std::size_t>(weights ? cut.batch * s.output_elements() : s.weight_elements()), 2);
      const Values left(first.begin(), first.end()), right(second.begin(), second.end());
      const Values sums = expected(kind, s, cut.batch, left, right);
      CHECK(error_of(found<double>(kind, s, cut, left, right), sums) < 1e-13);
      CHECK(error_of(found<float>(kind, s, cut, left, right), sums) < (s.window.height == 3 ? 4e-6 : 1e-5));
    }
  }
}

TEST_CASE("Winograd's method is left alone where it saves little or is not made for it") {
  const ImageCut cut{8, 4};
  const auto is_made = [&](const ConvolutionShape& s) {
    return make_winograd_convolution<float>(ConvolutionKind::forward, s, cut, 1) != nullptr;
  };
  CHECK(is_made(shape(8, 8, 16, 16, 3, 1)));
  CHECK_FALSE(is_made(shape(8, 8, 3, 16, 3, 1)));
  CHECK_FALSE(is_made(shape(8, 8, 16, 24, 3, 1)));
  CHECK(is_made(shape(8, 8, 64, 64, 3, 1)));
  CHECK_FALSE(is_made(shape(8, 8, 128, 128, 3, 1)));    // weights at points: 2.4 MB
  CHECK_FALSE(is_made(shape(224, 224, 16, 16, 3, 1)));  // an image in its frame: 3.3 MB
  CHECK_FALSE(is_made(shape(8, 8, 16, 16, 1, 0)));
  CHECK_FALSE(is_made(shape(4, 4, 16, 16, 3, 0)));  // one tile for four values
  CHECK_FALSE(is_made({9, 9, 16, 4, 4, 16, {3, 3, 2, 1, 0, 0}, 1}));
  CHECK_FALSE(is_made({8, 8, 16, 4, 4, 16, {3, 3, 1, 2, 0, 0}, 1}));
  CHECK_FALSE(is_made({8, 8, 32, 8, 8, 32, {3, 3, 1, 1, 1, 1}, 2}));
}

// A tile of the output, at every instruction set: y = A' [(G g G') * (B' d B)] A.
TEST_CASE_TEMPLATE("levels: Winograd's transformations", T, float, double) {
  constexpr std::int64_t channels = 16;
  for (const Kernels<T>& kernels : levels<T>()) {
    CAPTURE(kernels.level);
    for (std::int64_t size : {3, 5}) {
      CAPTURE(size);
      const auto& loops = size == 3 ? kernels.winograd3 : kernels.winograd5;
      constexpr std::int64_t step = 4;
      const std::int64_t extent = size + step - 1;
      const std::int64_t points = extent * extent;
      const WinogradTiles in{0, 1, 1, 1, extent, extent, channels, channels};
      const WinogradTiles out{0, 1, 1, 1, step, step, channels, channels};
      const auto image = numbers<T>(static_cast<std::size_t>(points * channels), 1);
      const auto window = numbers<T>(static_cast<std::size_t>(size * size * channels), 2);
      const auto gradient = numbers<T>(static_cast<std::size_t>(step * step * channels), 3);
      std::vector<T> d(image.size()), g(image.size()), m(image.size()), y(gradient.size());
      loops.input(in, image.data(), d.data());
      loops.weights(window.data(), channels, g.data(), channels, channels);
      for (std::size_t i = 0; i < m.size(); ++i) m[i] = d[i] * g[i];
      loops.output(out, m.data(), y.data());

      // The transposed maps, of the gradient of the sum of y times some numbers.
      std::vector<T> of_m(m.size()), of_d(m.size()), of_g(m.size());
      std::vector<T> of_image(image.size(), T(1)), of_window(window.size());
      loops.output_gradient(out, gradient.data(), of_m.data());
      for (std::size_t i = 0; i < m.size(); ++i) of_d[i] = of_m[i] * g[i];
      for (std::size_t i = 0; i < m.size(); ++i) of_g[i] = of_m[i] * d[i];
      loops.input_gradient(in, of_d.data(), of_image.data());
      loops.weights_gradient(of_g.data(), channels, of_window.data(), channels, channels);

      Values sums(y.size()), image_sums(image.size(), 1.0), window_sums(window.size());
      for (std::int64_t c = 0; c < channels; ++c) {
        for (std::int64_t t = 0; t < step * step * size * size; ++t) {
          const std::int64_t i = t / (step * size * size), j = t / (size * size) % step;
          const std::int64_t a = t / size % size, b = t % size;
          const auto from = static_cast<std::size_t>(((i + a) * extent + j + b) * channels + c);
          const auto to = static_cast<std::size_t>((i * step + j) * channels + c);
          const auto weight = static_cast<std::size_t>((a * size + b) * channels + c);
          const double g_of_y = static_cast<double>(gradient[to]);
          sums[to] += static_cast<double>(image[from]) * static_cast<double>(window[weight]);
          image_sums[from] += g_of_y * static_cast<double>(window[weight]);
          window_sums[weight] += g_of_y * static_cast<double>(image[from]);
        }
      }
      const double rounding = (size == 3 ? 30 : 100) * static_cast<double>(std::numeric_limits<T>::epsilon());
      CHECK(error_of({y.begin(), y.end()}, sums) < rounding);
      CHECK(error_of({of_image.begin(), of_image.end()}, image_sums) < rounding);
      CHECK(error_of({of_window.begin(), of_window.end()}, window_sums) < rounding);
    }
  }
}

}  // namespace ravine::cpu
