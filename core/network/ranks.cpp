#include "network/ranks.h"

#include <algorithm>

namespace ravine {

Rows rows_of_part(std::int64_t global_batch, int part, int parts) {
  const std::int64_t rows = (global_batch + parts - 1) / parts;
  const std::int64_t first = std::min(global_batch, rows * part);
  return {first, std::min(rows, global_batch - first)};
}

Rows rows_of_rank(std::int64_t global_batch, int rank, int ranks, int deterministic_parts) {
  // Rounded up: where there are fewer rows than ranks, the first ranks have them.
  const auto share = [&](std::int64_t all, int before) { return (all * before + ranks - 1) / ranks; };
  const auto first_of = [&](int of) {
    if (deterministic_parts <= 0) return share(global_batch, of);
    return rows_of_part(global_batch, static_cast<int>(share(deterministic_parts, of)), deterministic_parts)
        .first;
  };
  return {first_of(rank), first_of(rank + 1) - first_of(rank)};
}

}  // namespace ravine
