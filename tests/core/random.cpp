// Philox4x32-10 against the known answers of Random123, its keys, and orders drawn from it.
#include "base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

using namespace ravine;

namespace {

std::array<std::uint32_t, 4> words(const RandomBits& bits) {
  return {bits.word[0], bits.word[1], bits.word[2], bits.word[3]};
}

std::vector<std::int64_t> order_of(std::uint64_t seed, std::uint32_t epoch, std::int64_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count), -1);
  shuffled_order(seed, 0, epoch, count, order.data());
  return order;
}

}  // namespace

TEST_CASE("Philox known answers") {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(words(philox4x32_10({{0, 0, 0, 0}}, 0, 0)) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(words(philox4x32_10({{ones, ones, ones, ones}}, ones, ones)) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words(philox4x32_10({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0)) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("every part of a key matters") {
  const RandomKey key{5, RandomPurpose::dropout, 2, 3};
  std::set<std::array<std::uint32_t, 4>> seen{
      words(key.bits(0)),
      words(key.bits(1)),
      words(key.bits(std::uint64_t{1} << 32)),
      words(RandomKey{6, RandomPurpose::dropout, 2, 3}.bits(0)),
      words(RandomKey{5 + (std::uint64_t{1} << 32), RandomPurpose::dropout, 2, 3}.bits(0)),
      words(RandomKey{5, RandomPurpose::shuffle, 2, 3}.bits(0)),
      words(RandomKey{5, RandomPurpose::dropout, 1, 3}.bits(0)),
      words(RandomKey{5, RandomPurpose::dropout, 2, 4}.bits(0)),
  };
  CHECK(seen.size() == 8);
  CHECK(words(key.bits(7, 9)) == words(key.bits((std::uint64_t{7} << 32) | 9)));
}

TEST_CASE("uniform numbers lie inside (0, 1)") {
  CHECK(uniform_open(0) > 0.0);
  CHECK(uniform_open(0xffffffff) < 1.0);
  CHECK(uniform_open(0x80000000) == doctest::Approx(0.5));
}

TEST_CASE("a shuffled order holds every element once") {
  for (std::int64_t count : {0, 1, 2, 3, 17, 1000, 40000}) {
    CAPTURE(count);
    std::vector<std::int64_t> order = order_of(9, 4, count);
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < count; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
  }
  CHECK(order_of(9, 4, 1000) == order_of(9, 4, 1000));
  CHECK(order_of(9, 4, 1000) != order_of(9, 5, 1000));
  CHECK(order_of(8, 4, 1000) != order_of(9, 4, 1000));
}

TEST_CASE("all orders of three are drawn equally often") {
  std::array<int, 27> seen{};
  constexpr int draws = 6000;
  for (std::uint32_t epoch = 0; epoch < draws; ++epoch) {
    const auto order = order_of(1, epoch, 3);
    ++seen[static_cast<std::size_t>(order[0] * 9 + order[1] * 3 + order[2])];
  }
  int orders = 0;
  for (int count : seen) {
    if (count == 0) continue;
    ++orders;
    CHECK(count > 1000 - 150);  // five standard deviations
    CHECK(count < 1000 + 150);
  }
  CHECK(orders == 6);
}
