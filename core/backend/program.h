// The vocabulary between networks and backends: tensors, and the flat list of operations over them.
//
// A Program says what is to be computed; a backend prepares it (engines chosen, buffers bound) and runs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "backend/compute_options.h"
#include "backend/measured_by.h"
#include "backend/normalization.h"
#include "backend/tensor.h"
#include "base/dtype.h"
#include "base/shape.h"
#include "base/values.h"

namespace ravine {

class Communicator;

// output[m, n] = left[m, k] right[k, n], either factor transposed where said; then bias, activation, and for
// gradients the multiplication by the derivative of the activation before.
struct Product {
  TensorId left;
  bool transpose_left;
  TensorId right;
  bool transpose_right;
  TensorId output;
  TensorId bias = no_tensor;
  std::optional<Component> activation = {};
  // Fused activation gradient: output *= f'(activation_input, activation_output).
  std::optional<Component> activation_gradient = {};
  TensorId activation_input = no_tensor;
  TensorId activation_output = no_tensor;
  Observation observe = {};
};

// output = f(input).
struct Activation {
  Component rule;
  TensorId input;
  TensorId output;
  Observation observe = {};
};

// input_gradient = output_gradient f'(input, output).
struct ActivationGradient {
  Component rule;
  TensorId input;  // no_tensor where the rule reads the output alone
  TensorId output;
  TensorId output_gradient;
  TensorId input_gradient;
};

// output = input * mask / (1 - rate), or input * mask; the mask is drawn from Philox and never stored.
struct Dropout {
  double rate;
  std::uint32_t stream;
  TensorId input;
  TensorId output;
  bool backward;  // input and output are gradients
  bool scales;    // divides by the share that is kept, 1 - rate
  Observation observe = {};
};

// output[n] = sum over rows of input[m, n].
struct ColumnSum {
  TensorId input;
  TensorId output;
  Observation observe = {};
};

// A batch's loss is sum w l / sum w over its rows, where w is 1, or the row's value of a tensor `weights`
// that may be left unbound; 0 where all w are.

// Loss of a row: log sum exp(logits) - sum of target times logits; gradient (softmax - target) w / sum w; the
// target is (1 - label_smoothing) one hot + label_smoothing / columns. With class weights c each column's
// part of the target is multiplied by its own, and in sum w each row counts w times the c of its label.
// Where `shares` is bound, one hot is mixed: a row's share of its label, and the rest of its second label.
struct SoftmaxCrossEntropy {
  TensorId logits;
  TensorId labels;
  TensorId weights;
  TensorId gradient;  // no_tensor in evaluation
  double label_smoothing = 0;
  std::vector<double> class_weights = {};  // empty: all 1
  TensorId second_labels = no_tensor;
  TensorId shares = no_tensor;
};

// Loss of a row: the mean of the rule over its elements; gradient times w / sum w, divided by the elements.
struct ElementwiseLoss {
  Component rule;
  TensorId prediction;
  TensorId targets;
  TensorId weights;
  TensorId gradient;                         // no_tensor in evaluation
  std::vector<double> output_settings = {};  // the rule's number for each element of a row; empty: all 1
};

// output = softmax of each row.
struct Softmax {
  TensorId input;
  TensorId output;
  Observation observe = {};
};

// Of a row: input_gradient = y (g - y . g), y the output and g its gradient.
struct SoftmaxGradient {
  TensorId output;
  TensorId output_gradient;
  TensorId input_gradient;
};

// output = left + right.
struct Add {
  TensorId left;
  TensorId right;
  TensorId output;
  Observation observe = {};
};

// Copies some columns of one tensor into another, row by row.
struct CopyColumns {
  TensorId input;
  TensorId output;
  std::int64_t input_column;
  std::int64_t output_column;
  std::int64_t columns;
};

// How a window moves over an image; what it covers beyond the image counts as zero (to a maximum: as
// nothing). How far it reaches over the last row and column follows from the shape of the output.
struct Window {
  std::int64_t height;
  std::int64_t width;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t top = 0;  // rows of padding before the first one
  std::int64_t left = 0;
};

// output[image, y, x, filter] = sum over the window and its channels of input times weight; then bias and
// activation. Images are (height, width, channels), weights (filters, height, width, channels / groups).
// Fused: mean and biased variance of each filter's output, over all images and places.
struct Convolution {
  Window window;
  std::int64_t groups;
  TensorId input;
  TensorId weight;
  TensorId output;
  TensorId bias = no_tensor;
  std::optional<Component> activation = {};
  TensorId mean = no_tensor;
  TensorId variance = no_tensor;
  Observation observe = {};
};

// The gradient of a convolution's input. Fused: plus another gradient, times the derivative of the activation
// before, and of the result, the sums that the normalization before needs.
struct ConvolutionInputGradient {
  Window window;
  std::int64_t groups;
  TensorId output_gradient;
  TensorId weight;
  TensorId output;
  TensorId add = no_tensor;
  std::optional<Component> activation_gradient = {};
  TensorId activation_input = no_tensor;
  TensorId activation_output = no_tensor;
  std::optional<ColumnNormalizationSums> sums = {};  // its own output_gradient is absent
};

// The gradients of a convolution's weights and bias.
struct ConvolutionWeightGradient {
  Window window;
  std::int64_t groups;
  TensorId input;
  TensorId output_gradient;
  TensorId output;
  TensorId bias_output = no_tensor;
  Observation observe = {};
  Observation observe_bias = {};
};

enum class PoolingKind { maximum, average };

// The largest value under a window, or the mean of those in the image. `positions` (int32) keeps where in the
// window the first largest value is; no_tensor where no gradient follows.
struct Pooling {
  PoolingKind kind;
  Window window;
  TensorId input;
  TensorId output;
  TensorId positions = no_tensor;
  Observation observe = {};
};

// Fused: times the derivative of the activation before.
struct PoolingGradient {
  PoolingKind kind;
  Window window;
  TensorId output_gradient;
  TensorId positions;
  TensorId output;
  std::optional<Component> activation_gradient = {};
  TensorId activation_input = no_tensor;
  TensorId activation_output = no_tensor;
};

// output = factor input + shift.
struct Affine {
  TensorId input;
  TensorId output;
  double factor;
  double shift;
  Observation observe = {};
};

// Between the ranks of a model group (Program::model), which compute parts of one network.

// output = the columns of all ranks' inputs side by side, in order of rank. They arrive rank by rank in a
// tensor of the same size.
struct GatherColumns {
  TensorId input;
  TensorId arrived;
  TensorId output;
  std::vector<std::int64_t> columns;  // of each rank, at least one
  Observation observe = {};
};

// output = the sum of all ranks' inputs, of which some may be absent and count as 0; the same bits on every
// rank. Input and output may be one tensor.
struct SumRanks {
  TensorId input;
  TensorId output;
};

// The input of the rank `root`, which has no output, becomes the output of the others, which have no input.
struct Broadcast {
  int root;
  TensorId input;
  TensorId output;
};

// Lets every rank know what others have measured, at the end of the section.
struct MergeMeasurements {
  MeasuredBy by;
};

using Operation =
    std::variant<ColumnMoments, ColumnNormalization, ColumnNormalizationSums, ColumnNormalizationGradient,
                 MovingAverage, MergeMoments, MergeSums, BlockNormalization, BlockNormalizationGradient,
                 Affine, WeightNormalization, WeightNormalizationGradient, Convolution,
                 ConvolutionInputGradient, ConvolutionWeightGradient, Pooling, PoolingGradient, Add,
                 CopyColumns, Product, Activation, ActivationGradient, Dropout, ColumnSum,
                 SoftmaxCrossEntropy, ElementwiseLoss, Softmax, SoftmaxGradient, GatherColumns, SumRanks,
                 Broadcast, MergeMeasurements>;

// `state` changes what layers keep, once a training step has succeeded.
enum class Section { forward, loss, backward, state };

struct Step {
  Operation operation;
  Section section;
  int layer;  // the layer it belongs to; -1 for the loss
};

// Steps that no worker has to wait between. By rows: every step takes tiles of `samples` samples, and a tile
// goes through all of them; otherwise the steps do not need each other.
struct Phase {
  std::size_t first;
  std::size_t count;
  bool by_rows;
  std::int64_t samples = 0;
};

// The flat list of one mode (training, evaluation, prediction) at one batch size.
class Program {
 public:
  Program(std::int64_t batch, DType dtype) : batch_(batch), dtype_(dtype) {}

