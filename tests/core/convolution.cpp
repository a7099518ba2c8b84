// The two ways to a convolution agree: by oneDNN, and as a product.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "backend/cpu/convolution_engine.h"

using namespace ravine;
using namespace ravine::cpu;

namespace {

std::vector<float> numbers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

// The result over all images, tile by tile; the weights' gradient summed over tiles.
std::vector<float> computed(ConvolutionEngine<float>& engine, ConvolutionKind kind,
                            const ConvolutionShape& shape, const ImageCut& cut) {
  const bool forward = kind == ConvolutionKind::forward;
  const bool weights = kind == ConvolutionKind::weight_gradient;
  const std::int64_t first_size =
      kind == ConvolutionKind::input_gradient ? shape.output_elements() : shape.input_elements();
  const std::int64_t result_size = forward ? shape.output_elements() : shape.input_elements();
  const auto first = numbers(cut.batch * first_size, 1);
  const auto second = numbers(weights ? cut.batch * shape.output_elements() : shape.weight_elements(), 2);
  AlignedArray<float> own(engine.own_elements());
  if (!weights) engine.import_part(0, second.data(), own.get());

  std::vector<float> result(
      static_cast<std::size_t>(weights ? shape.weight_elements() : cut.batch * result_size));
  std::vector<float> part(static_cast<std::size_t>(shape.weight_elements()));
  for (int tile = 0; tile < cut.tiles(); ++tile) {
    const std::int64_t image = cut.begin(tile);
    const float* left = first.data() + image * first_size;
    if (!weights) {
      engine.run(tile % 2, cut.length(tile), left, own.get(), result.data() + image * result_size);
      continue;
    }
    engine.run(tile % 2, cut.length(tile), left, second.data() + image * shape.output_elements(), own.get());
    engine.export_part(0, own.get(), part.data());
    for (std::size_t i = 0; i < part.size(); ++i) result[i] += part[i];
  }
  return result;
}

}  // namespace

TEST_CASE("convolution by oneDNN and as a product") {
  // height, width, channels, their outputs, window (height, width, stride, dilation, top, left), groups.
  const ConvolutionShape shapes[] = {
      {9, 8, 16, 9, 8, 32, {3, 3, 1, 1, 1, 1}, 1}, {12, 12, 1, 8, 8, 20, {5, 5, 1, 1, 0, 0}, 1},
      {9, 8, 12, 5, 4, 6, {3, 2, 2, 1, 1, 0}, 3},  {7, 7, 8, 7, 7, 8, {3, 3, 1, 2, 2, 2}, 1},
      {6, 5, 8, 6, 5, 3, {1, 1, 1, 1, 0, 0}, 1},   {8, 8, 16, 4, 4, 24, {1, 1, 2, 1, 0, 0}, 1},
      {6, 6, 10, 6, 6, 10, {3, 3, 1, 1, 1, 1}, 10}};
  const ImageCut cut{7, 3};
  REQUIRE(cut.tiles() == 3);
  REQUIRE(cut.length(2) == 1);
  for (const ConvolutionShape& shape : shapes) {
    for (ConvolutionKind kind :
         {ConvolutionKind::forward, ConvolutionKind::input_gradient, ConvolutionKind::weight_gradient}) {
      CAPTURE(shape.channels);
      CAPTURE(static_cast<int>(kind));
      const auto product = make_unfolded_convolution<float>(kind, shape, 2);
      const auto library = make_onednn_convolution(kind, shape, cut, 2, {});
      if (library == nullptr) continue;  // built without it, or it has no such convolution
      const auto expected = computed(*product, kind, shape, cut);
      const auto found = computed(*library, kind, shape, cut);
      REQUIRE(found.size() == expected.size());
      double largest = 0;
      double error = 0;
      for (std::size_t i = 0; i < found.size(); ++i) {
        largest = std::max(largest, std::fabs(static_cast<double>(expected[i])));
        error = std::max(error, std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
      }
      CHECK(largest > 1.0);
      CHECK(error < 1e-5 * largest);
    }
  }
}
