// Steps that ranks make together, against the same steps on one rank.
#include <atomic>
#include <cstring>

#include "base/errors.h"
#include "rank_training.h"

namespace ravine {

using namespace test;

namespace {

// 1 to 4 ranks give what one gives, and all ranks of a group the same bits.
void check_parity(const Training& training, double tolerance = 1e-12) {
  const Trained alone = train(training, 1).front();
  REQUIRE(alone.result.steps == training.steps);
  for (int ranks : {2, 3, 4}) {
    CAPTURE(ranks);
    const std::vector<Trained> together = train(training, ranks);
    for (const Trained& trained : together) {
      CHECK(trained.result.steps == training.steps);
      CHECK(trained.result.rows == training.steps * training.batch);
      CHECK(trained.parameters == together.front().parameters);
      CHECK(trained.state == together.front().state);
      CHECK(trained.recorded.size() == alone.recorded.size());
    }
    const Trained& first = together.front();
    CHECK(distance(first.parameters, alone.parameters) < tolerance);
    CHECK(distance(first.recorded, alone.recorded) < 1e-5);  // kept as float32
    CHECK(first.result.loss == doctest::Approx(alone.result.loss).epsilon(tolerance));
    CHECK(first.result.weight == doctest::Approx(alone.result.weight).epsilon(1e-14));
    CHECK(first.result.correct == alone.result.correct);
    if (training.synchronized_normalization) CHECK(distance(first.state, alone.state) < tolerance);
  }
}

}  // namespace

TEST_CASE("ranks that share a dense network's rows train as one rank does") {
  Training training{dense_network()};
  SUBCASE("plain") {}
  SUBCASE("fewer rows than ranks") { training.batch = 3; }
  SUBCASE("adam with penalties and averaged weights") {
    training.optimizer = adam();
    training.regularization = {.l2 = 0.01, .l1 = 0.001};
    training.average = true;
  }
  SUBCASE("clipped") { training.regularization.clip_norm = 0.05; }
  SUBCASE("weights of rows") { training.weights = true; }
  SUBCASE("weights of classes") { training.class_weights = {1, 0.5, 2, 1, 3}; }
  SUBCASE("in parts") { training.micro_batch = 2; }
  SUBCASE("in parts, with weights") {
    training.micro_batch = 3;
    training.weights = true;
    training.bucket_bytes = 256;
  }
  SUBCASE("many buckets") { training.bucket_bytes = 256; }
  SUBCASE("many buckets after the backward pass") {
    training.bucket_bytes = 256;
    training.overlap = false;
  }
  SUBCASE("two workers a rank") {
    training.threads = 2;
    training.bucket_bytes = 512;
    training.micro_batch = 2;
  }
  SUBCASE("a look-ahead point") { training.optimizer = {"nesterov", {}}; }
  SUBCASE("orthogonal directions") { training.optimizer = {"muon", {}}; }
  SUBCASE("distributions") { training.full_every = 4; }
  check_parity(training);
}

TEST_CASE("a full-batch rule sees the loss and gradient of all ranks") {
  Training training{test::network({4}, {test::dense(6, "tanh"), test::dense(3)})};
  training.optimizer = {"lbfgs", {}};
  training.steps = 20;
  training.batch = 11;
  // The line search amplifies rounding.
  check_parity(training, 1e-7);
}

TEST_CASE("synchronized batch normalization takes its moments over all ranks") {
  Training training{convolutional_network()};
  training.synchronized_normalization = true;
  SUBCASE("plain") {}
  SUBCASE("an empty rank") {
    training.batch = 3;
    training.steps = 8;
  }
  SUBCASE("adam, clipped, many buckets") {
    training.optimizer = adam();
    training.regularization.clip_norm = 0.1;
    training.bucket_bytes = 128;
  }
  SUBCASE("nothing fused") {
    training.compute.fuse = training.compute.fuse_normalization = training.compute.phases = false;
  }
  SUBCASE("computed again") { training.compute.checkpoint_every = 3; }
  check_parity(training);
}

TEST_CASE("batch normalization per rank keeps the mean of the ranks' averages") {
  Training training{convolutional_network()};
  training.batch = 12;
  training.steps = 1;
  const Trained whole = train(training, 1).front();
  const std::vector<Trained> halves = train(training, 2);
  CHECK(halves[0].state == halves[1].state);
  // After one step the mean of the means of halves is that of all; a variance lacks what lies between them.
  const auto channels = static_cast<std::size_t>(5);
  for (std::size_t i = 0; i < channels; ++i) CHECK(halves[0].state[i] == doctest::Approx(whole.state[i]));
}

TEST_CASE("deterministic steps have the same bits on any number of ranks") {
  Training training{dense_network()};
  training.deterministic_parts = 5;
  training.batch = 23;
  SUBCASE("dense, dropout, clipped") { training.regularization.clip_norm = 0.1; }
  SUBCASE("float32, with weights") {
    training.dtype = DType::float32;
    training.weights = true;
  }
  SUBCASE("in smaller parts") { training.micro_batch = 2; }
  SUBCASE("convolution, normalized by parts") {
    training.spec = convolutional_network();
    training.batch = 20;
  }
  SUBCASE("convolution, synchronized") {
    training.spec = convolutional_network();
    training.synchronized_normalization = true;
  }
  SUBCASE("convolution, synchronized, float32") {
    training.spec = convolutional_network();
    training.synchronized_normalization = true;
    training.dtype = DType::float32;
    training.optimizer = adam();
  }
  SUBCASE("fewer rows than parts") { training.batch = 4; }
  const Trained alone = train(training, 1).front();
  REQUIRE(alone.result.steps == training.steps);
  for (int ranks : {2, 3, 4}) {
    CAPTURE(ranks);
    for (const Trained& trained : train(training, ranks)) {
      CHECK(trained.parameters == alone.parameters);
      CHECK(trained.state == alone.state);
      CHECK(trained.result.loss == alone.result.loss);
      CHECK(distance(trained.recorded, alone.recorded) == 0);
    }
  }
  // In parts or at once: the same gradient, to rounding.
  if (training.dtype == DType::float64 &&
      !(training.spec.layers.size() > 5 && !training.synchronized_normalization)) {
    Training at_once = training;
    at_once.deterministic_parts = 0;
    at_once.micro_batch = 0;
    CHECK(distance(alone.parameters, train(at_once, 1).front().parameters) < 1e-11);
  }
}

TEST_CASE("distributions are those of all rows") {
  Training training{dense_network()};
  training.full_every = 1;
  training.steps = 2;
  const auto alone = train(training, 1).front().distributions;
  for (const Trained& trained : train(training, 3)) {
    REQUIRE(trained.distributions.size() == alone.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
      // Of the first step's outputs: weights are the same bits then.
      if (alone[i].step > 1 || alone[i].source > 0) continue;
      CHECK(trained.distributions[i].packed == alone[i].packed);
      CHECK(trained.distributions[i].minimum == alone[i].minimum);
    }
  }
}

TEST_CASE("what is not finite on one rank stops all of them, with its rank") {
  for (int parts : {0, 4}) {
    for (std::int64_t micro : {0, 2}) {
      Training training{dense_network()};
      training.steps = 3;
      training.broken_row = 9;  // of 14: of the second of three ranks, in parts or not
      training.deterministic_parts = parts;
      training.micro_batch = micro;
      const std::vector<Trained> together = train(training, 3);
      for (const Trained& trained : together) {
        CHECK(trained.result.steps == 2);
        CHECK(trained.result.trouble == "the input");
        CHECK(trained.result.trouble_rank == 1);
        CHECK(trained.parameters == together.front().parameters);
      }
    }
  }
}

TEST_CASE("what one rank cannot do is refused on all") {
  Training training{convolutional_network()};
  training.spec = test::network({3}, {test::component("batch_normalization"), test::dense(3)});
  training.batch = 5;  // of four ranks, three have one row: no moments
  std::atomic<int> refused = 0;
  std::vector<std::shared_ptr<Communicator>> shared;
  for (auto& communicator : thread_communicators(4)) shared.push_back(std::move(communicator));
  std::vector<std::thread> threads;
  for (const auto& communicator : shared) {
    threads.emplace_back([&] {
      try {
        train_as<double>(training, communicator);
      } catch (const Error& error) {
        const bool own = std::strstr(error.what(), "batch normalization of one value a channel") != nullptr;
        if (own) ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(refused == 4);
}

TEST_CASE("sums that travel in bfloat16 are close, and the same on all ranks") {
  Training training{dense_network()};
  training.dtype = DType::float32;
  training.transport = Transport::bfloat16;
  training.bucket_bytes = 512;
  const Trained alone = train(training, 1).front();
  const std::vector<Trained> together = train(training, 3);
  for (const Trained& trained : together) CHECK(trained.parameters == together.front().parameters);
  const double difference = distance(together.front().parameters, alone.parameters);
  CHECK(difference > 1e-6);
  CHECK(difference < 0.02);
}

TEST_CASE("times of recorded steps add up, and there are none without ranks") {
  Training training{dense_network()};
  training.bucket_bytes = 256;
  for (const Trained& trained : train(training, 2)) {
    REQUIRE(trained.times.size() == 20);
    std::int64_t step = 0;
    for (const TimesRing::Row& row : trained.times) {
      CHECK(row.step == ++step);
      CHECK(row.times.compute > 0);
      CHECK(row.times.wait > 0);
      CHECK(row.times.overlapped >= 0);
      CHECK(row.times.communicate >= row.times.overlapped);
    }
  }
  CHECK(train(training, 1).front().times.empty());
}

}  // namespace ravine
