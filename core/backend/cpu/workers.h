// Threads for a team. Two files define it: pool/ (threads of our own, which sleep when there is nothing to
// do) and openmp/ (those of OpenMP, in a build with RAVINE_WORKERS=OPENMP).
#pragma once

#include <functional>

namespace ravine::cpu {

// Calls run(index, count) on the calling thread, with index 0, and on count - 1 others; returns when all
// have. `count` is `wanted`, or less where the system grants no more threads.
void run_on_workers(int wanted, const std::function<void(int index, int count)>& run);

}  // namespace ravine::cpu
