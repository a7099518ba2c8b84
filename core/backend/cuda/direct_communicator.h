// An MPI that knows of CUDA is given addresses on the device.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "backend/cuda/staged_communicator.h"

namespace ravine::cuda {

// Sums that go on beside other work are made by a thread of their own, by calls that block: Open MPI serves
// no others with memory of a device. Where an MPI may be called by one thread alone, they wait to be waited
// for.
class DirectCommunicator final : public StagedCommunicator {
 public:
  DirectCommunicator(std::shared_ptr<Stream> stream, Communicator& host);
  ~DirectCommunicator() override;
  DirectCommunicator(const DirectCommunicator&) = delete;
  DirectCommunicator& operator=(const DirectCommunicator&) = delete;

  void sum(void* values, std::int64_t count, DType dtype, Transport transport) noexcept override;
  void gather(const void* mine, void* all, const std::int64_t* bytes_of_ranks) noexcept override;
  void exchange(const void* sent, const std::int64_t* bytes_to_ranks, void* received,
                const std::int64_t* bytes_from_ranks) noexcept override;
  void broadcast(void* values, std::int64_t bytes, int root) noexcept override;

  void reserve(int slots) override;
  void start_sum(int slot, void* values, std::int64_t count, DType dtype,
                 Transport transport) noexcept override;
  bool progress(int slot) noexcept override;
  void wait(int slot) noexcept override;

 private:
  struct Slot {
    explicit Slot(Stream& stream) : computed(stream) {}
    void* values = nullptr;
    std::int64_t count = 0;
    DType dtype = DType::float32;
    Transport transport = Transport::full;
    Event computed;
    bool over = true;
  };
  Slot& slot(int number) { return slots_[static_cast<std::size_t>(number)]; }
  void sum_slot(Slot& slot) noexcept;
  void serve() noexcept;

  std::deque<Slot> slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> started_;  // slots, in their order
  std::size_t next_ = 0;      // of them
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace ravine::cuda
