// Ranks that are threads: what they exchange, and that all get the same.
#include "communication/communicator.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/errors.h"
#include "communication/mpi_communicator.h"
#include "network/ranks.h"
#include "rank_threads.h"

namespace ravine {

TEST_CASE("a sum over ranks is the same on every rank, now and later") {
  for (int ranks : {1, 2, 3, 4}) {
    test::on_ranks(ranks, [&](Communicator& communicator) {
      const double expected = ranks * (ranks + 1) / 2.0;
      std::vector<double> values(1000, communicator.rank() + 1.0);
      std::vector<float> singles(7, static_cast<float>(communicator.rank()) + 1.0F);
      communicator.sum(values.data(), 1000, DType::float64);
      CHECK(values[999] == expected);
      communicator.reserve(3);
      for (int again = 0; again < 50; ++again) {
        values.assign(1000, communicator.rank() + 1.0 + again);
        singles.assign(7, static_cast<float>(communicator.rank()) + 1.0F);
        communicator.start_sum(2, values.data(), 1000, DType::float64, Transport::full);
        communicator.start_sum(0, singles.data(), 7, DType::float32, Transport::bfloat16);
        communicator.wait(0);
        while (!communicator.progress(2)) continue;
        CHECK(values[0] == expected + ranks * again);
        CHECK(singles[6] == static_cast<float>(expected));
      }
    });
  }
}

TEST_CASE("pieces go to the ranks that they are for") {
  test::on_ranks(3, [](Communicator& communicator) {
    const std::int64_t lengths[] = {1, 0, 2};
    const char all[] = {'a', 'c', 'd'};
    const char* mine = communicator.rank() == 0 ? "a" : "cd";
    char gathered[3] = {};
    communicator.gather(mine, gathered, lengths);
    CHECK(std::memcmp(gathered, all, 3) == 0);

    // Rank r sends r + 1 bytes "(from)(to)" to each.
    const int rank = communicator.rank();
    std::vector<std::int64_t> to(3, rank + 1), from{1, 2, 3};
    std::vector<char> sent, received(6);
    for (int other = 0; other < 3; ++other) {
      for (int i = 0; i <= rank; ++i) sent.push_back(static_cast<char>(10 * rank + other));
    }
    communicator.exchange(sent.data(), to.data(), received.data(), from.data());
    const std::vector<int> expected{rank, 10 + rank, 10 + rank, 20 + rank, 20 + rank, 20 + rank};
    for (std::size_t i = 0; i < 6; ++i) CHECK(received[i] == expected[i]);

    double value = rank;
    communicator.broadcast(&value, sizeof(value), 2);
    CHECK(value == 2);
  });
}

TEST_CASE("lanes are apart from each other") {
  test::on_ranks(2, [](Communicator& communicator) {
    Communicator& lane = communicator.lane(1);
    CHECK(&lane == &communicator.lane(1));
    CHECK(lane.rank() == communicator.rank());
    // In another order on each rank: on one lane this would exchange the wrong values.
    double value = 1 + communicator.rank();
    double other = 10;
    communicator.reserve(1);
    if (communicator.rank() == 0) {
      communicator.start_sum(0, &value, 1, DType::float64, Transport::full);
      lane.sum(&other, 1, DType::float64);
    } else {
      lane.sum(&other, 1, DType::float64);
      communicator.start_sum(0, &value, 1, DType::float64, Transport::full);
    }
    communicator.wait(0);
    CHECK(value == 3);
    CHECK(other == 20);
  });
}

TEST_CASE("bfloat16 rounds to the nearest, ties to even, and keeps what is not finite") {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{1.0F,     1.00390625F, 1.01171875F,    -0.0F,
                                  infinity, 3.39e38F,    std::nanf("1"), 1e-40F};
  std::vector<std::uint16_t> rounded(values.size());
  std::vector<float> back(values.size());
  const auto count = static_cast<std::int64_t>(values.size());
  round_to_bfloat16(values.data(), rounded.data(), count);
  widen_bfloat16(rounded.data(), back.data(), count);
  CHECK(back[0] == 1.0F);
  CHECK(back[1] == 1.0F);       // half way between 1 and 1.0078125
  CHECK(back[2] == 1.015625F);  // half way between 1.0078125 and 1.015625
  CHECK(std::signbit(back[3]));
  CHECK(back[4] == infinity);
  CHECK(back[5] == doctest::Approx(3.3895e38F));
  CHECK(std::isnan(back[6]));
  CHECK(back[7] == doctest::Approx(1e-40F).epsilon(0.01));
  std::uint16_t sum[] = {0x3f80, 0x3f80};           // 1
  const std::uint16_t addend[] = {0x3b80, 0x3bc0};  // 2^-8, 1.5 2^-8: half a unit of the sum, and more
  add_bfloat16(addend, sum, 2);
  CHECK(sum[0] == 0x3f80);
  CHECK(sum[1] == 0x3f81);
}

TEST_CASE("an MPI that lacks a function is refused by its name") {
  MpiLibrary library;
  CHECK_THROWS_WITH_AS(mpi_communicator(library, 1), "MPI_Comm_rank is missing", Error);
}

TEST_CASE("rows of ranks follow each other and leave none out") {
  for (int parts : {0, 5, 16}) {
    for (int ranks : {1, 2, 3, 4, 5}) {
      for (std::int64_t batch : {0, 1, 2, 3, 7, 64, 100}) {
        std::int64_t next = 0;
        for (int rank = 0; rank < ranks; ++rank) {
          const Rows rows = rows_of_rank(batch, rank, ranks, parts);
          CHECK(rows.first == next);
          CHECK(rows.count >= 0);
          if (rank == 0 && batch > 0) CHECK(rows.count > 0);
          if (parts == 0) CHECK(std::abs(rows.count - batch / ranks) <= 1);
          if (parts > 0 && rows.count > 0) CHECK(rows.first % rows_of_part(batch, 0, parts).count == 0);
          next += rows.count;
        }
        CHECK(next == batch);
      }
    }
  }
}

}  // namespace ravine
