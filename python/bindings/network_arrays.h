// Arrays for a network, checked: their data, or an error with the name of the argument.
#pragma once

#include <optional>
#include <utility>

#include "bindings.h"
#include "network/network.h"

namespace ravine::bindings {

const void* checked_inputs(const Network& network, const py::array& inputs, std::int64_t* rows);
// Of `expected` rows; of any number where that is negative.
const void* checked_targets(const Network& network, const py::array& targets, std::int64_t expected);
// Null where there are none.
const void* checked_weights(const Network& network, const std::optional<py::array>& weights,
                            std::int64_t expected);

// Second labels, and the shares of the first ones.
using MixtureArrays = std::pair<py::array, py::array>;
Mixture checked_mixture(const Network& network, const std::optional<MixtureArrays>& mixture,
                        std::int64_t expected);

}  // namespace ravine::bindings
