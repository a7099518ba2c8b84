#include "backend/cpu/waiting.h"

#include <sched.h>

#include <algorithm>
#include <chrono>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace ravine::cpu {
namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

// Most waits within a step are shorter. A worker that sleeps loses its processor to other load for a whole
// turn of the scheduler, which costs more than to spin; spinning for longer takes the time of other trainers.
constexpr Microseconds spinning{200};
constexpr Microseconds yielding{50};

void pause() {
#if defined(__SSE__)
  _mm_pause();
#endif
}

// Counted instead of timed: a clock is a system call on some machines. The least of some probes, because
// others may take the processor meanwhile.
int count_spins() {
  constexpr int pauses = 200;
  double least = 1e9;
  for (int probe = 0; probe < 5; ++probe) {
    const auto start = Clock::now();
    for (int i = 0; i < pauses; ++i) pause();
    least = std::min(least, Microseconds(Clock::now() - start).count());
  }
  return static_cast<int>(std::clamp(spinning.count() / least * pauses, 100.0, 1e6));
}

}  // namespace

void Event::wait(unsigned seen, bool spin) const noexcept {
  static const int spins = count_spins();
  for (int i = 0; spin && i < spins; ++i) {
    if (count() != seen) return;
    pause();
  }
  const auto start = Clock::now();
  do {
    if (count() != seen) return;
    sched_yield();
  } while (Clock::now() - start < yielding);
  while (count() == seen) count_.wait(seen, std::memory_order_acquire);
}

}  // namespace ravine::cpu
