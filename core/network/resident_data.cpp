#include "network/resident_data.h"

#include <string>
#include <utility>

#include "base/errors.h"
#include "rules/augmentation/map.h"

namespace ravine {
namespace {

using augmentation::Kind;
using augmentation::Step;

bool moves_pixels(Kind kind) { return kind <= Kind::fixed_crop; }

// What kernels rely on: sizes that follow from each other, maps of neighbours with few lenses, settings that
// stay within the pictures.
bool fits(const PictureSteps& pictures) {
  int height = pictures.height;
  int width = pictures.width;
  const auto count = static_cast<int>(pictures.steps.size());
  for (int i = 0; i < count;) {
    const Step& first = pictures.steps[static_cast<std::size_t>(i)];
    const bool moves = moves_pixels(first.kind);
    if (moves ? first.group_end <= i || first.group_end > count : first.group_end != 0) return false;
    const int end = moves ? first.group_end : i + 1;
    int lenses = 0;
    for (; i < end; ++i) {
      const Step& step = pictures.steps[static_cast<std::size_t>(i)];
      if (moves_pixels(step.kind) != moves || step.height != height || step.width != width) return false;
      if (step.kind < Kind::translation || step.kind > Kind::cutout || step.height < 1 || step.width < 1) {
        return false;
      }
      lenses += step.kind == Kind::lens_distortion ? 1 : 0;
      if (step.kind == Kind::pca_colour && pictures.channels != 3) return false;
      height = step.out_height;
      width = step.out_width;
      if (!moves && (height != step.height || width != step.width)) return false;
    }
    if (lenses > augmentation::most_lenses) return false;
  }
  return height == pictures.out_height && width == pictures.out_width && height > 0 && width > 0;
}

void check(const RowsRequest& request) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::invalid_parameter, what).at_key("inputs");
  };
  const bool floats = request.stored == DType::float32 || request.stored == DType::float64;
  if (request.samples < 1 || request.stored_values < 1) refuse("there are no samples");
  if (!floats && request.stored != DType::uint8) refuse("expected uint8, float32 or float64");
  const auto values = static_cast<std::size_t>(request.values);
  if (request.mean.size() != request.scale.size() ||
      (!request.mean.empty() && request.mean.size() != values)) {
    refuse("the scaling needs a mean and a scale for each value");
  }
  if (request.training.values() == 0) {
    if (request.stored_values != request.values) refuse("a sample has not as many values as an input");
    if (request.mixed.mixes) refuse("only pictures are mixed");
    return;
  }
  for (const PictureSteps* steps : {&request.training, &request.evaluation}) {
    const std::int64_t stored = std::int64_t{steps->height} * steps->width * steps->channels;
    if (!fits(*steps) || steps->values() != request.values || stored != request.stored_values ||
        request.stored != DType::uint8) {
      refuse("the steps of the augmentation do not fit the pictures or each other");
    }
  }
  if (!request.quantiles.empty() && request.quantiles.size() != augmentation::quantiles) {
    refuse("noise needs " + std::to_string(augmentation::quantiles) + " quantiles");
  }
  for (const Step& step : request.training.steps) {
    if (step.kind == Kind::gaussian_noise && request.quantiles.empty()) refuse("noise needs quantiles");
  }
}

}  // namespace

ResidentData::ResidentData(Network& network, RowsRequest request)
    : network_(network), request_(std::move(request)) {
  request_.dtype = network.options_.dtype;
  request_.values = network.graph_.input.elements();
  request_.labels = network.loss_->target_kind() == TargetKind::labels;
  request_.target_values = request_.labels ? 1 : network.graph_.output().elements();
  check(request_);
  const Network::Turn turn(network_);
  rows_ = keep_rows(*network.backend_, request_);
  if (rows_ == nullptr) {
    throw Error(ErrorCode::device_unavailable,
                "device " + network.options_.device.to_string() + " has no memory of its own for samples");
  }
}

void ResidentData::write_inputs(std::int64_t first, std::int64_t count, const void* inputs) {
  if (first < 0 || count < 0 || first + count > request_.samples) {
    throw Error(ErrorCode::shape_mismatch, "there are " + std::to_string(request_.samples) + " samples")
        .at_key("inputs");
  }
  const Network::Turn turn(network_);
  rows_->write_inputs(first, count, inputs);
}

void ResidentData::write_targets(const void* targets, const void* weights) {
  const Network::Turn turn(network_);
  network_.check_targets(targets, weights, request_.samples);
  rows_->write_targets(targets, weights);
}

GatheredRows ResidentData::gather(const std::int64_t* indices, std::int64_t count, std::int64_t epoch) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (indices[i] >= 0 && indices[i] < request_.samples) continue;
    throw Error(ErrorCode::shape_mismatch, "index " + std::to_string(indices[i]) + " is outside the " +
                                               std::to_string(request_.samples) + " samples")
        .at_key("indices");
  }
  const Network::Turn turn(network_);
  return rows_->gather(indices, count, epoch);
}

}  // namespace ravine
