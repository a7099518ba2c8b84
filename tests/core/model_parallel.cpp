// Networks that the ranks of a model group share: what they compute is what one rank would.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "base/errors.h"
#include "base/random.h"
#include "network/network.h"
#include "networks.h"
#include "rank_threads.h"

using namespace ravine;

namespace {

using Names = std::vector<std::string>;

struct Task {
  NetworkSpec spec;
  Names split = {};
  std::string rule = "momentum";
  Regularization regularization = {};
  std::int64_t micro_batch = 0;
  ComputeOptions compute = {};
  DType dtype = DType::float64;
};

// What training leaves: everything as one rank would have it.
struct Outcome {
  std::vector<double> parameters;
  std::vector<double> state;
  std::vector<std::vector<double>> slots;
  std::vector<double> initial;
  double loss = 0;
  std::vector<float> record;
  Evaluation evaluation;
  std::int64_t elements = 0;  // that this rank holds
  double sent = 0;
  std::string trouble;
};

constexpr std::int64_t batch = 22;
constexpr std::int64_t steps = 60;

// Whole arrays, one behind the other as on one rank: of parameters, or of something laid out as they are, or
// of what layers keep.
std::vector<double> gathered(Network& network, const void* slices, bool of_state) {
  const auto* values = static_cast<const double*>(slices);
  std::vector<double> all;
  const auto append = [&](const std::string& name, std::int64_t offset, const Shape& shape) {
    const auto begin = static_cast<std::ptrdiff_t>(all.size());
    all.resize(all.size() + static_cast<std::size_t>(shape.elements()));
    network.gather(name, values + offset, &*(all.begin() + begin), DType::float64);
  };
  if (of_state) {
    for (const GraphState& state : network.graph().state) append(state.name, state.offset, state.slice.whole);
  } else {
    for (const GraphParameter& parameter : network.graph().parameters) {
      append(parameter.name, parameter.offset, parameter.slice.whole);
    }
  }
  return all;
}

Optimizer optimizer_of(const Task& task) {
  return {catalog::resolve(catalog::Kind::optimizer, {task.rule, {}}), task.regularization};
}

std::shared_ptr<Communicator> shared(Communicator& communicator) {
  return {&communicator, [](Communicator*) {}};
}

// On a rank, with its rows of every batch.
Outcome trained(const Task& task, Ranks ranks) {
  if (!task.split.empty()) ranks.split = task.split;
  ranks.synchronized_normalization = true;
  const NetworkOptions options{
      .batch = batch, .dtype = task.dtype, .threads = 1, .seed = 3, .compute = task.compute, .ranks = ranks};
  Network network(task.spec, test::loss("softmax_cross_entropy"), options);
  Optimizer optimizer = optimizer_of(task);
  const RandomKey key{11, RandomPurpose::dropout, 0, 0};
  const std::int64_t rows = steps * batch;
  const std::int64_t columns = task.spec.input.elements();
  std::vector<double> inputs(static_cast<std::size_t>(rows * columns));
  for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = 2 * uniform_open(key.bits(i).word[0]) - 1;
  std::vector<std::int32_t> labels(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i * i % 3);
  const Rows own = rows_of_rank(batch, ranks.rank(), ranks.count(), 0);
  std::vector<double> own_inputs;
  std::vector<std::int32_t> own_labels;
  for (std::int64_t step = 0; step < steps; ++step) {
    const auto first = static_cast<std::ptrdiff_t>(step * batch + own.first);
    const auto end = first + static_cast<std::ptrdiff_t>(own.count);
    own_inputs.insert(own_inputs.end(), inputs.begin() + first * columns, inputs.begin() + end * columns);
    own_labels.insert(own_labels.end(), labels.begin() + first, labels.begin() + end);
  }
  Outcome outcome;
  outcome.initial = gathered(network, network.parameters().get(), false);
  TrainingChunk chunk;
  chunk.inputs = own_inputs.data();
  chunk.targets = own_labels.data();
  chunk.steps = steps;
  chunk.batch = own.count;
  chunk.first_row = own.first;
  chunk.global_batch = batch;
  chunk.micro_batch = task.micro_batch;
  chunk.statistics = StatisticsLevel::norms;
  const TrainingResult result = network.train(optimizer, chunk);
  outcome.loss = result.loss;
  outcome.trouble = result.trouble;
  outcome.parameters = gathered(network, network.parameters().get(), false);
  outcome.state = gathered(network, network.state().get(), true);
  for (std::size_t i = 0; i < optimizer.slot_names().size(); ++i) {
    outcome.slots.push_back(gathered(network, optimizer.slot(i)->data(), false));
  }
  outcome.record = network.drain().values;
  outcome.evaluation = network.evaluate(inputs.data(), labels.data(), nullptr, 50);
  outcome.elements = network.graph().parameter_elements;
  outcome.sent = network.describe(Mode::training, batch).sent_bytes;
  return outcome;
}

// On a grid of data x model ranks.
std::vector<Outcome> trained_on(int data, int model, const Task& task) {
  std::vector<std::vector<std::unique_ptr<Communicator>>> rows_apart;   // by the rank within the model group
  std::vector<std::vector<std::unique_ptr<Communicator>>> parts_apart;  // by the rank within the data group
  for (int i = 0; i < model; ++i) rows_apart.push_back(thread_communicators(data));
  for (int i = 0; i < data; ++i) parts_apart.push_back(thread_communicators(model));
  std::vector<Outcome> outcomes(static_cast<std::size_t>(data * model));
  test::on_ranks(data * model, [&](Communicator& world) {
    const auto rank = static_cast<std::size_t>(world.rank());
    const auto of_data = rank / static_cast<std::size_t>(model);
    const auto of_model = rank % static_cast<std::size_t>(model);
    Ranks ranks;
    if (data > 1) ranks.data = shared(*rows_apart[of_model][of_data]);
    ranks.model = shared(*parts_apart[of_data][of_model]);
    outcomes[rank] = trained(task, ranks);
  });
  return outcomes;
}

// The largest difference, relative to the number itself or to 1 if that is more.
template <typename T>
double difference(const std::vector<T>& one, const std::vector<T>& other) {
  REQUIRE(one.size() == other.size());
  double largest = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    const double scale = std::max(1.0, static_cast<double>(std::abs(one[i])));
    const double found = std::abs(static_cast<double>(one[i]) - static_cast<double>(other[i])) / scale;
    largest = std::isfinite(found) ? std::max(largest, found) : 1e300;
  }
  return largest;
}

