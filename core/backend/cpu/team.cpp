#include "backend/cpu/team.h"

#include <omp.h>
#include <sched.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace ravine::cpu {
namespace {

class OpenMpWorker final : public Worker {
 public:
  OpenMpWorker(int own_index, int team) {
    index = own_index;
    count = team;
  }
  void barrier() override {
    if (count > 1) {
#pragma omp barrier
    }
  }
};

// Denormal numbers become zero while a worker computes; every worker alike, so that the number of threads
// does not change a bit.
class FlushToZero {
 public:
#if defined(__SSE__)
  FlushToZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040u); }
  ~FlushToZero() { _mm_setcsr(before_); }
  FlushToZero(const FlushToZero&) = delete;
  FlushToZero& operator=(const FlushToZero&) = delete;

 private:
  unsigned before_;
#endif
};

}  // namespace

void run_team(int threads, const std::function<void(Worker&)>& run) {
  if (threads == 1) {
    const FlushToZero flush;
    OpenMpWorker worker(0, 1);
    run(worker);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const FlushToZero flush;
    OpenMpWorker worker(omp_get_thread_num(), omp_get_num_threads());
    run(worker);
  }
}

}  // namespace ravine::cpu

namespace ravine {

int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    const int count = CPU_COUNT(&set);
    if (count > 0) return count;
  }
  return 1;
}

}  // namespace ravine
