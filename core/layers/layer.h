// What a network is made of. A layer infers shapes, names its parameters, and adds operations to a program;
// it holds settings and no memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/program.h"

namespace ravine {

// Values that feed into, and are fed by, one unit: what initializers scale by.
struct Fans {
  double in;
  double out;
};

struct ParameterSpec {
  std::string name;  // "weight", "bias"
  Shape shape;
  Component initializer;
  Fans fans;
  bool decays;  // weight decay applies
  // The weights into each unit, one unit behind the other, of which rules may think as a matrix.
  bool matrix = false;
};

// Values that a layer keeps from step to step and that no gradient changes: moving averages.
struct StateSpec {
  std::string name;  // "moving_mean"
  Shape shape;
  double initial;
};

// Where a layer's operations go.
struct LayerContext {
  Program& program;
  bool training;
  std::string name;
  std::uint32_t stream;              // tells this layer's random numbers apart
  int first_parameter;               // index of its first parameter in the network
  std::vector<TensorId> parameters;  // in the order of Layer::parameters
  std::vector<TensorId> gradients;
  std::vector<TensorId> state;  // in the order of Layer::state
  bool alone = true;            // no other program computes further rows of the batch
};

// What the forward pass leaves for the backward pass.
struct Forwarded {
  TensorId input;
  TensorId output;
  TensorId saved = no_tensor;         // the layer's own
  std::vector<TensorId> inputs = {};  // of a layer that joins branches
  std::vector<TensorId> kept = {};    // what else the backward pass reads
};

// The units of a layer as they can be told apart: `count` blocks of `size` units each, one behind the other.
struct UnitBlocks {
  std::int64_t count = 0;  // 0: they cannot
  std::int64_t size = 1;
};

class Layer {
 public:
  virtual ~Layer() = default;
  // The shape of one sample's output; throws Error(shape_mismatch) where the inputs do not fit.
  virtual Shape infer_output(const std::vector<Shape>& inputs) const = 0;
  virtual std::vector<ParameterSpec> infer_parameters(const std::vector<Shape>&) const { return {}; }
  virtual std::vector<StateSpec> infer_state(const std::vector<Shape>&) const { return {}; }
  virtual UnitBlocks unit_blocks() const { return {}; }
  // The layer with so many of its blocks alone, whose parameters are their slices of the first extent.
  virtual std::shared_ptr<const Layer> with_blocks(std::int64_t) const { return nullptr; }
  // Whether a block reads its own share of the input's columns, as large as any other's; else all read all.
  virtual bool blocks_divide_input() const { return false; }
  virtual Forwarded add_forward(LayerContext& context, const std::vector<TensorId>& inputs) const = 0;
  // Returns the gradient of each input, no_tensor where it is not needed.
  virtual std::vector<TensorId> add_backward(LayerContext& context, const Forwarded& forwarded,
                                             TensorId output_gradient,
                                             const std::vector<bool>& needed) const = 0;
};

// A layer with one input: all but those that join branches.
class UnaryLayer : public Layer {
 public:
  virtual Shape output_shape(const Shape& input) const = 0;
  virtual std::vector<ParameterSpec> parameters(const Shape&) const { return {}; }
  virtual std::vector<StateSpec> state(const Shape&) const { return {}; }
  virtual Forwarded forward(LayerContext& context, TensorId input) const = 0;
  virtual TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                            bool input_gradient_needed) const = 0;

  Shape infer_output(const std::vector<Shape>& inputs) const final;
  std::vector<ParameterSpec> infer_parameters(const std::vector<Shape>& inputs) const final {
    return parameters(inputs.front());
  }
  std::vector<StateSpec> infer_state(const std::vector<Shape>& inputs) const final {
    return state(inputs.front());
  }
  Forwarded add_forward(LayerContext& context, const std::vector<TensorId>& inputs) const final {
    return forward(context, inputs.front());
  }
  std::vector<TensorId> add_backward(LayerContext& context, const Forwarded& forwarded,
                                     TensorId output_gradient, const std::vector<bool>& needed) const final {
    return {backward(context, forwarded, output_gradient, needed.front())};
  }
};

// Makes a layer from settings that the catalog has resolved.
std::unique_ptr<Layer> make_layer(const Component& component);

// The initializer of a parameter that begins with one value.
Component constant(double value);

// The shape of a tensor without its batch extent.
Shape sample_shape(const Program& program, TensorId tensor);

}  // namespace ravine
