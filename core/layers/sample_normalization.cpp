// Layer and group normalization: each sample by moments of its own, alike in training and evaluation.
// J. Ba, J. Kiros, G. Hinton, arXiv:1607.06450, 2016 (lecture L3); Y. Wu, K. He, ECCV 2018.
#include "base/errors.h"
#include "layers/list.h"

namespace ravine {
namespace {

class SampleNormalization : public UnaryLayer {
 public:
  explicit SampleNormalization(const Values& settings)
      : epsilon_(settings.real("epsilon")),
        scale_(settings.boolean("scale")),
        centre_(settings.boolean("centre")) {}

  Shape output_shape(const Shape& input) const override {
    if (input.rank() == 0) throw Error(ErrorCode::shape_mismatch, "there is one value: nothing to normalize");
    extents(input);
    return input;
  }

  std::vector<ParameterSpec> parameters(const Shape& input) const override {
    const Fans fans{1, 1};
    std::vector<ParameterSpec> specs;
    if (scale_) specs.push_back({"scale", parameter_shape(input), constant(1), fans, false});
    if (centre_) specs.push_back({"centre", parameter_shape(input), constant(0), fans, false});
    return specs;
  }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    const Shape shape = sample_shape(program, input);
    BlockExtents blocks = extents(shape);
    blocks.outer *= program.batch();
    TensorId mean = no_tensor;
    TensorId inverse_deviation = no_tensor;
    if (context.training) {
      const auto add = [&](const char* name) {
        return program.add_tensor(
            {{blocks.outer, blocks.groups}, program.dtype(), TensorRole::activation, context.name + name});
      };
      mean = add(".mean");
      inverse_deviation = add(".inverse_deviation");
    }
    const TensorId output = program.add_activation(shape, context.name + ".output");
    program.add(ravine::BlockNormalization{input, scale_of(context), centre_of(context), mean,
                                           inverse_deviation, output, blocks, epsilon_});
    Forwarded forwarded{input, output};
    forwarded.kept = {mean, inverse_deviation};
    return forwarded;
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    Program& program = context.program;
    const Shape shape = sample_shape(program, forwarded.input);
    BlockExtents blocks = extents(shape);
    blocks.outer *= program.batch();
    const TensorId input_gradient =
        input_gradient_needed ? program.add_activation(shape, context.name + ".input.gradient") : no_tensor;
    const int centre = context.first_parameter + (scale_ ? 1 : 0);
    program.add(BlockNormalizationGradient{forwarded.input,
                                           scale_of(context),
                                           forwarded.kept[0],
                                           forwarded.kept[1],
                                           output_gradient,
                                           input_gradient,
                                           scale_ ? context.gradients[0] : no_tensor,
                                           centre_ ? context.gradients.back() : no_tensor,
                                           blocks,
                                           {.parameter = scale_ ? context.first_parameter : -1},
                                           {.parameter = centre_ ? centre : -1}});
    return input_gradient;
  }

 protected:
  // Of one sample.
  virtual BlockExtents extents(const Shape& input) const = 0;
  virtual Shape parameter_shape(const Shape& input) const = 0;

 private:
  TensorId scale_of(const LayerContext& context) const { return scale_ ? context.parameters[0] : no_tensor; }
  TensorId centre_of(const LayerContext& context) const {
    return centre_ ? context.parameters.back() : no_tensor;
  }

  double epsilon_;
  bool scale_;
  bool centre_;
};

class LayerNormalization final : public SampleNormalization {
 public:
  explicit LayerNormalization(const Values& settings)
      : SampleNormalization(settings), axes_(settings.integer("axes")) {}

 protected:
  BlockExtents extents(const Shape& input) const override {
    const std::int64_t columns = parameter_shape(input).elements();
    if (columns == 1) {
      throw Error(ErrorCode::shape_mismatch,
                  "of an input of shape " + input.to_string() +
                      " it would normalize single values, which makes each 0; normalize more axes")
          .at_key("axes");
    }
    return {input.elements() / columns, 1, 1, columns};
  }

  Shape parameter_shape(const Shape& input) const override {
    const auto rank = static_cast<std::int64_t>(input.rank());
    if (axes_ > rank) {
      throw Error(ErrorCode::shape_mismatch, "is " + std::to_string(axes_) + ", but a sample of shape " +
                                                 input.to_string() + " has " + std::to_string(rank) + " axes")
          .at_key("axes");
    }
    const std::int64_t axes = axes_ == 0 ? rank : axes_;
    return Shape(std::vector<std::int64_t>(input.extents().end() - axes, input.extents().end()));
  }

 private:
  std::int64_t axes_;
};

class GroupNormalization final : public SampleNormalization {
 public:
  explicit GroupNormalization(const Values& settings)
      : SampleNormalization(settings), groups_(settings.integer("groups")) {}

 protected:
  BlockExtents extents(const Shape& input) const override {
    if (input.back() % groups_ != 0) {
      throw Error(ErrorCode::shape_mismatch, std::to_string(input.back()) + " channels cannot be cut into " +
                                                 std::to_string(groups_) +
                                                 " equal groups; choose a divisor of the channels")
          .at_key("groups");
    }
    const std::int64_t columns = input.back() / groups_;
    const std::int64_t rows = input.elements() / input.back();
    if (rows * columns == 1) {
      throw Error(ErrorCode::shape_mismatch,
                  "groups of one value each would all become 0; choose fewer groups")
          .at_key("groups");
    }
    return {1, rows, groups_, columns};
  }

  Shape parameter_shape(const Shape& input) const override { return {input.back()}; }

 private:
  std::int64_t groups_;
};

}  // namespace

std::unique_ptr<Layer> make_layer_normalization(const Values& settings) {
  return std::make_unique<LayerNormalization>(settings);
}

std::unique_ptr<Layer> make_group_normalization(const Values& settings) {
  return std::make_unique<GroupNormalization>(settings);
}

}  // namespace ravine
