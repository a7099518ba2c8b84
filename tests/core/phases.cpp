// Where workers wait for each other, and what that does to order and memory.
#include "network/phases.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "losses/loss.h"
#include "network/fusion.h"
#include "network/memory_plan.h"
#include "network/normalization_fusion.h"
#include "networks.h"

using namespace ravine;

namespace {

LoweredProgram planned(const NetworkSpec& spec, std::int64_t batch = 32, const ComputeOptions& options = {}) {
  const auto loss = make_loss(test::loss("softmax_cross_entropy"));
  LoweredProgram lowered = lower(infer(spec), *loss, Mode::training, batch, DType::float32);
  lowered.program.options = options;
  fuse(lowered);
  fuse_normalization(lowered);
  plan_phases(lowered, tiling_of(lowered.program));
  return lowered;
}

// "rows(product + bias, ...) | tiles(product, column sum)".
std::string printed(const Program& program) {
  std::string text;
  for (const Phase& phase : program.phases) {
    text += (text.empty() ? "" : " | ") + std::string(phase.by_rows ? "rows(" : "tiles(");
    for (std::size_t i = 0; i < phase.count; ++i) {
      text += (i == 0 ? "" : ", ") + name_of(program.steps[phase.first + i].operation);
    }
    text += ")";
  }
  return text;
}

// Every step is in one phase, and none needs what a later one computes.
void check_order(const Program& program) {
  std::size_t next = 0;
  for (const Phase& phase : program.phases) {
    CHECK(phase.first == next);
    next += phase.count;
  }
  CHECK(next == program.steps.size());
  std::set<TensorId> written;
  std::set<TensorId> ever;
  for (const Step& step : program.steps) {
    for (TensorId id : outputs_of(step.operation)) ever.insert(program.root(id));
  }
  for (const Step& step : program.steps) {
    for (TensorId id : inputs_of(step.operation)) {
      if (program.tensor(id).role == TensorRole::state) continue;  // from the step before
      CHECK((ever.count(program.root(id)) == 0 || written.count(program.root(id)) > 0));
    }
    for (TensorId id : outputs_of(step.operation)) written.insert(program.root(id));
  }
}

}  // namespace

TEST_CASE("in small networks samples go through all layers, and sums over samples come last") {
  const Program program =
      planned(test::network({64}, {test::dense(100, "tanh"), test::dense(50, "relu"), test::dense(10)}))
          .program;
  CHECK(printed(program) ==
        "rows(product + bias + tanh, product + bias + relu, product + bias, softmax cross entropy, "
        "product * relu derivative, product * tanh derivative) | "
        "tiles(product, column sum, product, column sum, product, column sum)");
  check_order(program);
}

TEST_CASE("in large networks the order stays, and what is independent is one phase") {
  const Program program =
      planned(test::network({784}, {test::dense(1000, "relu"), test::dense(10)}), 128).program;
  CHECK(printed(program) ==
        "tiles(product + bias + relu) | tiles(product + bias) | tiles(softmax cross entropy) | "
        "tiles(product, column sum, product * relu derivative) | tiles(product, column sum)");
  check_order(program);
}

namespace {

NetworkSpec lenet() {
  const auto convolution = [](std::int64_t units) {
    return test::component("convolution",
                           {{"units", units}, {"kernel", std::int64_t{5}}, {"activation", "relu"}});
  };
  return test::network({28, 28, 1},
                       {convolution(32), test::component("max_pooling"), convolution(64),
                        test::component("max_pooling"), test::component("flatten"), test::dense(10)});
}

}  // namespace

TEST_CASE("a few images go through neighbouring convolutions and poolings") {
  const Program program = planned(lenet(), 128).program;
  CHECK(printed(program) ==
        "rows(convolution + bias + relu, maximum pooling, convolution + bias + relu, maximum pooling) | "
        "tiles(product + bias) | tiles(softmax cross entropy) | tiles(product, column sum, product) | "
        "rows(maximum pooling gradient * relu derivative, convolution weight gradient, "
        "convolution input gradient, maximum pooling gradient * relu derivative, "
        "convolution weight gradient)");
  check_order(program);
  // More than fit the cache, for the sake of the partial sums of 205 KB.
  CHECK(program.phases.front().samples == 8);
  CHECK(program.phases.back().samples == 8);

  const Program apart = planned(lenet(), 128, {.chunks = false}).program;
  CHECK(std::none_of(apart.phases.begin(), apart.phases.end(),
                     [](const Phase& phase) { return phase.by_rows; }));
}

