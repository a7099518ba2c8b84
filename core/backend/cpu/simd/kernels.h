// The CPU's loops over the rules. Every file of this folder is compiled once for each instruction set, in a
// namespace of its own; `kernels<T>()` picks the table that fits the processor, once.
#pragma once

#include <cstdint>

#include "base/bfloat16.h"
#include "base/random.h"
#include "rules/activations/list.h"
#include "rules/losses/list.h"
#include "rules/penalty.h"
#include "rules/updates/list.h"

namespace ravine::cpu {

// A block of a row-major matrix.
template <typename T>
struct Block {
  T* data;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t stride;
};

// A matrix whose element (i, j) lies at data[i row_stride + j column_stride].
template <typename T>
struct StridedBlock {
  const T* data;
  std::int64_t row_stride;
  std::int64_t column_stride;
};

// Sums over values shifted by one of them, so that the variance does not cancel.
struct PartialMoments {
  double count;
  double shift;
  double sum;
  double squares;
  double zeros;
};

// Of what batch normalization gives before and after an addition, and after the activation.
struct NormalizationMoments {
  PartialMoments normalized;
  PartialMoments sum;
  PartialMoments output;
};

struct PartialLoss {
  double loss;  // weighted sum
  std::int64_t correct;
  std::int64_t correct_top5;
};

// What the rows of a block weigh in the batch's mean loss, sum w l / sum w.
template <typename T>
struct RowWeights {
  const T* samples = nullptr;  // of each row; null: all 1
  const T* classes = nullptr;  // of each class, by labels; null: all 1
  double class_sum = 0;        // over the classes
  double total = 1;            // over all rows of the batch

  // What the gradient of a row's loss is multiplied by.
  double share(double weight) const { return total > 0 ? weight / total : 0; }
};

// The classes of the rows of a block, or mixtures of two of them.
template <typename T>
struct RowClasses {
  const std::int32_t* labels;
  const std::int32_t* second_labels = nullptr;
  const T* shares = nullptr;  // of the first label; null: all 1
};

struct PartialUpdate {
  double weight_squares;
  double update_squares;
};

template <typename T>
struct UpdateRange {
  T* parameters;
  const T* gradients;
  T* look_ahead;
  T* slots[4];
  std::int64_t count;
  Penalty<T> penalty;
  bool decays;  // whether a rule's own weight decay applies
  T rows;       // of the matrix that this is a part of, if any
  T columns;
};

struct PoolingExtents {
  std::int64_t height, width, channels;
  std::int64_t out_height, out_width;
  std::int64_t window_height, window_width, stride;
  std::int64_t top, left;  // padding
};

// Tiles of images in Winograd's convolution, by their number: those of an image by rows, image by image.
struct WinogradTiles {
  std::int64_t first, count;
  std::int64_t across, down;             // of an image
  std::int64_t height, width, channels;  // of an image; channels are a multiple of 16
  std::int64_t plane;                    // elements from a tile's value at one point to that at the next
};

// How columns are normalized: x_hat = (x - mean) / sqrt(variance + epsilon), then scale x_hat + centre.
template <typename T>
struct ColumnNorm {
  const T* mean;
  const T* variance;
  const T* scale;  // may be null, as centre
  const T* centre;
  T epsilon;
};

// Two numbers of bfloat16, the first in the lower half, that are multiplied by two others and added to a sum
// in float32.
using Bfloat16Pair = std::uint32_t;

// Numbers brought into pairs, rounded to the nearest, ties to even; an odd one is paired with 0.
template <typename T>
struct PairLoops {
  // output[row][i] = (input[row][2 i], input[row][2 i + 1]).
  void (*pair_columns)(Block<const T> input, Bfloat16Pair* output, std::int64_t output_stride);
  // output[i][row], the same transposed.
  void (*pair_columns_transposed)(Block<const T> input, Bfloat16Pair* output, std::int64_t output_stride);
  // output[i][column] = (input[2 i][column], input[2 i + 1][column]).
  void (*pair_rows)(Block<const T> input, Bfloat16Pair* output, std::int64_t output_stride);
};

template <typename T>
struct Kernels {
  const char* level;