bool same_bits(const auto& one, const auto& other) {
  return one.size() == other.size() &&
         std::memcmp(one.data(), other.data(), one.size() * sizeof(one[0])) == 0;
}

using Grids = std::vector<std::pair<int, int>>;

void check_like_one_rank(const Task& task, const Grids& grids = {{1, 2}, {1, 3}}) {
  const Outcome alone = trained(task, {});
  REQUIRE(alone.trouble.empty());
  CHECK(alone.sent == 0);
  for (const auto& [data, model] : grids) {
    CAPTURE(data);
    CAPTURE(model);
    const std::vector<Outcome> outcomes = trained_on(data, model, task);
    std::int64_t held = 0;
    for (const Outcome& outcome : outcomes) {
      CHECK(same_bits(outcome.initial, alone.initial));
      CHECK(difference(alone.parameters, outcome.parameters) < 1e-12);
      CHECK(difference(alone.state, outcome.state) < 1e-12);
      REQUIRE(outcome.slots.size() == alone.slots.size());
      for (std::size_t i = 0; i < alone.slots.size(); ++i) {
        CHECK(difference(alone.slots[i], outcome.slots[i]) < 1e-12);
      }
      CHECK(outcome.loss == doctest::Approx(alone.loss).epsilon(1e-12));
      CHECK(outcome.evaluation.loss == doctest::Approx(alone.evaluation.loss).epsilon(1e-12));
      CHECK(outcome.evaluation.correct == alone.evaluation.correct);
      REQUIRE(outcome.record.size() == alone.record.size());
      CHECK(difference(alone.record, outcome.record) < 1e-6);
      // Nothing differs between ranks that all of them know.
      CHECK(same_bits(outcome.parameters, outcomes.front().parameters));
      CHECK(same_bits(outcome.record, outcomes.front().record));
      CHECK(outcome.loss == outcomes.front().loss);
      CHECK(outcome.elements < alone.elements);
      CHECK(outcome.sent > 0);
      held += outcome.elements;
    }
    CHECK(held >= data * alone.elements);
  }
}

Component weight_normalized(std::int64_t units) {
  return test::component(
      "dense", {{"units", units}, {"activation", std::string("tanh")}, {"weight_normalization", true}});
}

Component convolution(std::int64_t units, std::int64_t groups = 1) {
  return test::component("convolution", {{"units", units},
                                         {"groups", groups},
                                         {"kernel", std::int64_t{3}},
                                         {"activation", std::string("relu")}});
}

NetworkSpec multilayer() {
  return test::network({6},
                       {test::dense(13, "tanh"), test::component("batch_normalization"),
                        test::component("dropout", {{"rate", 0.3}}), weight_normalized(7), test::dense(3)});
}

