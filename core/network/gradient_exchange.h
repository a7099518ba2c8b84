// Sums the gradients of all ranks, in slices of the flat buffer that start as soon as they are complete, the
// last layers' first.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "network/ranks.h"

namespace ravine {

// By one worker: begin, start for each bucket in order, finish. All buckets but the last sum while the caller
// does other work, where that is wanted; the last one, which is complete when the backward pass is over, in
// finish. A thread of its own pushes what is on its way: an MPI does little while nobody calls it. It sleeps
// in between and leaves the processor to the workers.
class GradientExchange {
 public:
  GradientExchange(Communicator& communicator, const Ranks& ranks, DType dtype, void* gradients,
                   std::int64_t elements);
  ~GradientExchange();
  GradientExchange(const GradientExchange&) = delete;
  GradientExchange& operator=(const GradientExchange&) = delete;

  struct Bucket {
    std::int64_t begin;  // in elements
    std::int64_t end;
  };
  const std::vector<Bucket>& buckets() const { return buckets_; }

  void begin() noexcept;
  void start(std::size_t bucket) noexcept;
  void finish() noexcept;

  // Of the last exchange: while any sum was on its way, and the part of it within finish.
  double seconds() const { return seconds_; }
  double seconds_of_finish() const { return seconds_of_finish_; }

 private:
  void* at(std::size_t bucket) const;
  std::int64_t count(std::size_t bucket) const { return buckets_[bucket].end - buckets_[bucket].begin; }
  bool is_last(std::size_t bucket) const { return bucket + 1 == buckets_.size(); }
  void start_sum(std::size_t bucket) noexcept;
  void sum_now(std::size_t bucket) noexcept;
  void serve() noexcept;

  Communicator& communicator_;
  const Transport transport_;
  const bool overlap_;
  const bool starts_all_;
  const DType dtype_;
  std::byte* const gradients_;
  std::vector<Bucket> buckets_;
  std::size_t next_ = 0;  // to be started
  Clock::time_point started_;
  double seconds_ = 0;
  double seconds_of_finish_ = 0;

  // Shared with the thread.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t on_the_way_ = 0;  // buckets that were started
  std::size_t over_ = 0;        // of them, from the first
  bool pushes_ = false;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace ravine
