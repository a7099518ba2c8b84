// Time that passes, for choices and budgets; no result depends on it.
#pragma once

#include <chrono>

namespace ravine {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace ravine