NetworkSpec images() {
  return test::network(
      {11, 11, 2}, {convolution(7), test::component("batch_normalization"), test::component("max_pooling"),
                    convolution(6), test::component("flatten"), test::dense(11, "relu"),
                    test::component("dropout", {{"rate", 0.2}}), test::dense(3)});
}

// Columns side by side, each a list of layers, which meet in a layer that joins them.
void add_columns(NetworkSpec& spec, const std::vector<std::vector<Component>>& columns,
                 const std::string& join) {
  const std::string entry = spec.layers.empty() ? "input" : spec.layers.back().name;
  Names ends;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    std::string last = entry;
    for (const Component& layer : columns[column]) {
      catalog::add_layer(spec, layer, "", {last});
      last = spec.layers.back().name;
      spec.layers.back().column = static_cast<int>(column);
      spec.layers.back().columns = static_cast<int>(columns.size());
    }
    ends.push_back(last);
  }
  catalog::add_layer(spec, {join, {}}, "", ends);
}

NetworkSpec two_columns(const std::string& join) {
  NetworkSpec spec = test::network({11, 11, 2}, {convolution(4)});
  const std::int64_t wider = join == "add" ? 3 : 4;
  add_columns(spec,
              {{convolution(5), test::component("batch_normalization"), convolution(3)},
               {convolution(4), test::component("dropout", {{"rate", 0.1}}), convolution(wider)}},
              "concatenate");
  add_columns(
      spec,
      {{convolution(3), test::component("max_pooling")}, {convolution(3), test::component("max_pooling")}},
      join);
  for (const Component& layer : {test::component("flatten"), test::dense(9, "relu"), test::dense(3)}) {
    catalog::add_layer(spec, layer, "");
  }
  return spec;
}

}  // namespace

TEST_CASE("dense layers whose units are split over ranks train as one rank does") {
  check_like_one_rank({multilayer(), {"dense_1", "dense_2", "dense_3"}});
  Task clipped{multilayer(), {"dense_1", "dense_2"}, "adam"};
  clipped.regularization.clip_norm = 0.2;
  clipped.regularization.l2 = 0.01;
  check_like_one_rank(clipped);
}

TEST_CASE("penalties, limits of norms and look-ahead see whole layers") {
  Task task{multilayer(), {"dense_1", "dense_3"}, "nesterov"};
  task.regularization.clip_layer_norm = 0.3;
  task.regularization.max_norm = 0.8;
  task.regularization.l2 = 0.02;
  task.regularization.l2_of_norm = true;
  check_like_one_rank(task);
}

TEST_CASE("convolutions whose filters are split over ranks train as one rank does") {
  check_like_one_rank({images(), {"convolution_1", "convolution_2", "dense_1"}});
  NetworkSpec grouped = test::network(
      {7, 7, 6}, {convolution(6, 3), convolution(9, 3), test::component("flatten"), test::dense(3)});
  check_like_one_rank({grouped, {"convolution_1", "convolution_2"}, "adam"});
}

TEST_CASE("columns lie on one rank each, and cross where they are joined") {
  check_like_one_rank({two_columns("concatenate"), {"dense_1"}}, {{1, 2}});
  check_like_one_rank({two_columns("add"), {"dense_1"}, "adam"}, {{1, 2}});
  Task all_placed{two_columns("add")};
  check_like_one_rank(all_placed, {{1, 2}});
}

TEST_CASE("a grid of ranks with rows of their own, and parts of the layers, trains as one rank does") {
  Task split{multilayer(), {"dense_1", "dense_2"}, "adam"};
  split.regularization.clip_norm = 0.2;
  check_like_one_rank(split, {{2, 2}, {3, 2}, {2, 3}});
  Task columns{two_columns("concatenate"), {"dense_1"}};
  columns.regularization.clip_norm = 0.3;
  check_like_one_rank(columns, {{2, 2}});
}

TEST_CASE("a batch in parts, recomputation and plans without passes change nothing of that") {
  Task parts{images(), {"convolution_1", "dense_1"}};
  parts.spec = test::network(
      {9, 9, 2}, {convolution(7), test::component("flatten"), test::dense(11, "relu"), test::dense(3)});
  parts.micro_batch = 8;
  parts.regularization.clip_norm = 0.2;
  check_like_one_rank(parts);
  Task again{two_columns("concatenate"), {"dense_1"}};
  again.compute.checkpoint_every = 3;
  check_like_one_rank(again, {{1, 2}});
  Task plain{two_columns("concatenate"), {"dense_1"}};
  plain.compute.fuse = plain.compute.fuse_normalization = plain.compute.phases = plain.compute.chunks = false;
  check_like_one_rank(plain, {{1, 2}});
}

