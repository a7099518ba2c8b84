#include "base/random.h"

#include "bindings.h"

namespace ravine::bindings {

void bind_random(py::module_& module) {
  module.def(
      "permutation",
      [](std::uint64_t seed, std::uint32_t epoch, py::ssize_t count, std::uint32_t stream) {
        py::array_t<std::int64_t> order(count);
        std::int64_t* data = order.mutable_data();
        const py::gil_scoped_release release;
        shuffled_order(seed, stream, epoch, count, data);
        return order;
      },
      py::arg("seed"), py::arg("epoch"), py::arg("count"), py::arg("stream") = 0,
      "A new order of 0 .. count-1 for each epoch: Fisher-Yates over Philox4x32-10 keyed by (seed, epoch), "
      "and "
      "by a stream below 2^24 where there are several orders.");
  module.def(
      "order_draws",
      [](std::uint64_t seed, std::uint32_t epoch, py::ssize_t count, std::uint32_t stream) {
        py::array_t<std::uint64_t> draws(count);
        std::uint64_t* data = draws.mutable_data();
        const py::gil_scoped_release release;
        order_draws(seed, stream, epoch, count, data);
        return draws;
      },
      py::arg("seed"), py::arg("epoch"), py::arg("count"), py::arg("stream"),
      "64 random bits for each of 0 .. count-1, keyed as those of permutation.");
  module.def(
      "philox",
      [](std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
        const RandomBits bits =
            philox4x32_10({{counter[0], counter[1], counter[2], counter[3]}}, key[0], key[1]);
        return std::array<std::uint32_t, 4>{bits.word[0], bits.word[1], bits.word[2], bits.word[3]};
      },
      py::arg("counter"), py::arg("key"), "Four random words of Philox4x32-10.");
}

}  // namespace ravine::bindings