  // The rules arrive as pointers to rule objects, made where settings are read.
  struct ActivationLoops {
    void (*forward)(const void* rule, const T* input, T* output, std::int64_t count);
    void (*gradient)(const void* rule, const T* input, const T* output, const T* output_gradient,
                     T* input_gradient, std::int64_t count);
    // block = f(block + bias); bias may be null.
    void (*bias_forward)(const void* rule, Block<T> block, const T* bias);
    // The same, and adds to the moments.
    void (*bias_forward_measured)(const void* rule, Block<T> block, const T* bias, PartialMoments& sums);
  };
  ActivationLoops activations[ActivationRules::size];
  // output[m, n] = left[m, k] right[k, n].
  void (*product)(const StridedBlock<T>& left, std::int64_t m, std::int64_t n, std::int64_t k, const T* right,
                  std::int64_t right_stride, T* output, std::int64_t output_stride);
  // output += left right.
  void (*add_product)(const StridedBlock<T>& left, std::int64_t m, std::int64_t n, std::int64_t k,
                      const T* right, std::int64_t right_stride, T* output, std::int64_t output_stride);
  void (*transpose)(Block<const T> input, T* output, std::int64_t output_stride);

  // Of float32, at the level that can have an instruction for it; else null. `has_bfloat16` tells whether the
  // processor does.
  struct Bfloat16Loops : PairLoops<T> {
    PairLoops<Bfloat16> stored;
    void (*round)(const T* input, Bfloat16* output, std::int64_t count);
    void (*widen)(const Bfloat16* input, T* output, std::int64_t count);
    void (*dropout)(const RandomKey& key, double rate, bool scales, std::uint32_t first_row,
                    Block<const Bfloat16> input, Bfloat16* output);
    // output[m, n] = left[m, k] right[k, n], plus what it was where `adds`; k counts pairs.
    void (*product)(const StridedBlock<Bfloat16Pair>& left, std::int64_t m, std::int64_t n, std::int64_t k,
                    const Bfloat16Pair* right, std::int64_t right_stride, T* output,
                    std::int64_t output_stride, bool adds);
  };
  Bfloat16Loops bfloat16;
  void (*add)(const T* left, const T* right, T* output, std::int64_t count);
  void (*moments)(Block<const T> block, PartialMoments& sums);  // adds to the sums
  double (*squares)(Block<const T> block);

  // output[column] = sum of input[row][column] over the rows of the block; returns the sum of squares.
  double (*column_sum)(Block<const T> input, Number<T>* output);

  // sum = weight value where it is the first, else sum + weight value.
  void (*accumulate)(const T* value, T weight, bool first, T* sum, std::int64_t count);
  // value = scale (sum + weight value); returns the sum of squares.
  double (*finish_sum)(const T* sum, T weight, T scale, T* value, std::int64_t count);
  // average += rate (value - average).
  void (*moving_average)(const T* value, T rate, T* average, std::int64_t count);

  // One image; positions may be null where only the output is wanted, and where the mean is taken.
  struct PoolingLoops {
    void (*forward)(const PoolingExtents& extents, const T* input, T* output, std::int32_t* positions);
    void (*gradient)(const PoolingExtents& extents, const T* output_gradient, const std::int32_t* positions,
                     T* input_gradient);
  };
  PoolingLoops max_pooling;
  PoolingLoops average_pooling;

  // Winograd's convolution with windows of 3 x 3 and 5 x 5, in tiles of 4 x 4 values of the output: between
  // images, or windows, and their values at 36 or 64 points. Gradients are the transposed maps; the input's
  // adds. Those of images that are stored in bfloat16 are of float32 alone.
  struct WinogradLoops {
    void (*input)(const WinogradTiles& tiles, const T* images, T* at_points);
    void (*stored_input)(const WinogradTiles& tiles, const Bfloat16* images, T* at_points);
    void (*output)(const WinogradTiles& tiles, const T* at_points, T* images);
    void (*input_gradient)(const WinogradTiles& tiles, const T* at_points, T* images);
    void (*output_gradient)(const WinogradTiles& tiles, const T* images, T* at_points);
    void (*stored_output_gradient)(const WinogradTiles& tiles, const Bfloat16* images, T* at_points);
    // `count` windows at once: `stride` and `plane` elements from one value of all to the next.
    void (*weights)(const T* windows, std::int64_t stride, T* at_points, std::int64_t plane,
                    std::int64_t count);
    void (*weights_gradient)(const T* at_points, std::int64_t plane, T* windows, std::int64_t stride,
                             std::int64_t count);
  };
  WinogradLoops winograd3;
  WinogradLoops winograd5;