TEST_CASE("what is not finite is found by every rank, wherever it lies") {
  Task task{multilayer(), {"dense_1", "dense_2"}};
  task.rule = "gradient_descent";
  std::vector<std::string> found(3);
  test::on_ranks(3, [&](Communicator& model) {
    Ranks ranks;
    ranks.model = shared(model);
    ranks.split = task.split;
    Network network(task.spec, test::loss("softmax_cross_entropy"),
                    {.batch = 4, .dtype = DType::float64, .threads = 1, .ranks = ranks});
    if (model.rank() == 2) static_cast<double*>(network.parameters().get())[1] = std::nan("");
    Optimizer optimizer = optimizer_of(task);
    const std::vector<double> inputs(24, 0.5);
    const std::vector<std::int32_t> labels(4, 1);
    TrainingChunk chunk;
    chunk.inputs = inputs.data();
    chunk.targets = labels.data();
    chunk.steps = 1;
    chunk.batch = 4;
    found[static_cast<std::size_t>(model.rank())] = network.train(optimizer, chunk).trouble;
  });
  for (const std::string& trouble : found) CHECK(trouble == "the parameter dense_1.weight");
}

TEST_CASE("moments before activations are those of whole layers") {
  const Task task{multilayer(), {"dense_1", "dense_2"}};
  const std::vector<double> inputs(60, 0.25);
  std::vector<OutputMoments> alone;
  const auto measured = [&](const Ranks& ranks, bool before) {
    Network network(task.spec, test::loss("softmax_cross_entropy"),
                    {.batch = 10, .dtype = DType::float64, .threads = 1, .seed = 5, .ranks = ranks});
    return network.moments(inputs.data(), 10, before);
  };
  for (const bool before : {false, true}) {
    alone = measured({}, before);
    test::on_ranks(2, [&](Communicator& model) {
      Ranks ranks;
      ranks.model = shared(model);
      ranks.split = task.split;
      const std::vector<OutputMoments> moments = measured(ranks, before);
      for (std::size_t i = 0; i < alone.size(); ++i) {
        CHECK(std::isnan(moments[i].mean) == std::isnan(alone[i].mean));
        if (std::isnan(alone[i].mean)) continue;
        CHECK(moments[i].mean == doctest::Approx(alone[i].mean).epsilon(1e-12));
        CHECK(moments[i].variance == doctest::Approx(alone[i].variance).epsilon(1e-12));
      }
    });
  }
}

TEST_CASE("what ranks cannot share is refused in one line") {
  const auto refusal = [](const NetworkSpec& spec, int ranks, const std::optional<Names>& split,
                          const std::string& rule = "momentum") {
    std::string message;
    std::mutex mutex;
    test::on_ranks(ranks, [&](Communicator& model) {
      try {
        Ranks group;
        group.model = shared(model);
        group.split = split;
        Network network(spec, test::loss("softmax_cross_entropy"),
                        {.batch = 4, .threads = 1, .ranks = group});
        Optimizer optimizer(catalog::resolve(catalog::Kind::optimizer, {rule, {}}), {});
        network.attach_optimizer(optimizer);
      } catch (const Error& error) {
        const std::lock_guard lock(mutex);
        message = error.what();
      }
    });
    return message;
  };
  const NetworkSpec spec = multilayer();
  CHECK(refusal(spec, 4, Names{"dense_3"}).find("has 3 units, fewer than the 4 ranks") != std::string::npos);
  CHECK(refusal(spec, 2, Names{"dense_9"}).find("no such layer") != std::string::npos);
  CHECK(refusal(spec, 2, Names{"dropout_1"}).find("only dense and convolution") != std::string::npos);
  CHECK(refusal(spec, 2, std::nullopt).find("nothing in this network") != std::string::npos);
  CHECK(refusal(two_columns("add"), 3, std::nullopt).find("no block of columns has 3") != std::string::npos);
  CHECK(refusal(two_columns("add"), 2, Names{"convolution_2"}).find("stands in a column") !=
        std::string::npos);
  CHECK(refusal(spec, 2, Names{"dense_1"}, "muon").find("needs whole matrices") != std::string::npos);
  CHECK(refusal(spec, 2, Names{"dense_1"}, "lbfgs").find("all parameters together") != std::string::npos);
  CHECK(refusal(spec, 2, Names{"dense_1"}).empty());
}
