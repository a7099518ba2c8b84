#include "network/ranks.h"

#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include "base/errors.h"

namespace ravine {

void on_all_ranks(Communicator& communicator, const std::function<void()>& run) {
  std::exception_ptr error;
  std::string text;
  try {
    run();
  } catch (const std::exception& thrown) {
    error = std::current_exception();
    text = thrown.what();
  } catch (...) {
    error = std::current_exception();
    text = "an error that has no text";
  }
  const auto ranks = static_cast<std::size_t>(communicator.ranks());
  const char failed = error ? 1 : 0;
  std::vector<char> all(ranks);
  communicator.gather(&failed, all.data(), std::vector<std::int64_t>(ranks, 1).data());
  const auto first = std::find(all.begin(), all.end(), 1);
  if (first == all.end()) return;
  const int rank = static_cast<int>(first - all.begin());
  char of_first[512] = {};
  text.copy(of_first, sizeof(of_first) - 1);
  communicator.broadcast(of_first, sizeof(of_first), rank);
  if (error) std::rethrow_exception(error);
  throw Error(ErrorCode::invalid_state, "rank " + std::to_string(rank) + ": " + of_first);
}

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