  // Elements first_row * columns onwards of the batch's mask; `scales` divides by the share that is kept.
  void (*dropout)(const RandomKey& key, double rate, bool scales, std::uint32_t first_row,
                  Block<const T> input, T* output);

  PartialLoss (*softmax_cross_entropy)(Block<const T> logits, const RowClasses<T>& targets, T smoothing,
                                       const RowWeights<T>& weights, T* gradient);
  void (*softmax)(Block<const T> logits, T* output);
  void (*softmax_gradient)(Block<const T> output, const T* output_gradient, T* input_gradient);
  // `output_settings`: the rule's number for each output; null: all 1.
  PartialLoss (*elementwise_loss[ElementwiseLossRules::size])(const void* rule, Block<const T> prediction,
                                                              const T* targets, const T* output_settings,
                                                              const RowWeights<T>& weights, T* gradient);

  // Of each column: mean, and sum of squared deviations from it. Counts zeros where `zeros` is not null.
  void (*column_moments)(Block<const T> input, double* mean, double* spread, std::int64_t* zeros);
  // output = f(scale x_hat + centre + add), by the activation rule of each index; `add`, which lies as the
  // input does, may be null.
  void (*normalize_columns[ActivationRules::size])(const void* rule, Block<const T> input,
                                                   const ColumnNorm<T>& norm, const T* add, T* output);
  // The same, with the moments of all that it gives on the way.
  NormalizationMoments (*normalize_columns_measured[ActivationRules::size])(const void* rule,
                                                                            Block<const T> input,
                                                                            const ColumnNorm<T>& norm,
                                                                            const T* add, T* output);
  // Adds to the sums over the rows of g x_hat and of g.
  void (*column_norm_sums)(Block<const T> input, const T* output_gradient, const ColumnNorm<Number<T>>& norm,
                           double* scale_sums, double* centre_sums);
  // `count` is the number of rows that the sums are over.
  void (*column_norm_gradient)(Block<const T> input, const T* output_gradient,
                               const ColumnNorm<Number<T>>& norm, const Number<T>* scale_sums,
                               const Number<T>* centre_sums, Number<T> count, T* input_gradient);

  // Normalizes a block by its own moments, written to `mean` and `inverse_deviation`; the output lies as the
  // input does.
  void (*normalize_block)(Block<const T> input, const T* scale, const T* centre, T epsilon, T* output,
                          T* mean, T* inverse_deviation);
  // Adds to the sums, which may be null, as the input's gradient may.
  void (*block_norm_gradient)(Block<const T> input, const T* output_gradient, const T* scale, T mean,
                              T inverse_deviation, T* input_gradient, double* scale_sums,
                              double* centre_sums);

  // output = factor input + shift.
  void (*affine)(const T* input, T factor, T shift, T* output, std::int64_t count);

  // Rows v to rows gain v / |v|.
  void (*normalize_weight)(Block<const T> direction, const T* gain, T* weight);
  // Returns the sums of squares of both gradients.
  struct WeightGradientSquares {
    double direction;
    double gain;
  };
  WeightGradientSquares (*weight_norm_gradient)(Block<const T> direction, const T* gain,
                                                const T* weight_gradient, T* direction_gradient,
                                                T* gain_gradient);

  struct UpdateLoops {
    PartialUpdate (*update)(const void* rule, const UpdateRange<T>& range);
    void (*look_ahead)(const void* rule, const UpdateRange<T>& range);  // null where there is none
    // Of matrices, null where the rule does not tell them apart: writes the direction and returns its sum of
    // squares; then, when that is orthogonalized, moves against it.
    double (*direction)(const void* rule, const UpdateRange<T>& range, T* output);
    PartialUpdate (*update_matrix)(const void* rule, const UpdateRange<T>& range, const T* orthogonal);
  };
  UpdateLoops updates[UpdateRules::size];
};

// The table for this processor. That of Bfloat16 holds the loops over what is stored in it, and no others.
template <typename T>
const Kernels<T>& kernels();

// Whether that table's loops in bfloat16 are there and this processor can run them.
bool has_bfloat16();

}  // namespace ravine::cpu
