#include "network/gradient_exchange.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>

namespace ravine {
namespace {

// Between two looks at what is on its way: short beside a bucket, long beside a look.
constexpr std::chrono::microseconds pause_of_thread{100};

// What is complete at once is summed in pieces that stay in the cache.
constexpr std::int64_t bytes_of_piece = 4 << 20;

constexpr std::int64_t elements_of_line = 16;

// MPI counts in int.
constexpr std::int64_t most_elements = std::int64_t{1} << 30;

}  // namespace

GradientExchange::GradientExchange(Communicator& communicator, const Ranks& ranks, DType dtype,
                                   void* gradients, std::int64_t elements)
    : communicator_(communicator),
      transport_(ranks.transport),
      overlap_(ranks.overlap),
      starts_all_(communicator.sums_beside()),
      dtype_(dtype),
      gradients_(static_cast<std::byte*>(gradients)) {
  const auto element = static_cast<std::int64_t>(size_of(dtype));
  const std::int64_t size = std::clamp(ranks.bucket_bytes / element / elements_of_line * elements_of_line,
                                       elements_of_line, most_elements);
  for (std::int64_t end = elements; end > 0; end -= size) {
    buckets_.push_back({std::max<std::int64_t>(0, end - size), end});
  }
  if (!starts_all_ && (!overlap_ || buckets_.size() < 2)) return;
  communicator.reserve(static_cast<int>(buckets_.size()));
  if (!overlap_ || buckets_.size() < 2) return;
  // Signals are for the threads of the application.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

GradientExchange::~GradientExchange() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void* GradientExchange::at(std::size_t bucket) const {
  return gradients_ + buckets_[bucket].begin * static_cast<std::int64_t>(size_of(dtype_));
}

void GradientExchange::begin() noexcept {
  next_ = 0;
  on_the_way_ = over_ = 0;
}

void GradientExchange::start(std::size_t bucket) noexcept {
  if (!overlap_ || is_last(bucket)) return;
  {
    const std::lock_guard lock(mutex_);
    if (bucket == 0) started_ = Clock::now();
    start_sum(bucket);
    on_the_way_ = next_ = bucket + 1;
    if (pushes_) return;
    pushes_ = true;
  }
  changed_.notify_all();
}

void GradientExchange::start_sum(std::size_t bucket) noexcept {
  communicator_.start_sum(static_cast<int>(bucket), at(bucket), count(bucket), dtype_, transport_);
}

void GradientExchange::sum_now(std::size_t bucket) noexcept {
  const auto element = static_cast<std::int64_t>(size_of(dtype_));
  const std::int64_t piece = bytes_of_piece / element;
  for (std::int64_t done = 0; done < count(bucket); done += piece) {
    communicator_.sum(static_cast<std::byte*>(at(bucket)) + done * element,
                      std::min(piece, count(bucket) - done), dtype_, transport_);
  }
}

void GradientExchange::finish() noexcept {
  const auto now = Clock::now();
  if (next_ == 0) started_ = now;
  {
    const std::lock_guard lock(mutex_);
    pushes_ = false;  // the caller does it itself
    for (; starts_all_ && next_ < buckets_.size(); on_the_way_ = ++next_) start_sum(next_);
    // Those that are over too: what is computed on a device may have to be told.
    for (over_ = 0; over_ < on_the_way_; ++over_) communicator_.wait(static_cast<int>(over_));
  }
  for (; next_ < buckets_.size(); ++next_) sum_now(next_);
  seconds_of_finish_ = seconds_since(now);
  seconds_ = seconds_since(started_);
}

void GradientExchange::serve() noexcept {
  pthread_setname_np(pthread_self(), "ravine sums");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return pushes_ || ends_; });
    if (ends_) return;
    while (pushes_ && !ends_) {
      // In their order: later ones are pushed by the same calls.
      while (over_ < on_the_way_ && communicator_.progress(static_cast<int>(over_))) ++over_;
      if (over_ == on_the_way_) {
        pushes_ = false;
        break;
      }
      lock.unlock();
      std::this_thread::sleep_for(pause_of_thread);
      lock.lock();
    }
  }
}

}  // namespace ravine
