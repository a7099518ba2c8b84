// The largest value, or the mean, under a window that moves over each channel of an image, or over all of it.
#include "base/errors.h"
#include "layers/list.h"
#include "layers/window.h"

namespace ravine {
namespace {

class PoolingLayer : public UnaryLayer {
 public:
  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    const Shape image = sample_shape(program, input);
    const Shape shape = pooled_shape(image);
    const TensorId output = program.add_activation(shape, context.name + ".output");
    TensorId positions = no_tensor;
    if (context.training && kind_ == PoolingKind::maximum) {
      positions = program.add_tensor({shape.with_batch(program.batch()), DType::int32, TensorRole::activation,
                                      context.name + ".positions"});
    }
    program.add(Pooling{kind_, window(image), input, output, positions});
    const Shape shown = output_shape(image);
    return {input, shown == shape ? output : program.add_alias(output, shown), positions};
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    if (!input_gradient_needed) return no_tensor;
    Program& program = context.program;
    const Shape image = sample_shape(program, forwarded.input);
    const Shape shape = pooled_shape(image);
    if (sample_shape(program, output_gradient) != shape) {
      output_gradient = program.add_alias(output_gradient, shape);
    }
    const TensorId input_gradient = program.add_activation(image, context.name + ".input.gradient");
    program.add(PoolingGradient{kind_, window(image), output_gradient, forwarded.saved, input_gradient});
    return input_gradient;
  }

 protected:
  explicit PoolingLayer(PoolingKind kind) : kind_(kind) {}
  virtual Window window(const Shape& image) const = 0;
  virtual Shape pooled_shape(const Shape& image) const = 0;  // an image too

 private:
  PoolingKind kind_;
};

class WindowPooling final : public PoolingLayer {
 public:
  WindowPooling(const Values& settings, PoolingKind kind)
      : PoolingLayer(kind), window_(settings, "pooling", "size") {
    // Every window then holds a value of the image.
    if (window_.pad < window_.height) return;
    throw Error(ErrorCode::invalid_parameter, "must be smaller than the window of " +
                                                  std::to_string(window_.height) + ", got " +
                                                  std::to_string(window_.pad))
        .at_key("pad");
  }

  Shape output_shape(const Shape& input) const override {
    check_image("pooling", input);
    return window_.output(input, input[2]);
  }

 protected:
  Window window(const Shape& image) const override { return window_.window(image); }
  Shape pooled_shape(const Shape& image) const override { return output_shape(image); }

 private:
  WindowSettings window_;
};

class GlobalPooling final : public PoolingLayer {
 public:
  explicit GlobalPooling(PoolingKind kind) : PoolingLayer(kind) {}

  // One vector per sample.
  Shape output_shape(const Shape& input) const override {
    check_image("pooling", input);
    return {input[2]};
  }

 protected:
  Window window(const Shape& image) const override { return {image[0], image[1]}; }
  Shape pooled_shape(const Shape& image) const override { return {1, 1, image[2]}; }
};

}  // namespace

std::unique_ptr<Layer> make_max_pooling(const Values& settings) {
  return std::make_unique<WindowPooling>(settings, PoolingKind::maximum);
}
std::unique_ptr<Layer> make_average_pooling(const Values& settings) {
  return std::make_unique<WindowPooling>(settings, PoolingKind::average);
}
std::unique_ptr<Layer> make_global_max_pooling(const Values&) {
  return std::make_unique<GlobalPooling>(PoolingKind::maximum);
}
std::unique_ptr<Layer> make_global_average_pooling(const Values&) {
  return std::make_unique<GlobalPooling>(PoolingKind::average);
}

}  // namespace ravine
