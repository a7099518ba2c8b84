// A team of workers: one fork for as many steps as the caller wants.
#pragma once

#include <functional>

#include "backend/backend.h"

namespace ravine::cpu {

void run_team(int threads, const std::function<void(Worker&)>& run);

// The share of `tiles` that a worker takes: contiguous, and the same for every run.
struct TileRange {
  int begin;
  int end;
};
inline TileRange share_of(int tiles, const Worker& worker) {
  return {static_cast<int>(static_cast<std::int64_t>(tiles) * worker.index / worker.count),
          static_cast<int>(static_cast<std::int64_t>(tiles) * (worker.index + 1) / worker.count)};
}

}  // namespace ravine::cpu
