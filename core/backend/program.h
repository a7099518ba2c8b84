// The vocabulary between networks and backends: tensors, and the flat list of operations over them.
//
// A Program says what is to be computed; a backend prepares it (engines chosen, buffers bound) and runs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"
#include "base/values.h"

namespace ravine {

using TensorId = int;
inline constexpr TensorId no_tensor = -1;

// Who owns a tensor's memory.
enum class TensorRole {
  input,       // bound by the caller at every run
  target,      // bound by the caller
  output,      // bound by the caller when it wants the result, else in the arena
  activation,  // in the arena
  parameter,   // a slice of the parameter buffer (or of the look-ahead point)
  gradient,    // a slice of the gradient buffer
};

struct Tensor {
  Shape shape;  // with the batch extent in front where there is one
  DType dtype;
  TensorRole role;
  std::string name;
  std::int64_t offset = 0;     // in elements, for parameters and gradients
  TensorId alias = no_tensor;  // the same memory under another shape
};

// What an operation measures of its output while that is in cache; -1 for nothing.
struct Observation {
  int layer = -1;      // mean, variance and fraction of zeros of this layer's output
  int parameter = -1;  // sum of squares of this parameter's gradient
};

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

// output = input * mask / (1 - rate); the mask is drawn from Philox and never stored.
struct Dropout {
  double rate;
  std::uint32_t stream;
  TensorId input;
  TensorId output;
  bool backward;  // input and output are gradients
  Observation observe = {};
};

// output[n] = sum over rows of input[m, n].
struct ColumnSum {
  TensorId input;
  TensorId output;
  Observation observe = {};
};

// Loss of a row: log sum exp(logits) - sum of target times logits; gradient (softmax - target) / batch; the
// target is (1 - label_smoothing) one hot + label_smoothing / columns.
struct SoftmaxCrossEntropy {
  TensorId logits;
  TensorId labels;
  TensorId gradient;  // no_tensor in evaluation
  double label_smoothing = 0;
};

// Loss of a row: the mean of the rule over its elements; gradient divided by batch and elements.
struct ElementwiseLoss {
  Component rule;
  TensorId prediction;
  TensorId targets;
  TensorId gradient;  // no_tensor in evaluation
};

// output = softmax of each row.
struct Softmax {
  TensorId input;
  TensorId output;
};

using Operation = std::variant<Product, Activation, ActivationGradient, Dropout, ColumnSum,
                               SoftmaxCrossEntropy, ElementwiseLoss, Softmax>;

enum class Section { forward, loss, backward };

struct Step {
  Operation operation;
  Section section;
  int layer;  // the layer it belongs to; -1 for the loss
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
  Section section = Section::forward;  // given to operations that are added
  int layer = -1;

 private:
  std::int64_t batch_;
  DType dtype_;
};

// What an operation reads and writes (no_tensor left out), and what it costs.
std::vector<TensorId> inputs_of(const Operation& operation);
std::vector<TensorId> outputs_of(const Operation& operation);
Observation* observation_of(Operation& operation);  // nullptr where nothing can be observed
std::string name_of(const Operation& operation);    // "product + bias + tanh"
double flops_of(const Operation& operation, const Program& program);
double bytes_of(const Operation& operation, const Program& program);

// Extents of a product: output rows and columns, and the summed extent.
struct ProductExtents {
  std::int64_t m, n, k;
};
ProductExtents extents_of(const Product& product, const Program& program);

// Rows (all extents but the last collapsed) and columns of a tensor.
std::int64_t rows_of(const Tensor& tensor);
std::int64_t columns_of(const Tensor& tensor);

}  // namespace ravine
