// A training step allocates nothing: counted at operator new, over calls of different lengths.
// AddressSanitizer has an operator new of its own, which checks more than this one: there the test is left
// out.
#if !defined(__SANITIZE_ADDRESS__)

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "network/weight_average.h"
#include "networks.h"
#include "rank_threads.h"

namespace {

std::atomic<bool> counting = false;
std::atomic<std::int64_t> allocations = 0;

void* counted(std::size_t bytes, std::size_t alignment) {
  if (counting) ++allocations;
  const std::size_t rounded = (bytes + alignment) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// The forms that are left out call these.
void* operator new(std::size_t bytes) { return counted(bytes, 16); }
void* operator new[](std::size_t bytes) { return counted(bytes, 16); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace ravine {
namespace {

// Allocations of one call of so many steps, with a schedule, clipping and statistics.
std::int64_t allocations_of(Network& network, Optimizer& optimizer, const std::string& scheduled,
                            std::int64_t steps, std::int64_t micro_batch = 0,
                            WeightAverage* average = nullptr) {
  constexpr std::int64_t batch = 16;
  const auto rows = static_cast<std::size_t>(steps * batch);
  const std::vector<double> inputs(rows * 30, 0.5);
  const std::vector<std::int32_t> labels(rows, 1);
  const std::vector<double> schedule(static_cast<std::size_t>(steps) * 2, 0.01);
  TrainingChunk chunk{.inputs = inputs.data(), .targets = labels.data(), .steps = steps, .batch = batch};
  chunk.scheduled = {scheduled, optimizer.is_full_batch() ? "l2" : "clip_norm"};
  chunk.schedule = schedule.data();
  chunk.micro_batch = micro_batch;
  chunk.average = average;
  chunk.statistics = StatisticsLevel::full;
  chunk.full_every = 20;
  network.drain();
  network.drain_distributions();
  allocations = 0;
  counting = true;
  const TrainingResult result = network.train(optimizer, chunk);
  counting = false;
  REQUIRE(result.steps == steps);
  return allocations;
}

}  // namespace

TEST_CASE("a training step allocates nothing") {
  const NetworkSpec spec = test::network(
      {30}, {test::dense(40, "tanh"), test::component("batch_normalization"), test::component("dropout"),
             test::component("layer_normalization"), test::dense(20, "relu"), test::dense(5)});
  for (const catalog::Entry& entry : catalog::entries()) {
    if (entry.kind != catalog::Kind::optimizer || entry.closure) continue;
    for (int threads : {1, 2}) {
      CAPTURE(entry.name);
      CAPTURE(threads);
      NetworkOptions options;
      options.dtype = DType::float64;
      options.threads = threads;
      Network network(spec, test::loss("softmax_cross_entropy"), options);
      const Component rule = catalog::resolve(catalog::Kind::optimizer, {entry.name, {}});
      std::vector<ParameterGroup> groups(2);
      groups[0].match = "dense_2.*";
      groups[0].freeze = true;
      groups[1].match = "*.bias";
      if (rule.values.has("learning_rate")) groups[1].learning_rate = 0.5;
      if (rule.values.has("weight_decay")) {
        groups.push_back({.match = "dense_1.weight"});
        groups.back().weight_decay = 0.1;
      }
      Optimizer optimizer(rule,
                          {.l2 = 0.01,
                           .l1 = 0.01,
                           .clip_value = 0.1,
                           .clip_layer_norm = 0.1,
                           .max_norm = 1,
                           .l2_of_norm = threads == 2},
                          groups);
      const std::string& number = entry.parameters.front().name;
      CHECK(allocations_of(network, optimizer, number, 2) > 0);  // plans are made: the counter counts
      const std::int64_t few = allocations_of(network, optimizer, number, 2);
      const std::int64_t many = allocations_of(network, optimizer, number, 200);
      CHECK(many == few);
    }
  }
}

TEST_CASE("a step in parts, with averaged weights, allocates nothing") {
  const NetworkSpec spec =
      test::network({30}, {test::dense(40, "tanh"), test::component("batch_normalization"), test::dense(5)});
  for (int threads : {1, 2}) {
    NetworkOptions options;
    options.dtype = DType::float64;
    options.threads = threads;
    Network network(spec, test::loss("softmax_cross_entropy"), options);
    WeightAverage average(network, 0.9);
    Optimizer optimizer(catalog::resolve(catalog::Kind::optimizer, {"nesterov", {}}), {.l2 = 0.01});
    CHECK(allocations_of(network, optimizer, "learning_rate", 2, 6, &average) > 0);
    const std::int64_t few = allocations_of(network, optimizer, "learning_rate", 2, 6, &average);
    CHECK(allocations_of(network, optimizer, "learning_rate", 200, 6, &average) == few);
    CHECK(average.count() == 204);
  }
}

// Each of their evaluations forks the team.
TEST_CASE("a step that asks for several gradients allocates nothing") {
  const NetworkSpec spec =
      test::network({30}, {test::dense(3, "tanh"), test::component("dropout"), test::dense(2)});
  for (const catalog::Entry& entry : catalog::second_order_entries()) {
    for (int threads : {1, 2}) {
      CAPTURE(entry.name);
      CAPTURE(threads);
      NetworkOptions options;
      options.dtype = DType::float64;
      options.threads = threads;
      Network network(spec, test::loss("softmax_cross_entropy"), options);
      Component given{entry.name, {}};
      given.values.set(entry.name == "newton" ? "damping" : "tolerance", entry.name == "newton" ? 1.0 : 0.0);
      Optimizer optimizer(catalog::resolve(catalog::Kind::optimizer, given),
                          {.l2 = 0.01, .l1 = 0.01, .l2_of_norm = true});
      CHECK(allocations_of(network, optimizer, "learning_rate", 60) > 0);
      const std::int64_t few = allocations_of(network, optimizer, "learning_rate", 2);
      CHECK(allocations_of(network, optimizer, "learning_rate", 60) == few);
    }
  }
}

// In float64: oneDNN allocates the lists of its arguments at every call.
TEST_CASE("a step of a convolutional network allocates nothing") {
  const NetworkSpec spec = test::network(
      {6, 5, 1},
      {test::component("convolution",
                       {{"units", std::int64_t{8}}, {"padding", "same"}, {"activation", "relu"}}),
       test::component("max_pooling"),
       test::component("convolution", {{"units", std::int64_t{20}}, {"kernel", std::int64_t{2}}}),
       test::component("average_pooling", {{"stride", std::int64_t{1}}, {"size", std::int64_t{1}}}),
       test::component("global_average_pooling"), test::dense(5)});
  for (int threads : {1, 2}) {
    NetworkOptions options;
    options.dtype = DType::float64;
    options.threads = threads;
    Network network(spec, test::loss("softmax_cross_entropy"), options);
    Optimizer optimizer(catalog::resolve(catalog::Kind::optimizer, {"momentum", {}}), {.l2 = 0.01});
    CHECK(allocations_of(network, optimizer, "learning_rate", 2) > 0);
    const std::int64_t few = allocations_of(network, optimizer, "learning_rate", 2);
    CHECK(allocations_of(network, optimizer, "learning_rate", 200) == few);
  }
}

// Counted over all ranks: a group of threads makes the steps of each call.
TEST_CASE("a step of several ranks allocates nothing") {
  const NetworkSpec spec =
      test::network({30}, {test::dense(40, "tanh"), test::component("batch_normalization"),
                           test::component("dropout"), test::dense(5)});
  struct Way {
    std::int64_t micro_batch;
    bool synchronized;
    int parts;
  };
  for (const Way way :
       {Way{0, false, 0}, Way{0, true, 0}, Way{3, false, 0}, Way{0, false, 4}, Way{0, true, 4}}) {
    CAPTURE(way.micro_batch);
    CAPTURE(way.synchronized);
    CAPTURE(way.parts);
    constexpr int ranks = 2;
    constexpr std::int64_t batch = 16;
    std::vector<std::unique_ptr<Network>> networks;
    std::vector<std::unique_ptr<Optimizer>> optimizers;
    for (auto& communicator : thread_communicators(ranks)) {
      NetworkOptions options;
      options.dtype = DType::float64;
      options.threads = 1;
      options.ranks = {.data = std::move(communicator),
                       .synchronized_normalization = way.synchronized,
                       .bucket_bytes = 1024,
                       .deterministic_parts = way.parts};
      networks.push_back(std::make_unique<Network>(spec, test::loss("softmax_cross_entropy"), options));
      optimizers.push_back(std::make_unique<Optimizer>(
          catalog::resolve(catalog::Kind::optimizer, {"adam", {}}), Regularization{.clip_norm = 0.1}));
    }
    const auto allocations_of_ranks = [&](std::int64_t steps) {
      const auto rows = static_cast<std::size_t>(steps * batch / ranks);
      const std::vector<double> inputs(rows * 30, 0.5);
      const std::vector<double> weights(rows, 0.5);
      const std::vector<std::int32_t> labels(rows, 1);
      std::vector<std::int64_t> done(ranks);
      const auto train = [&](std::size_t rank) {
        TrainingChunk chunk{.inputs = inputs.data(),
                            .targets = labels.data(),
                            .weights = weights.data(),
                            .steps = steps,
                            .batch = batch / ranks,
                            .first_row = static_cast<std::int64_t>(rank) * batch / ranks,
                            .global_batch = batch,
                            .micro_batch = way.micro_batch};
        done[rank] = networks[rank]->train(*optimizers[rank], chunk).steps;
      };
      for (auto& network : networks) network->drain();
      allocations = 0;
      counting = true;
      std::thread other([&] { train(1); });
      train(0);
      other.join();
      counting = false;
      for (std::int64_t of_rank : done) REQUIRE(of_rank == steps);
      return allocations.load();
    };
    CHECK(allocations_of_ranks(2) > 0);
    const std::int64_t few = allocations_of_ranks(2);
    CHECK(allocations_of_ranks(200) == few);
  }
}

}  // namespace ravine

#endif
