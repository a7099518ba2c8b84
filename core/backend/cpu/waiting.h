// How a worker waits for others: it spins briefly, then lets others run, then sleeps, so that a busy machine
// slows training and does not stall it, and one that waits for long uses no processor.
#pragma once

#include <atomic>

namespace ravine::cpu {

// Something that happens again and again: each time the count changes.
class Event {
 public:
  unsigned count() const { return count_.load(std::memory_order_acquire); }
  // Returns once the count is no longer `seen`. To spin is of no use where those that are waited for need
  // this processor.
  void wait(unsigned seen, bool spin = true) const noexcept;
  void happen() noexcept {
    // Sequentially consistent: notify_all must not overtake the sum, or a sleeper could miss it.
    count_.fetch_add(1, std::memory_order_seq_cst);
    count_.notify_all();
  }

 private:
  std::atomic<unsigned> count_{0};
};

}  // namespace ravine::cpu
