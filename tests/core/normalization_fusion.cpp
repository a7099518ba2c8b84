// Batch normalization and what surrounds it, in one pass.
#include "network/normalization_fusion.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "losses/loss.h"
#include "network/fusion.h"
#include "networks.h"

using namespace ravine;

namespace {

LoweredProgram merged(const NetworkSpec& spec, Mode mode, const ComputeOptions& options = {}) {
  LoweredProgram lowered =
      lower(infer(spec), *make_loss(test::loss("squared_error")), mode, 8, DType::float32);
  lowered.program.options = options;
  fuse(lowered);
  fuse_normalization(lowered);
  return lowered;
}

std::string printed(const Program& program, Section section) {
  std::string text;
  for (const Step& step : program.steps) {
    if (step.section != section) continue;
    text += (text.empty() ? "" : ", ") + name_of(step.operation);
  }
  return text;
}

// How often each layer's output is measured.
std::map<int, int> measured(Program& program) {
  std::map<int, int> count;
  for (Step& step : program.steps) {
    for (const Observation* observation : observations_of(step.operation)) {
      if (observation->layer >= 0) ++count[observation->layer];
    }
  }
  return count;
}

// Of the images that the section reads and writes.
std::int64_t tensors_of_images(const Program& program, Section section) {
  std::int64_t count = 0;
  for (const Step& step : program.steps) {
    if (step.section != section) continue;
    for (const auto& ids : {inputs_of(step.operation), outputs_of(step.operation)}) {
      for (TensorId id : ids)
        count += program.tensor(id).role == TensorRole::activation && program.tensor(id).shape.rank() == 4;
    }
  }
  return count;
}

Component convolution(std::int64_t units) {
  return test::component(
      "convolution",
      {{"units", units}, {"kernel", std::int64_t{3}}, {"padding", std::string("same")}, {"use_bias", false}});
}

// conv - norm - relu, then a block conv - norm - relu - conv - norm (+ shortcut) - relu, then conv. With a
// projection, the shortcut is conv - norm.
NetworkSpec residual(bool projection) {
  NetworkSpec spec{{4, 4, 3}, {}};
  const Component norm = test::component("batch_normalization");
  const Component relu = test::component("relu");
  for (const Component& layer :
       {convolution(2), norm, relu, convolution(2), norm, relu, convolution(2), norm}) {
    catalog::add_layer(spec, layer, "");
  }
  std::string shortcut = "activation_1";
  if (projection) {
    catalog::add_layer(spec, convolution(2), "projection", {shortcut});
    catalog::add_layer(spec, norm, "shortcut");
    shortcut = "shortcut";
  }
  catalog::add_layer(spec, test::component("add"), "", {"batch_normalization_3", shortcut});
  catalog::add_layer(spec, relu, "");
  catalog::add_layer(spec, convolution(2), "");
  return spec;
}

}  // namespace

TEST_CASE("a dense network with batch normalization") {
  const NetworkSpec spec = test::network(
      {4}, {test::dense(6), test::component("batch_normalization"), test::component("tanh"), test::dense(2)});
  Program program = merged(spec, Mode::training).program;
  CHECK(printed(program, Section::forward) ==
        "product + bias, batch moments, batch normalization + tanh, product + bias");
  CHECK(printed(program, Section::backward) ==
        "product, column sum, product * tanh derivative, batch normalization gradient sums, "
        "batch normalization gradient, product, column sum");
  CHECK(measured(program) == std::map<int, int>{{0, 1}, {1, 1}, {2, 1}, {3, 1}});
  const auto* normalization = std::get_if<ColumnNormalization>(&program.steps[2].operation);
  REQUIRE(normalization != nullptr);
  CHECK(normalization->observe_normalized.layer == 1);
  CHECK(normalization->observe.layer == 2);
  CHECK(printed(merged(spec, Mode::prediction).program, Section::forward) ==
        "product + bias, batch normalization + tanh, product + bias");
}

TEST_CASE("an activation whose derivative needs its input stays apart while it trains") {
  const NetworkSpec spec = test::network(
      {4}, {test::dense(6), test::component("batch_normalization"), test::component("gelu"), test::dense(2)});
  CHECK(printed(merged(spec, Mode::training).program, Section::forward) ==
        "product + bias, batch moments, batch normalization, gelu, product + bias");
  CHECK(printed(merged(spec, Mode::evaluation).program, Section::forward) ==
        "product + bias, batch normalization + gelu, product + bias");
}

TEST_CASE("a residual block") {
  Program program = merged(residual(false), Mode::training).program;
  CHECK(printed(program, Section::forward) ==
        "convolution + batch moments, batch normalization + relu, "
        "convolution + batch moments, batch normalization + relu, "
        "convolution + batch moments, batch normalization + add + relu, convolution");
  const std::string sums = " + batch normalization gradient sums";
  CHECK(printed(program, Section::backward) ==
        "convolution weight gradient, convolution input gradient * relu derivative" + sums +
            ", batch normalization gradient, convolution weight gradient, "
            "convolution input gradient * relu derivative" +
            sums +
            ", batch normalization gradient, convolution weight gradient, "
            "convolution input gradient + add * relu derivative" +
            sums + ", batch normalization gradient, convolution weight gradient");
  std::map<int, int> once;
  for (int layer = 0; layer < 11; ++layer) once[layer] = 1;
  CHECK(measured(program) == once);
}

TEST_CASE("a residual block with a projection") {
  Program program = merged(residual(true), Mode::training).program;
  CHECK(printed(program, Section::forward) ==
        "convolution + batch moments, batch normalization + relu, "
        "convolution + batch moments, batch normalization + relu, "
        "convolution + batch moments, batch normalization, "
        "convolution + batch moments, batch normalization + add + relu, convolution");
  std::map<int, int> once;
  for (int layer = 0; layer < 13; ++layer) once[layer] = 1;
  CHECK(measured(program) == once);
}

TEST_CASE("what is merged goes over memory less often") {
  const ComputeOptions off{.fuse_normalization = false};
  const Program apart = merged(residual(false), Mode::training, off).program;
  const Program program = merged(residual(false), Mode::training).program;
  CHECK(printed(apart, Section::forward).find("batch normalization, add, relu") != std::string::npos);
  // Moments read 1; a normalization with an activation is 2 instead of 4, one with a shortcut 3 instead of 7.
  CHECK(tensors_of_images(apart, Section::forward) - tensors_of_images(program, Section::forward) ==
        3 * 1 + 2 * 2 + 4);
  CHECK(tensors_of_images(apart, Section::backward) - tensors_of_images(program, Section::backward) == 3);
}

TEST_CASE("what somebody else reads is kept") {
  // The normalized values are read by the activation and by the addition.
  NetworkSpec spec =
      test::network({4}, {test::dense(6), test::component("batch_normalization"), test::component("relu")});
  catalog::add_layer(spec, test::component("add"), "", {"batch_normalization_1", "activation_1"});
  CHECK(printed(merged(spec, Mode::evaluation).program, Section::forward) ==
        "product + bias, batch normalization, relu, add");
  // Its own sum.
  NetworkSpec twice = test::network({4}, {test::component("batch_normalization")});
  catalog::add_layer(twice, test::component("add"), "", {"batch_normalization_1", "batch_normalization_1"});
  CHECK(printed(merged(twice, Mode::evaluation).program, Section::forward) == "batch normalization, add");
}
