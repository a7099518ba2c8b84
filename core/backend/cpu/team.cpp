#include "backend/cpu/team.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <memory>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace ravine::cpu {
namespace {

void pause() {
#if defined(__SSE__)
  _mm_pause();
#endif
}

// Where all workers of a team wait for each other. OpenMP's own barrier spins for long or sleeps at once;
// this one spins briefly, then lets others run, then sleeps, so that a busy machine slows training and does
// not stall it.
class Barrier {
 public:
  explicit Barrier(int team) : team_(team) {}

  void wait() {
    const unsigned round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == team_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      // Sequentially consistent: notify_all must not overtake the store, or a sleeper could miss it.
      round_.store(round + 1, std::memory_order_seq_cst);
      round_.notify_all();
      return;
    }
    constexpr int spins = 2000;  // some tens of microseconds: as long as most waits
    constexpr int yields = 50;
    for (int i = 0; i < spins; ++i) {
      if (round_.load(std::memory_order_acquire) != round) return;
      pause();
    }
    for (int i = 0; i < yields; ++i) {
      if (round_.load(std::memory_order_acquire) != round) return;
      sched_yield();
    }
    while (round_.load(std::memory_order_acquire) == round) round_.wait(round, std::memory_order_acquire);
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
  const int team_;
};

class TeamWorker final : public Worker {
 public:
  TeamWorker(int own_index, int team, Barrier& barrier) : barrier_(barrier) {
    index = own_index;
    count = team;
  }
  void barrier() override {
    if (count > 1) barrier_.wait();
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

// While a team takes all processors, each worker stays on its own: the system often puts two workers on one
// processor and leaves them there, which makes steps two to four times as long. A smaller team is left to the
// system.
class Places {
 public:
  explicit Places(int team) {
    CPU_ZERO(&before_);
    active_ = sched_getaffinity(0, sizeof(before_), &before_) == 0 && CPU_COUNT(&before_) == team;
  }

  // Called by each worker.
  void take(int index) const {
    if (!active_) return;
    int position = 0;
    for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
      if (!CPU_ISSET(processor, &before_) || position++ != index) continue;
      cpu_set_t own;
      CPU_ZERO(&own);
      CPU_SET(processor, &own);
      sched_setaffinity(0, sizeof(own), &own);
      return;
    }
  }

  void leave() const {
    if (active_) sched_setaffinity(0, sizeof(before_), &before_);
  }

 private:
  cpu_set_t before_;
  bool active_;
};

// OpenMP's workers do not survive a fork: a child process works alone, to the same bits.
bool is_forked_child = false;

bool can_fork_a_team() {
  static const bool registered = [] {
    pthread_atfork(nullptr, nullptr, [] { is_forked_child = true; });
    return true;
  }();
  return registered && !is_forked_child;
}

}  // namespace

void run_team(int threads, const std::function<void(Worker&)>& run) {
  if (threads == 1 || !can_fork_a_team()) {
    static Barrier alone(1);
    const FlushToZero flush;
    const LoneLibraries lone;
    TeamWorker worker(0, 1, alone);
    run(worker);
    return;
  }
  std::unique_ptr<Barrier> barrier;
  const Places places(threads);
#pragma omp parallel num_threads(threads)
  {
    places.take(omp_get_thread_num());
    // OpenMP may grant fewer workers than were asked for.
#pragma omp single
    barrier = std::make_unique<Barrier>(omp_get_num_threads());
    const FlushToZero flush;
    const LoneLibraries lone;
    TeamWorker worker(omp_get_thread_num(), omp_get_num_threads(), *barrier);
    run(worker);
    places.leave();
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
