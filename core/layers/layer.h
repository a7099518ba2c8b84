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
};

// What the forward pass leaves for the backward pass.
struct Forwarded {
  TensorId input;
  TensorId output;
  TensorId saved = no_tensor;  // the layer's own
};

class Layer {
 public:
  virtual ~Layer() = default;
  // The shape of one sample's output; throws Error(shape_mismatch) where the input does not fit.
  virtual Shape output_shape(const Shape& input) const = 0;
  virtual std::vector<ParameterSpec> parameters(const Shape&) const { return {}; }
  virtual Forwarded forward(LayerContext& context, TensorId input) const = 0;
  // Returns the gradient of the input, or no_tensor where it is not needed.
  virtual TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                            bool input_gradient_needed) const = 0;
};

// Makes a layer from settings that the catalog has resolved.
std::unique_ptr<Layer> make_layer(const Component& component);

// The shape of a tensor without its batch extent.
Shape sample_shape(const Program& program, TensorId tensor);

}  // namespace ravine
