// Threads of OpenMP.
#include "backend/cpu/workers.h"

#include <omp.h>
#include <pthread.h>

namespace ravine::cpu {
namespace {

// OpenMP's threads do not survive a fork: a child process works alone, to the same bits.
bool is_forked_child = false;

bool can_fork_a_team() {
  static const bool registered = [] {
    pthread_atfork(nullptr, nullptr, [] { is_forked_child = true; });
    return true;
  }();
  return registered && !is_forked_child;
}

}  // namespace

void run_on_workers(int wanted, const std::function<void(int index, int count)>& run) {
  if (!can_fork_a_team()) {
    run(0, 1);
    return;
  }
#pragma omp parallel num_threads(wanted)
  run(omp_get_thread_num(), omp_get_num_threads());
}

}  // namespace ravine::cpu
