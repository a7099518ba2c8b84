#include "backend/cpu/team.h"

#include <omp.h>
#include <sched.h>

#include <atomic>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "backend/cpu/waiting.h"
#include "backend/cpu/workers.h"

namespace ravine::cpu {
namespace {

// Where all workers of a team wait for each other.
class Barrier {
 public:
  explicit Barrier(bool spin) : spin_(spin) {}

  void wait(int team) {
    const unsigned round = round_.count();
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == team - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.happen();
      return;
    }
    round_.wait(round, spin_);
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) Event round_;
  const bool spin_;
};

class TeamWorker final : public Worker {
 public:
  TeamWorker(int own_index, int team, Barrier& barrier) : barrier_(barrier) {
    index = own_index;
    count = team;
  }
  void barrier() override {
    if (count > 1) barrier_.wait(count);
  }

 private:
  Barrier& barrier_;
};

// Libraries that would share their work among threads of their own (oneDNN's small products and reorders do)
// leave it to the worker that calls them, a lone one too.
class LoneLibraries {
 public:
  LoneLibraries() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~LoneLibraries() { omp_set_num_threads(before_); }
  LoneLibraries(const LoneLibraries&) = delete;
  LoneLibraries& operator=(const LoneLibraries&) = delete;

 private:
  int before_;
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

// Where the workers of a team run: where their caller may. While a team takes all of these processors, each
// worker stays on its own: the system often puts two workers on one processor and leaves them there, which
// makes steps two to four times as long. A smaller team is left to the system.
class Places {
 public:
  explicit Places(int team) : team_(team) {
    CPU_ZERO(&all_);
    if (team > 1 && sched_getaffinity(0, sizeof(all_), &all_) == 0) processors_ = CPU_COUNT(&all_);
  }

  // Whether each worker can have a processor.
  bool suffice() const { return processors_ == 0 || processors_ >= team_; }

  // Called by each worker.
  void take(int index) const {
    if (team_ == processors_) {
      cpu_set_t own;
      CPU_ZERO(&own);
      CPU_SET(processor_at(index), &own);
      sched_setaffinity(0, sizeof(own), &own);
    } else if (index > 0 && processors_ > 0) {  // it may have worked for another caller before
      sched_setaffinity(0, sizeof(all_), &all_);
    }
  }

  void leave() const {
    if (team_ == processors_) sched_setaffinity(0, sizeof(all_), &all_);
  }

 private:
  std::size_t processor_at(int index) const {
    std::size_t processor = 0;
    for (int before = 0; !CPU_ISSET(processor, &all_) || before++ != index; ++processor) continue;
    return processor;
  }

  const int team_;
  int processors_ = 0;  // 0: not known
  cpu_set_t all_;
};

}  // namespace

void run_team(int threads, const std::function<void(Worker&)>& run) {
  const Places places(threads);
  Barrier barrier(places.suffice());
  const auto work = [&](int index, int count) {
    const FlushToZero flush;
    const LoneLibraries lone;
    places.take(index);
    TeamWorker worker(index, count, barrier);
    run(worker);
    places.leave();
  };
  if (threads == 1) {
    work(0, 1);
  } else {
    run_on_workers(threads, std::ref(work));  // by reference: no allocation
  }
}

}  // namespace ravine::cpu