TEST_CASE("what sums over all images ends a phase by images") {
  const auto convolution = test::component(
      "convolution", {{"units", std::int64_t{32}}, {"weight_normalization", true}, {"use_bias", false}});
  const Program program =
      planned(test::network({32, 32, 16},
                            {convolution, test::component("batch_normalization"), test::component("relu"),
                             convolution, test::component("flatten"), test::dense(3)}),
              64)
          .program;
  check_order(program);
  // The gradient of normalized weights is the sum over all tiles: what reads it comes in a later phase.
  for (const Phase& phase : program.phases) {
    std::set<TensorId> sums;
    for (std::size_t i = phase.first; phase.by_rows && i < phase.first + phase.count; ++i) {
      const Operation& operation = program.steps[i].operation;
      for (TensorId id : inputs_of(operation)) CHECK(sums.count(program.root(id)) == 0);
      if (!std::holds_alternative<ConvolutionWeightGradient>(operation)) continue;
      for (TensorId id : outputs_of(operation)) sums.insert(program.root(id));
    }
  }
}

TEST_CASE("a normalization begins a phase by images, in both directions") {
  const auto convolution = test::component("convolution", {{"units", std::int64_t{32}}, {"use_bias", false}});
  const auto norm = test::component("batch_normalization"), relu = test::component("relu");
  const Program program =
      planned(test::network({32, 32, 16}, {convolution, norm, relu, convolution, norm, relu,
                                           test::component("flatten"), test::dense(3)}),
              64)
          .program;
  check_order(program);
  const std::string text = printed(program);
  CHECK(
      text.starts_with("rows(convolution + batch moments) | "
                       "rows(batch normalization + relu, convolution + batch moments) | "));
  CHECK(text.find("rows(batch normalization gradient, convolution weight gradient") != std::string::npos);
}

TEST_CASE("a normalization over the batch ends a phase by rows") {
  const Program program = planned(test::network({8}, {test::dense(6), test::component("batch_normalization"),
                                                      test::component("relu"), test::dense(3)}))
                              .program;
  CHECK(
      printed(program) ==
      "rows(product + bias) | tiles(batch moments) | "
      "rows(batch normalization + relu, product + bias, softmax cross entropy, product * relu derivative) | "
      "tiles(batch normalization gradient sums, product, column sum) | rows(batch normalization gradient) | "
      "tiles(product, column sum) | tiles(moving average, moving average)");
  check_order(program);
}

TEST_CASE("tensors of a phase share no memory") {
  LoweredProgram lowered = planned(test::network(
      {64}, {test::dense(64, "tanh"), test::dense(64, "tanh"), test::dense(64, "tanh"), test::dense(10)}));
  const Program& program = lowered.program;
  const MemoryPlan plan = plan_memory(program, {lowered.output, lowered.output_gradient});
  for (const Phase& phase : program.phases) {
    std::set<TensorId> touched;
    for (std::size_t i = 0; i < phase.count; ++i) {
      const Operation& operation = program.steps[phase.first + i].operation;
      for (const auto& ids : {inputs_of(operation), outputs_of(operation)}) {
        for (TensorId id : ids) touched.insert(program.root(id));
      }
    }
    for (TensorId a : touched) {
      const std::int64_t begin = plan.offsets[static_cast<std::size_t>(a)];
      if (begin < 0) continue;
      const std::int64_t end = begin + program.tensor(a).shape.elements() * 4;
      for (TensorId b : touched) {
        const std::int64_t other = plan.offsets[static_cast<std::size_t>(b)];
        CHECK((a == b || other < 0 || other < begin || other >= end));
      }
    }
  }
}
