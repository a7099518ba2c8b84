// Tensors that live at the same time never share bytes; others do.
#include "network/memory_plan.h"

#include <doctest/doctest.h>

#include <random>

#include "losses/loss.h"
#include "network/fusion.h"
#include "network/lowering.h"
#include "networks.h"

using namespace ravine;

namespace {

struct Life {
  int first = -1;
  int last = -1;
};

// Counted anew from what operations read and write; aliases count for their root.
std::vector<Life> lives_of(const Program& program, const std::vector<TensorId>& kept) {
  std::vector<Life> lives(program.tensors.size());
  for (std::size_t at = 0; at < program.steps.size(); ++at) {
    const Operation& operation = program.steps[at].operation;
    for (const auto& ids : {inputs_of(operation), outputs_of(operation)}) {
      for (TensorId id : ids) {
        Life& life = lives[static_cast<std::size_t>(program.root(id))];
        if (life.first < 0) life.first = static_cast<int>(at);
        life.last = static_cast<int>(at);
      }
    }
  }
  for (TensorId id : kept) lives[static_cast<std::size_t>(program.root(id))].last = 1 << 30;
  return lives;
}

std::int64_t whole_bytes_of(const Tensor& tensor) {
  return tensor.shape.elements() * static_cast<std::int64_t>(size_of(tensor.dtype));
}

// The number of pairs that overlap while both live; 0 in a good plan.
int conflicts(const Program& program, const std::vector<TensorId>& kept, const MemoryPlan& plan) {
  const std::vector<Life> lives = lives_of(program, kept);
  int found = 0;
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const Tensor& a = program.tensors[i];
    if (a.role != TensorRole::activation || a.alias != no_tensor || lives[i].first < 0) continue;
    const std::int64_t begin = plan.offsets[i];
    found += begin < 0 || begin % 64 != 0 || begin + whole_bytes_of(a) > plan.bytes ? 1 : 0;
    for (std::size_t j = 0; j < i; ++j) {
      const Tensor& b = program.tensors[j];
      if (b.role != TensorRole::activation || b.alias != no_tensor || lives[j].first < 0) continue;
      const bool together = lives[i].first <= lives[j].last && lives[j].first <= lives[i].last;
      const bool overlap =
          begin < plan.offsets[j] + whole_bytes_of(b) && plan.offsets[j] < begin + whole_bytes_of(a);
      found += together && overlap ? 1 : 0;
    }
  }
  return found;
}

}  // namespace

TEST_CASE("memory plans of random programs") {
  const Component rule{"tanh", {}};
  bool shared = false;
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
    Program program(1 + below(5), below(2) == 0 ? DType::float32 : DType::float64);
    std::vector<TensorId> written{program.add_tensor({{1}, program.dtype(), TensorRole::input, "input"})};
    const int steps = 1 + below(30);
    for (int step = 0; step < steps; ++step) {
      const auto any = [&] {
        return written[static_cast<std::size_t>(below(static_cast<int>(written.size())))];
      };
      const TensorId output = program.add_activation({1 + below(200)}, "value");
      switch (below(3)) {
        case 0:
          program.add(Activation{rule, any(), output});
          break;
        case 1:
          program.add(Product{.left = any(),
                              .transpose_left = false,
                              .right = any(),
                              .transpose_right = false,
                              .output = output});
          break;
        default:
          program.add(ActivationGradient{rule, no_tensor, any(), any(), output});
      }
      written.push_back(output);
      if (below(4) == 0) written.push_back(program.add_alias(output, program.tensor(output).shape));
    }
    std::vector<TensorId> kept;
    if (below(2) == 0) kept.push_back(written.back());
    const MemoryPlan plan = plan_memory(program, kept);
    CAPTURE(seed);
    REQUIRE(conflicts(program, kept, plan) == 0);
    REQUIRE(plan.bytes <= plan.unshared_bytes);
    for (std::size_t id = 0; id < program.tensors.size(); ++id) {
      const TensorId root = program.root(static_cast<TensorId>(id));
      REQUIRE(plan.offsets[id] == plan.offsets[static_cast<std::size_t>(root)]);
    }
    REQUIRE(plan.offsets[0] == -1);  // the input is the caller's
    shared = shared || plan.bytes < plan.unshared_bytes;
  }
  CHECK(shared);
}

TEST_CASE("the check finds tensors that overlap") {
  Program program(1, DType::float32);
  const TensorId input = program.add_tensor({{1}, DType::float32, TensorRole::input, "input"});
  const TensorId a = program.add_activation({16}, "a");
  const TensorId b = program.add_activation({16}, "b");
  program.add(Activation{{"tanh", {}}, input, a});
  program.add(Activation{{"tanh", {}}, a, b});
  MemoryPlan plan = plan_memory(program, {b});
  CHECK(conflicts(program, {b}, plan) == 0);
  plan.offsets[static_cast<std::size_t>(b)] = plan.offsets[static_cast<std::size_t>(a)];
  CHECK(conflicts(program, {b}, plan) == 1);
  plan.offsets[static_cast<std::size_t>(b)] = plan.bytes;
  CHECK(conflicts(program, {b}, plan) == 1);
}

TEST_CASE("memory plan of a deep network") {
  const NetworkSpec spec = test::network(
      {50}, {test::dense(64, "tanh"), test::dense(64, "tanh"), test::component("dropout"),
             test::dense(64, "relu"), test::dense(64, "tanh"), test::dense(64, "tanh"), test::dense(10)});
  const Graph graph = infer(spec);
  const auto loss = make_loss(test::loss("softmax_cross_entropy"));
  for (Mode mode : {Mode::training, Mode::evaluation, Mode::prediction}) {
    LoweredProgram lowered = lower(graph, *loss, mode, 32, DType::float32);
    fuse(lowered);
    std::vector<TensorId> kept{lowered.shown != no_tensor ? lowered.shown : lowered.output};
    if (lowered.output_gradient != no_tensor) kept.push_back(lowered.output_gradient);
    const MemoryPlan plan = plan_memory(lowered.program, kept);
    CHECK(conflicts(lowered.program, kept, plan) == 0);
    // Evaluation needs two layers' outputs at a time, and what is kept.
    if (mode == Mode::evaluation) CHECK(plan.bytes <= 3 * 32 * 64 * 4);
    CHECK(plan.bytes < plan.unshared_bytes);
  }
}
