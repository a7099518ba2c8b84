// Ranks that step alone and average what they have.
#include "network/local_updates.h"

#include "rank_training.h"

namespace ravine {

using namespace test;

TEST_CASE("ranks that step alone average what they have") {
  Training training{dense_network()};
  training.optimizer = {"momentum", {}};
  training.steps = 3;
  for (int ranks : {2, 3}) {
    training.average_every = 50;
    const std::vector<Trained> apart = train(training, ranks);
    std::vector<double> mean(apart.front().parameters.size());
    for (int rank = 0; rank < ranks; ++rank) {
      const std::vector<double>& own = apart[static_cast<std::size_t>(rank)].parameters;
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += own[i] / ranks;
    }
    CHECK(distance(apart.back().parameters, apart.front().parameters) > 1e-4);
    training.average_every = 3;
    for (const Trained& trained : train(training, ranks)) CHECK(distance(trained.parameters, mean) < 1e-14);
  }
}

TEST_CASE("after an average all ranks have the same, and sums are of all rows") {
  Training training{dense_network()};
  training.spec = convolutional_network();
  training.optimizer = adam();
  training.average_every = 5;
  training.average = true;
  SUBCASE("even") {}
  SUBCASE("an empty rank") {
    training.batch = 5;
    training.spec = dense_network();
  }
  for (int ranks : {2, 3}) {
    const std::vector<Trained> together = train(training, training.batch == 5 ? 6 : ranks);
    for (const Trained& trained : together) {
      CHECK(trained.parameters == together.front().parameters);
      CHECK(trained.state == together.front().state);
      CHECK(trained.result.loss == together.front().result.loss);
      CHECK(trained.result.rows == training.steps * training.batch);
    }
  }
}

TEST_CASE("trouble on a rank that steps alone ends all of them") {
  for (std::int64_t every : {2, 50}) {
    Training training{dense_network()};
    training.average_every = every;
    training.steps = 3;
    training.broken_row = 9;
    for (const Trained& trained : train(training, 3)) {
      CHECK(trained.result.steps == 2);
      CHECK(trained.result.trouble == "the input");
      CHECK(trained.result.trouble_rank == 1);
    }
  }
}

}  // namespace ravine
