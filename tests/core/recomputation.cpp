// What is not kept is computed again before the backward pass needs it.
#include "network/recomputation.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "losses/loss.h"
#include "network/fusion.h"
#include "network/memory_plan.h"
#include "networks.h"

using namespace ravine;

namespace {

LoweredProgram recomputed(const NetworkSpec& spec, std::int64_t every, std::int64_t batch = 32) {
  const auto loss = make_loss(test::loss("softmax_cross_entropy"));
  LoweredProgram lowered = lower(infer(spec), *loss, Mode::training, batch, DType::float32);
  lowered.program.options.checkpoint_every = every;
  fuse(lowered);
  recompute(lowered);
  return lowered;
}

// The backward section: "product + bias + tanh of 1, ...", with the layer of each operation.
std::string printed_backward(const Program& program) {
  std::string text;
  for (const Step& step : program.steps) {
    if (step.section != Section::backward) continue;
    text += (text.empty() ? "" : ", ") + name_of(step.operation) + " of " + std::to_string(step.layer);
  }
  return text;
}

// Every step reads what was written before it, or what the caller gives.
void check_order(const Program& program) {
  std::set<TensorId> written;
  for (const Step& step : program.steps) {
    for (TensorId id : inputs_of(step.operation)) {
      const TensorId root = program.root(id);
      if (program.tensor(root).role == TensorRole::activation) CHECK(written.count(root) == 1);
    }
    for (TensorId id : outputs_of(step.operation)) written.insert(program.root(id));
  }
}

NetworkSpec deep() {
  return test::network({8}, {test::dense(8, "tanh"), test::dense(8, "tanh"), test::dense(8, "tanh"),
                             test::dense(8, "tanh"), test::dense(3)});
}

}  // namespace

TEST_CASE("the operations between two outputs that are kept are repeated") {
  const LoweredProgram lowered = recomputed(deep(), 2);
  CHECK(printed_backward(lowered.program) ==
        // The last group is still there.
        "product of 4, column sum of 4, product * tanh derivative of 4, "
        // Of the second, the output of its first layer was forgotten; its last one was kept.
        "product + bias + tanh of 2, product of 3, column sum of 3, product * tanh derivative of 3, "
        "product of 2, column sum of 2, product * tanh derivative of 2, "
        "product + bias + tanh of 0, product of 1, column sum of 1, product * tanh derivative of 1, "
        "product of 0, column sum of 0");
  check_order(lowered.program);
}

TEST_CASE("one group, or none, forgets nothing") {
  const std::string kept = printed_backward(recomputed(deep(), 0).program);
  CHECK(printed_backward(recomputed(deep(), 5).program) == kept);
  CHECK(printed_backward(recomputed(deep(), 100).program) == kept);
  CHECK(printed_backward(recomputed(deep(), 1).program) == kept);  // each output leaves its group
}

TEST_CASE("what is computed again is not measured again, and its masks are those of the first time") {
  const NetworkSpec spec = test::network({8}, {test::dense(8, "relu"), test::component("dropout"),
                                               test::dense(8, "relu"), test::dense(3), test::dense(3)});
  LoweredProgram lowered = recomputed(spec, 3);
  int repeated = 0;
  std::vector<std::uint32_t> streams;
  for (Step& step : lowered.program.steps) {
    if (const auto* dropout = std::get_if<Dropout>(&step.operation)) streams.push_back(dropout->stream);
    const auto* product = std::get_if<Product>(&step.operation);
    if (step.section != Section::backward || product == nullptr || !product->activation) continue;
    ++repeated;
    CHECK(product->observe.layer == -1);
  }
  CHECK(repeated == 1);
  CHECK(streams.size() == 3);  // forward, again, and backward
  for (std::uint32_t stream : streams) CHECK(stream == streams.front());
  check_order(lowered.program);
}

TEST_CASE("the arena of a deep network grows with the root of its depth") {
  NetworkSpec spec{{64}, {}};
  for (int i = 0; i < 64; ++i) catalog::add_layer(spec, test::dense(64, "tanh"), "");
  const auto bytes = [&](std::int64_t every) {
    const LoweredProgram lowered = recomputed(spec, every, 64);
    return plan_memory(lowered.program, {lowered.output, lowered.output_gradient}).bytes;
  };
  const std::int64_t output = 64 * 64 * 4;
  CHECK(bytes(0) >= 64 * output);
  CHECK(bytes(8) <= (8 + 8 + 4) * output);
}
