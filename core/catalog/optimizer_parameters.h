// Settings that several optimizers have.
#pragma once

#include "catalog/catalog.h"

namespace ravine::catalog {

inline Parameter learning_rate(double value, std::string help = "step size eta") {
  return {.name = "learning_rate",
          .default_value = value,
          .range = {.low = 0},
          .help = std::move(help),
          .reason = "a negative rate climbs"};
}

inline Parameter fraction(std::string name, double value, std::string help) {
  return {.name = std::move(name),
          .default_value = value,
          .range = {.low = 0, .high = 1, .high_included = false},
          .help = std::move(help),
          .reason = "at 1 the running average takes in nothing new"};
}

inline Parameter momentum() {
  return {.name = "momentum",
          .default_value = 0.9,
          .range = {.low = 0, .high = 1, .high_included = false},
          .help = "share gamma of the last step that is kept; L1 lets it grow from 0.5 to 0.9",
          .reason = "at 1 no step is ever forgotten and their sum grows without bound"};
}

inline Parameter positive(std::string name, double value, std::string help) {
  return {.name = std::move(name),
          .default_value = value,
          .range = {.low = 0, .low_included = false},
          .help = std::move(help)};
}

inline Parameter epsilon(double value) { return positive("epsilon", value, "keeps the division finite"); }

inline Parameter epsilon_position(const char* value, std::string help) {
  return {.name = "epsilon_position",
          .type = Type::choice,
          .default_value = std::string(value),
          .choices = {"inside", "outside"},
          .help = std::move(help)};
}

inline Parameter correction(std::vector<std::string> choices, std::string help) {
  return {.name = "correction",
          .type = Type::choice,
          .default_value = std::string("standard"),
          .choices = std::move(choices),
          .help = std::move(help)};
}

inline Parameter beta1(double value = 0.9) { return fraction("beta1", value, "decay of the first moment m"); }
inline Parameter beta2(double value = 0.999) {
  return fraction("beta2", value, "decay of the second moment v");
}

// For the gradient of all samples: the trainer warns when batches are smaller.
inline Entry of_full_batch(Entry entry) {
  entry.full_batch = true;
  return entry;
}

}  // namespace ravine::catalog
