#include "backend/cuda/direct_communicator.h"

#include <pthread.h>
#include <signal.h>

namespace ravine::cuda {

DirectCommunicator::DirectCommunicator(std::shared_ptr<Stream> stream, Communicator& host)
    : StagedCommunicator(std::move(stream), host, Carrier::cuda_mpi) {}

DirectCommunicator::~DirectCommunicator() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void DirectCommunicator::sum(void* values, std::int64_t count, DType dtype, Transport transport) noexcept {
  if (is_on_device(values)) stream_->synchronize();
  const twin::Access access(*stream_);
  host_.sum(values, count, dtype, transport);
}

void DirectCommunicator::gather(const void* mine, void* all, const std::int64_t* bytes_of_ranks) noexcept {
  if (is_on_device(all)) stream_->synchronize();
  const twin::Access access(*stream_);
  host_.gather(mine, all, bytes_of_ranks);
}

void DirectCommunicator::exchange(const void* sent, const std::int64_t* bytes_to_ranks, void* received,
                                  const std::int64_t* bytes_from_ranks) noexcept {
  if (is_on_device(received)) stream_->synchronize();
  const twin::Access access(*stream_);
  host_.exchange(sent, bytes_to_ranks, received, bytes_from_ranks);
}

void DirectCommunicator::broadcast(void* values, std::int64_t bytes, int root) noexcept {
  if (is_on_device(values)) stream_->synchronize();
  const twin::Access access(*stream_);
  host_.broadcast(values, bytes, root);
}

void DirectCommunicator::reserve(int slots) {
  while (slots_.size() < static_cast<std::size_t>(slots)) slots_.emplace_back(*stream_);
  started_.reserve(static_cast<std::size_t>(slots));
  if (!host_.serves_threads() || thread_.joinable()) return;
  // Signals are for the threads of the application.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void DirectCommunicator::start_sum(int number, void* values, std::int64_t count, DType dtype,
                                   Transport transport) noexcept {
  {
    const std::lock_guard lock(mutex_);
    Slot& started = slot(number);
    started.values = values;
    started.count = count;
    started.dtype = dtype;
    started.transport = transport;
    started.over = false;
    started.computed.record();
    started_.push_back(number);
  }
  changed_.notify_all();
}

void DirectCommunicator::sum_slot(Slot& started) noexcept {
  started.computed.wait_on_host();
  stream_->activate();  // an MPI may look for the device of the thread that calls it
  const twin::Access access(*stream_);
  host_.sum(started.values, started.count, started.dtype, started.transport);
}

bool DirectCommunicator::progress(int number) noexcept {
  const std::lock_guard lock(mutex_);
  return slot(number).over;
}

void DirectCommunicator::wait(int number) noexcept {
  std::unique_lock lock(mutex_);
  Slot& asked = slot(number);
  if (thread_.joinable()) {
    changed_.wait(lock, [&] { return asked.over; });
    return;
  }
  while (!asked.over) {
    Slot& next = slot(started_[next_]);
    sum_slot(next);
    next.over = true;
    if (++next_ < started_.size()) continue;
    started_.clear();
    next_ = 0;
  }
}

void DirectCommunicator::serve() noexcept {
  pthread_setname_np(pthread_self(), "ravine sums");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return next_ < started_.size() || ends_; });
    if (ends_) return;
    Slot& next = slot(started_[next_]);
    lock.unlock();
    sum_slot(next);
    lock.lock();
    next.over = true;
    if (++next_ == started_.size()) {
      started_.clear();
      next_ = 0;
    }
    changed_.notify_all();
  }
}

}  // namespace ravine::cuda
