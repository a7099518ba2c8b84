#include "network/normalization_fusion.h"

#include "network/fusion.h"

namespace ravine {
namespace {

bool merge_moments(Convolution& before, const Operation& next) {
  const auto* moments = std::get_if<ColumnMoments>(&next);
  if (moments == nullptr || moments->input != before.output || before.mean != no_tensor) return false;
  before.mean = moments->mean;
  before.variance = moments->variance;
  return true;
}

bool merge_addition(ColumnNormalization& before, const Operation& next) {
  const auto* add = std::get_if<Add>(&next);
  if (add == nullptr || before.add != no_tensor || before.activation) return false;
  if (add->left != before.output && add->right != before.output) return false;
  before.add = add->left == before.output ? add->right : add->left;
  before.output = add->output;
  before.observe_normalized = before.observe;
  before.observe = add->observe;
  return true;
}

bool merge_activation(ColumnNormalization& before, const Operation& next) {
  const auto* activation = std::get_if<Activation>(&next);
  if (activation == nullptr || activation->input != before.output || before.activation) return false;
  (before.add == no_tensor ? before.observe_normalized : before.observe_sum) = before.observe;
  before.activation = activation->rule;
  before.output = activation->output;
  before.observe = activation->observe;
  return true;
}

bool merge_sums(ConvolutionInputGradient& before, const Operation& next) {
  const auto* sums = std::get_if<ColumnNormalizationSums>(&next);
  if (sums == nullptr || sums->output_gradient != before.output || before.sums) return false;
  before.sums = *sums;
  before.sums->output_gradient = no_tensor;
  return true;
}

}  // namespace

void fuse_normalization(LoweredProgram& lowered) {
  if (!lowered.program.options.fuse_normalization) return;
  merge_neighbours(lowered, [](Operation& before, const Operation& next, bool only_reader) {
    if (auto* convolution = std::get_if<Convolution>(&before)) return merge_moments(*convolution, next);
    if (auto* gradient = std::get_if<ConvolutionInputGradient>(&before)) return merge_sums(*gradient, next);
    auto* normalization = std::get_if<ColumnNormalization>(&before);
    return normalization != nullptr && only_reader &&
           (merge_addition(*normalization, next) || merge_activation(*normalization, next));
  });
}

}  // namespace ravine