  TensorId add_tensor(Tensor tensor);
  // An activation or activation gradient of the program's element type.
  TensorId add_activation(const Shape& sample_shape, std::string name);
  // The same memory under another sample shape.
  TensorId add_alias(TensorId tensor, const Shape& sample_shape);
  void add(Operation operation) { steps.push_back({std::move(operation), section, layer}); }

  const Tensor& tensor(TensorId id) const { return tensors.at(static_cast<std::size_t>(id)); }
  // The tensor whose memory this one uses.
  TensorId root(TensorId id) const;
  std::int64_t batch() const { return batch_; }
  DType dtype() const { return dtype_; }

  std::vector<Tensor> tensors;
  std::vector<Step> steps;
  ComputeOptions options;
  Communicator* model = nullptr;       // the model group, where there is one
  std::vector<Phase> phases;           // of all steps, in their order; empty where each step is one
  Section section = Section::forward;  // given to operations that are added
  int layer = -1;

 private:
  std::int64_t batch_;
  DType dtype_;
};

// What an operation reads and writes (no_tensor left out), and what it costs.
std::vector<TensorId> inputs_of(const Operation& operation);
std::vector<TensorId> outputs_of(const Operation& operation);
// Names tensors[id] in the place of each tensor that it reads or writes.
void exchange_inputs(Operation& operation, const std::vector<TensorId>& tensors);
void exchange_outputs(Operation& operation, const std::vector<TensorId>& tensors);
Observation* observation_of(Operation& operation);  // of the output; nullptr where that cannot be observed
std::vector<Observation*> observations_of(Operation& operation);  // of the output and what leads to it
std::string name_of(const Operation& operation);                  // "product + bias + tanh"
// Whether a row of its outputs needs no more than that row of its inputs, and parameters.
bool is_by_rows(const Operation& operation, const Program& program);
// Whether all ranks of the model group take part, in the order of their programs.
bool is_collective(const Operation& operation);
// Bytes that this rank gives to the others there.
double bytes_sent(const Operation& operation, const Program& program);
// Samples that a tile of a phase by rows takes: enough for kernels that share weights among rows.
std::int64_t rows_of_tile(std::int64_t batch);
double flops_of(const Operation& operation, const Program& program);
double bytes_of(const Operation& operation, const Program& program);
double bytes_of(const Tensor& tensor);

// Extents of a product: output rows and columns, and the summed extent.
struct ProductExtents {
  std::int64_t m, n, k;
};
ProductExtents extents_of(const Product& product, const Program& program);

// Rows (all extents but the last collapsed) and columns of a tensor.
std::int64_t rows_of(const Tensor& tensor);
std::int64_t columns_of(const Tensor& tensor);

}  // namespace ravine
