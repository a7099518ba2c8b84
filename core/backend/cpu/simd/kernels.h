// The CPU's loops over the rules. Every file of this folder is compiled once for each instruction set, in a
// namespace of its own; `kernels<T>()` picks the table that fits the processor, once.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "rules/activations/list.h"
#include "rules/losses/list.h"
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

// Sums over values shifted by one of them, so that the variance does not cancel.
struct PartialMoments {
  double count;
  double shift;
  double sum;
  double squares;
  double zeros;
};

struct PartialLoss {
  double loss;
  std::int64_t correct;
  std::int64_t correct_top5;
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
  T gradient_scale;
  T l2;
  bool decays;  // whether a rule's own weight decay applies
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
  };
  ActivationLoops activations[ActivationRules::size];
  PartialMoments (*moments)(Block<const T> block);
  double (*squares)(Block<const T> block);

  // output[column] = sum of input[row][column] over the rows of the block; returns the sum of squares.
  double (*column_sum)(Block<const T> input, T* output);

  // Elements first_row * columns onwards of the batch's mask.
  void (*dropout)(const RandomKey& key, double rate, std::uint32_t first_row, Block<const T> input,
                  T* output);

  PartialLoss (*softmax_cross_entropy)(Block<const T> logits, const std::int32_t* labels, T smoothing,
                                       T* gradient, T gradient_scale);
  void (*softmax)(Block<const T> logits, T* output);
  PartialLoss (*elementwise_loss[ElementwiseLossRules::size])(const void* rule, Block<const T> prediction,
                                                              const T* targets, T* gradient,
                                                              T gradient_scale);

  struct UpdateLoops {
    PartialUpdate (*update)(const void* rule, const UpdateRange<T>& range);
    void (*look_ahead)(const void* rule, const UpdateRange<T>& range);  // null where there is none
  };
  UpdateLoops updates[UpdateRules::size];
};

// The table for this processor.
template <typename T>
const Kernels<T>& kernels();

}  // namespace ravine::cpu
