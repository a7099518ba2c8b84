// The operations of normalization, over a batch, over blocks of a sample and over weights.
#pragma once

#include <cstdint>
#include <optional>

#include "backend/tensor.h"
#include "base/values.h"

namespace ravine {

// Mean and biased variance of each column over all rows.
struct ColumnMoments {
  TensorId input;
  TensorId mean;
  TensorId variance;
};

// output = scale x_hat + centre, x_hat = (input - mean) / sqrt(variance + epsilon), column by column; then
// perhaps the addition of another tensor and an activation.
struct ColumnNormalization {
  TensorId input;
  TensorId mean;
  TensorId variance;
  TensorId scale;  // may be absent, as centre
  TensorId centre;
  TensorId output;
  double epsilon;
  TensorId add = no_tensor;
  std::optional<Component> activation = {};
  Observation observe = {};             // the output
  Observation observe_normalized = {};  // what is normalized, before anything else
  Observation observe_sum = {};         // before the activation, where something is added
};

// Sums over all rows: of the output's gradient times x_hat, and of that gradient.
struct ColumnNormalizationSums {
  TensorId input;
  TensorId mean;
  TensorId variance;
  TensorId output_gradient;
  TensorId scale_gradient;
  TensorId centre_gradient;
  double epsilon;
  Observation observe_scale = {};
  Observation observe_centre = {};
};

// Where a batch is computed in parts, by this program and others (on other ranks): what all of them found
// together. Of count, mean and biased variance of each part, by Chan, Golub and LeVeque (1983), in the order
// of the parts; a program that is run without the others takes its own. The count is one number.
struct MergeMoments {
  TensorId mean;
  TensorId variance;
  std::int64_t rows;  // of the part
  TensorId whole_count;
  TensorId whole_mean;
  TensorId whole_variance;
};

// The same of sums over rows.
struct MergeSums {
  TensorId scale_gradient;
  TensorId centre_gradient;
  TensorId whole_scale_gradient;
  TensorId whole_centre_gradient;
};

// Through the statistics too: input_gradient = scale / sqrt(variance + epsilon) (output_gradient -
// centre_gradient / rows - x_hat scale_gradient / rows).
struct ColumnNormalizationGradient {
  TensorId input;
  TensorId mean;
  TensorId variance;
  TensorId scale;
  TensorId output_gradient;
  TensorId scale_gradient;  // the sums
  TensorId centre_gradient;
  TensorId input_gradient;
  double epsilon;
  TensorId count = no_tensor;  // the rows that were summed over; absent: those of the input
};

// average = momentum average + (1 - momentum) factor value.
struct MovingAverage {
  TensorId value;
  TensorId average;
  double momentum;
  double factor;
  TensorId count = no_tensor;  // where present, the factor is count / (count - 1): that of a variance
};

// A tensor seen as [outer, rows, groups, columns]; a block is all rows and columns of one outer index and
// group.
struct BlockExtents {
  std::int64_t outer;
  std::int64_t rows;
  std::int64_t groups;
  std::int64_t columns;
};

// output = scale x_hat + centre, x_hat = (input - mean) / sqrt(variance + epsilon) with the moments of each
// block; scale and centre have groups x columns values.
struct BlockNormalization {
  TensorId input;
  TensorId scale;  // may be absent, as centre
  TensorId centre;
  TensorId mean;  // of each block, for the backward pass; absent in evaluation, as the next
  TensorId inverse_deviation;
  TensorId output;
  BlockExtents extents;
  double epsilon;
  Observation observe = {};
};

struct BlockNormalizationGradient {
  TensorId input;
  TensorId scale;
  TensorId mean;
  TensorId inverse_deviation;
  TensorId output_gradient;
  TensorId input_gradient;  // each of the three may be absent
  TensorId scale_gradient;
  TensorId centre_gradient;
  BlockExtents extents;
  Observation observe_scale = {};
  Observation observe_centre = {};
};

// The weights v into each unit (the first extent), of `direction`, give gain v / |v| of `weight`.
struct WeightNormalization {
  TensorId direction;
  TensorId gain;
  TensorId weight;
};

// gain_gradient = g . v / |v|, direction_gradient = gain / |v| (g - (g . v / |v|^2) v), g its part of
// weight_gradient.
struct WeightNormalizationGradient {
  TensorId direction;
  TensorId gain;
  TensorId weight_gradient;
  TensorId direction_gradient;
  TensorId gain_gradient;
  Observation observe_direction = {};
  Observation observe_gain = {};
};

}  // namespace ravine
