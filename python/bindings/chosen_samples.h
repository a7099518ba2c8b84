// Samples of a data set on a network's device, in the place of arrays of rows.
#pragma once

#include <memory>
#include <optional>
#include <variant>

#include "bindings.h"
#include "network/resident_data.h"

namespace ravine::bindings {

struct ChosenSamples {
  std::shared_ptr<ResidentData> data;
  py::array_t<std::int64_t> indices;  // contiguous
  std::int64_t epoch;                 // negative: as an evaluation sees them

  std::int64_t rows() const { return indices.shape(0); }
  // Without the GIL: calls use(rows on the device).
  template <typename Use>
  auto with(const Network& network, const Use& use) const {
    if (&network != &data->network()) {
      throw Error(ErrorCode::invalid_state, "the samples lie with another network").at_key("inputs");
    }
    const std::int64_t* places = indices.data();
    const std::int64_t count = rows();
    const py::gil_scoped_release release;
    return data->with(places, count, epoch, use);
  }
};

using Given = std::variant<std::shared_ptr<ChosenSamples>, py::array>;

// Null where an array is given.
inline const ChosenSamples* chosen_of(const Given& given) {
  const auto* chosen = std::get_if<std::shared_ptr<ChosenSamples>>(&given);
  if (chosen == nullptr) return nullptr;
  if (*chosen == nullptr) throw py::type_error("inputs are None");
  return chosen->get();
}

// Rows of the last layer's output.
py::array new_output(const Network& network, std::int64_t rows);
py::array predict(Network& network, const Given& inputs);
Evaluation measure(Network& network, const Given& inputs, const std::optional<py::array>& targets,
                   const std::optional<py::array>& weights);
py::array_t<double> row_losses(Network& network, const Given& inputs, const std::optional<py::array>& targets,
                               const std::optional<py::array>& weights);

}  // namespace ravine::bindings
