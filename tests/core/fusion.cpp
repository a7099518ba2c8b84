// What is merged, and what must not be.
#include "network/fusion.h"

#include <doctest/doctest.h>

#include <string>

#include "losses/loss.h"
#include "networks.h"

using namespace ravine;

namespace {

// "forward: a, b | loss: c | backward: d".
std::string printed(const Program& program) {
  std::string text;
  Section section = Section::forward;
  for (const Step& step : program.steps) {
    if (text.empty() || step.section != section) {
      text += text.empty() ? "" : " | ";
      text += step.section == Section::forward ? "forward: "
              : step.section == Section::loss  ? "loss: "
                                               : "backward: ";
    } else {
      text += ", ";
    }
    section = step.section;
    text += name_of(step.operation);
  }
  return text;
}

LoweredProgram lowered(const NetworkSpec& spec, Mode mode) {
  return lower(infer(spec), *make_loss(test::loss("squared_error")), mode, 8, DType::float32);
}

}  // namespace

TEST_CASE("bias, activation and its derivative are merged into products") {
  LoweredProgram program =
      lowered(test::network({4}, {test::dense(6, "tanh"), test::dense(2)}), Mode::training);
  CHECK(printed(program.program) ==
        "forward: product + bias, tanh, product + bias | loss: squared_error | "
        "backward: product, column sum, product, tanh derivative, product, column sum");
  fuse(program);
  CHECK(printed(program.program) ==
        "forward: product + bias + tanh, product + bias | loss: squared_error | "
        "backward: product, column sum, product * tanh derivative, product, column sum");
  fuse(program);  // nothing more to merge
  CHECK(program.program.steps.size() == 8);
}

TEST_CASE("an activation layer is merged where nobody measures what comes before it") {
  NetworkSpec spec = test::network({4}, {test::dense(6), test::component("relu"), test::dense(2)});
  LoweredProgram training = lowered(spec, Mode::training);
  fuse(training);
  CHECK(printed(training.program) ==
        "forward: product + bias, relu, product + bias | loss: squared_error | "
        "backward: product, column sum, product * relu derivative, product, column sum");
  CHECK(observation_of(training.program.steps[0].operation)->layer == 0);
  CHECK(observation_of(training.program.steps[1].operation)->layer == 1);
  LoweredProgram evaluation = lowered(spec, Mode::evaluation);
  fuse(evaluation);
  CHECK(printed(evaluation.program) ==
        "forward: product + bias + relu, product + bias | loss: squared_error");
}

TEST_CASE("what somebody else reads stays") {
  // Between the product and the activation lies dropout.
  LoweredProgram dropped = lowered(test::network({4}, {test::dense(6), test::component("dropout"),
                                                       test::component("tanh"), test::dense(2)}),
                                   Mode::training);
  fuse(dropped);
  CHECK(printed(dropped.program) ==
        "forward: product + bias, dropout, tanh, product + bias | loss: squared_error | "
        "backward: product, column sum, product * tanh derivative, dropout gradient, product, column sum");

  // Two activations: only the first follows the product.
  LoweredProgram twice =
      lowered(test::network({4}, {test::dense(6, "tanh"), test::component("sigmoid")}), Mode::evaluation);
  fuse(twice);
  CHECK(printed(twice.program) == "forward: product + bias + tanh, sigmoid | loss: squared_error");

  // The loss lies between the activation and its derivative: what it hands on is not the output of a product.
  LoweredProgram last = lowered(test::network({4}, {test::dense(6, "tanh")}), Mode::training);
  fuse(last);
  CHECK(printed(last.program) ==
        "forward: product + bias + tanh | loss: squared_error | "
        "backward: tanh derivative, product, column sum");
}

TEST_CASE("activations and their derivatives are merged into convolution and pooling") {
  const auto layer = [](const char* activation) {
    return test::component(
        "convolution", {{"units", std::int64_t{2}}, {"kernel", std::int64_t{1}}, {"activation", activation}});
  };
  LoweredProgram program = lowered(test::network({4, 4, 1}, {layer("relu"), test::component("max_pooling"),
                                                             layer("tanh"), layer("identity")}),
                                   Mode::training);
  fuse(program);
  CHECK(
      printed(program.program) ==
      "forward: convolution + bias + relu, maximum pooling, convolution + bias + tanh, convolution + bias | "
      "loss: squared_error | "
      "backward: convolution weight gradient, convolution input gradient * tanh derivative, "
      "convolution weight gradient, convolution input gradient, maximum pooling gradient * relu derivative, "
      "convolution weight gradient");
  for (int layer_index = 0; layer_index < 4; ++layer_index) {
    const auto step = static_cast<std::size_t>(layer_index);
    CHECK(observation_of(program.program.steps[step].operation)->layer == layer_index);
  }
}

TEST_CASE("a second reader prevents the merge") {
  LoweredProgram lowered_by_hand{Program(2, DType::float32)};
  Program& program = lowered_by_hand.program;
  const TensorId input = program.add_tensor({{2, 3}, DType::float32, TensorRole::input, "input"});
  const TensorId weight = program.add_tensor({{3, 3}, DType::float32, TensorRole::parameter, "weight"});
  const TensorId net = program.add_activation({3}, "net");
  const TensorId output = program.add_activation({3}, "output");
  const TensorId other = program.add_activation({3}, "other");
  program.add(Product{
      .left = input, .transpose_left = false, .right = weight, .transpose_right = true, .output = net});
  program.add(Activation{{"tanh", {}}, net, output});
  program.add(Activation{{"relu", {}}, net, other});
  lowered_by_hand.output = other;
  fuse(lowered_by_hand);
  CHECK(printed(program) == "forward: product, tanh, relu");
}
