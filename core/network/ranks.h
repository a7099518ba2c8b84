// The ranks that train one network together, and how.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "communication/communicator.h"

namespace ravine {

struct Ranks {
  // Ranks that have the same parameters and rows of their own; nullptr: this one is alone.
  std::shared_ptr<Communicator> data = nullptr;
  // Ranks that hold parts of the same layers; nullptr: this one holds all.
  std::shared_ptr<Communicator> model = nullptr;
  // Batch normalization takes its moments over the rows of all ranks, not of its own alone.
  bool synchronized_normalization = false;
  // Gradients are summed in slices of so many bytes, the last layers' first.
  std::int64_t bucket_bytes = std::int64_t{25} << 20;
  Transport transport = Transport::full;
  // What carries values that lie on a GPU.
  Carrier carrier = Carrier::host;
  // Slices that are ready are summed while the backward pass goes on.
  bool overlap = true;
  // The global batch is computed in so many parts, whose sums are formed in their order, so that the number
  // of ranks, at most as many, changes no bit. 0: each rank's rows are one part.
  int deterministic_parts = 0;
  // Steps that each rank makes alone before parameters are averaged; 1: gradients are summed in every step.
  // Above that, what is recorded of a step is of this rank's rows, ranks have the same parameters after steps
  // whose number is a multiple of this alone, and trouble on one rank is heard of then, or in the end.
  std::int64_t average_every = 1;

  // The layers whose units the ranks of the model group split; nullopt: those with enough units.
  std::optional<std::vector<std::string>> split = std::nullopt;

  // Whether steps are made together: with others, or in parts as with others.
  bool work_together() const { return count() > 1 || deterministic_parts > 0; }
  int rank() const { return data == nullptr ? 0 : data->rank(); }
  int count() const { return data == nullptr ? 1 : data->ranks(); }
};

// Calls what may throw; where it has on any rank, throws on all, with that rank's name on the others.
void on_all_ranks(Communicator& communicator, const std::function<void()>& run);

// Consecutive rows.
struct Rows {
  std::int64_t first;
  std::int64_t count;
};

// The rows of a global batch that a rank takes: as even as can be, whole parts where there are parts.
Rows rows_of_rank(std::int64_t global_batch, int rank, int ranks, int deterministic_parts);

// The same of a part, among `parts`: all but the last ones have as many rows.
Rows rows_of_part(std::int64_t global_batch, int part, int parts);

}  // namespace ravine
