// Networks that ranks, as threads of the test, train together.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "network/weight_average.h"
#include "networks.h"
#include "rank_threads.h"

namespace ravine::test {

// What is trained, on how many rows, and how.
struct Training {
  NetworkSpec spec;
  Component optimizer{"momentum", {}};
  Regularization regularization = {};
  std::string loss = "softmax_cross_entropy";
  std::vector<double> class_weights = {};
  DType dtype = DType::float64;
  std::int64_t batch = 14;
  std::int64_t steps = 20;
  std::int64_t micro_batch = 0;
  bool weights = false;
  bool average = false;
  bool synchronized_normalization = false;
  int deterministic_parts = 0;
  std::int64_t bucket_bytes = 25 << 20;
  bool overlap = true;
  std::int64_t average_every = 1;
  Transport transport = Transport::full;
  ComputeOptions compute = {};
  std::int64_t full_every = 0;
  std::int64_t broken_row = -1;  // of the global batch: its first input is infinite in the last step
  int threads = 1;
};

struct Trained {
  std::vector<double> parameters;
  std::vector<double> state;
  std::vector<float> recorded;
  std::vector<DistributionRecord> distributions;
  std::vector<TimesRing::Row> times;
  TrainingResult result;
};

template <typename T>
std::vector<double> doubles(const void* values, std::int64_t count) {
  const T* typed = static_cast<const T*>(values);
  return {typed, typed + count};
}

// A number for each place, between -1 and 1.
inline double number_at(std::int64_t place) {
  return std::sin(static_cast<double>(place) * 12.9898 + 1) * 0.9;
}

template <typename T>
Trained train_as(const Training& training, std::shared_ptr<Communicator> communicator) {
  NetworkOptions options;
  options.batch = training.batch;
  options.dtype = training.dtype;
  options.threads = training.threads;
  options.seed = 3;
  options.compute = training.compute;
  options.ranks = {.data = communicator,
                   .synchronized_normalization = training.synchronized_normalization,
                   .bucket_bytes = training.bucket_bytes,
                   .transport = training.transport,
                   .overlap = training.overlap,
                   .deterministic_parts = training.deterministic_parts,
                   .average_every = training.average_every};
  Component loss{training.loss, {}};
  if (!training.class_weights.empty()) loss.values.set("class_weights", training.class_weights);
  Network network(training.spec, catalog::resolve(catalog::Kind::loss, loss), options);
  Optimizer optimizer(catalog::resolve(catalog::Kind::optimizer, training.optimizer),
                      training.regularization);
  const Rows rows =
      rows_of_rank(training.batch, options.ranks.rank(), options.ranks.count(), training.deterministic_parts);
  const std::int64_t columns = network.graph().input.elements();
  const std::int64_t classes = network.graph().output().elements();
  const auto own = static_cast<std::size_t>(training.steps * rows.count);
  std::vector<T> inputs(own * static_cast<std::size_t>(columns)), weights(own);
  std::vector<std::int32_t> labels(own);
  std::size_t at = 0;
  for (std::int64_t step = 0; step < training.steps; ++step) {
    for (std::int64_t row = rows.first; row < rows.first + rows.count; ++row, ++at) {
      const std::int64_t sample = step * training.batch + row;
      for (std::int64_t i = 0; i < columns; ++i) {
        inputs[at * static_cast<std::size_t>(columns) + static_cast<std::size_t>(i)] =
            static_cast<T>(number_at(sample * columns + i));
      }
      labels[at] = static_cast<std::int32_t>(sample * 7 % classes);
      weights[at] = static_cast<T>(sample % 5 == 0 ? 0 : 1 + 0.25 * static_cast<double>(sample % 3));
      if (row == training.broken_row && step + 1 == training.steps) {
        inputs[at * static_cast<std::size_t>(columns)] = std::numeric_limits<T>::infinity();
      }
    }
  }
  WeightAverage average(network, 0.9);
  TrainingChunk chunk{.inputs = inputs.data(),
                      .targets = labels.data(),
                      .weights = training.weights ? weights.data() : nullptr,
                      .steps = training.steps,
                      .batch = rows.count,
                      .first_row = rows.first,
                      .global_batch = training.batch,
                      .micro_batch = training.micro_batch};
  if (training.average) chunk.average = &average;
  if (training.full_every > 0) {
    chunk.statistics = StatisticsLevel::full;
    chunk.full_every = training.full_every;
  }
  Trained trained;
  trained.result = network.train(optimizer, chunk);
  trained.parameters = doubles<T>(training.average ? average.values()->data() : network.parameters().get(),
                                  network.graph().parameter_elements);
  trained.state = doubles<T>(network.state().get(), network.graph().state_elements);
  trained.recorded = network.drain().values;
  trained.distributions = network.drain_distributions();
  trained.times = network.drain_times();
  return trained;
}

inline std::vector<Trained> train(const Training& training, int ranks) {
  std::vector<Trained> trained(static_cast<std::size_t>(ranks));
  std::vector<std::shared_ptr<Communicator>> communicators;
  for (auto& communicator : thread_communicators(ranks)) communicators.push_back(std::move(communicator));
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < trained.size(); ++rank) {
    threads.emplace_back([&, rank] {
      trained[rank] = training.dtype == DType::float64 ? train_as<double>(training, communicators[rank])
                                                       : train_as<float>(training, communicators[rank]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return trained;
}

// The largest difference, beside the largest value.
inline double distance(const std::vector<double>& left, const std::vector<double>& right) {
  REQUIRE(left.size() == right.size());
  double most = 0, largest = 1e-300;
  for (std::size_t i = 0; i < left.size(); ++i) {
    most = std::max(most, std::abs(left[i] - right[i]));
    largest = std::max(largest, std::abs(right[i]));
  }
  return most / largest;
}

inline double distance(const std::vector<float>& left, const std::vector<float>& right) {
  REQUIRE(left.size() == right.size());
  double most = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (std::isnan(left[i]) && std::isnan(right[i])) continue;
    const double difference = std::abs(static_cast<double>(left[i]) - static_cast<double>(right[i]));
    most = std::max(most, difference / (1e-3 + std::abs(static_cast<double>(right[i]))));
  }
  return most;
}

inline NetworkSpec dense_network() {
  return network({9},
                 {dense(24, "tanh"), component("dropout", {{"rate", 0.4}}), dense(17, "relu"), dense(5)});
}

// Without biases before a normalization, whose gradients are nothing but rounding.
inline NetworkSpec convolutional_network() {
  return network(
      {6, 6, 2},
      {component("convolution", {{"units", std::int64_t{5}}, {"padding", "same"}, {"use_bias", false}}),
       component("batch_normalization"), component("activation", {{"function", "relu"}}),
       component("dropout", {{"rate", 0.2}}), component("max_pooling"),
       component("convolution", {{"units", std::int64_t{4}}, {"use_bias", false}}),
       component("batch_normalization"), component("global_average_pooling"), dense(3)});
}

inline Component adam() { return {"adam", {}}; }

}  // namespace ravine::test
