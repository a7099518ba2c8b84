// Values travel through pinned memory of the host; what the other carriers do not carry goes this way too.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "backend/cuda/communicator.h"
#include "backend/cuda/queue.h"

namespace ravine::cuda {

class StagedCommunicator : public Communicator {
 public:
  StagedCommunicator(std::shared_ptr<Stream> stream, Communicator& host, Carrier carrier);

  int rank() const override { return host_.rank(); }
  int ranks() const override { return host_.ranks(); }
  void sum(void* values, std::int64_t count, DType dtype, Transport transport) noexcept override;
  void gather(const void* mine, void* all, const std::int64_t* bytes_of_ranks) noexcept override;
  void exchange(const void* sent, const std::int64_t* bytes_to_ranks, void* received,
                const std::int64_t* bytes_from_ranks) noexcept override;
  void broadcast(void* values, std::int64_t bytes, int root) noexcept override;

  // Of values on the device.
  void reserve(int slots) override;
  void start_sum(int slot, void* values, std::int64_t count, DType dtype,
                 Transport transport) noexcept override;
  bool progress(int slot) noexcept override;
  void wait(int slot) noexcept override;

  Communicator& lane(int number) override;
  bool sums_beside() const override { return true; }
  bool failed() const noexcept override { return stream_->failed(); }
  bool serves_threads() const override { return host_.serves_threads(); }
  void begin_exchange() noexcept override { host_.begin_exchange(); }
  void end_exchange() noexcept override { host_.end_exchange(); }

 protected:
  bool is_on_device(const void* values) const { return stream_->owns(values); }

  std::shared_ptr<Stream> stream_;
  Communicator& host_;

 private:
  using Pinned = PinnedArray<std::byte>;
  // A sum that was started: it comes to the host beside what is computed, is summed there, and goes back.
  struct Slot {
    explicit Slot(Stream& stream) : computed(stream), arrived(stream), back(stream) {}
    enum { over, coming, summed } stage = over;
    void* values = nullptr;
    std::int64_t count = 0;
    DType dtype = DType::float32;
    Transport transport = Transport::full;
    Pinned on_host;  // kept: slots sum the same slices again and again
    Event computed, arrived, back;
    std::size_t bytes() const { return static_cast<std::size_t>(count) * size_of(dtype); }
  };
  Slot& slot(int number) { return slots_[static_cast<std::size_t>(number)]; }
  // Sums what has come to the host, in the order of the starts, which is the same on all ranks; waits until
  // that slot has come.
  void sum_arrived(const Slot* awaited) noexcept;
  void send_back(Slot& slot) noexcept;
  // At least so many bytes of the host; null where there are none left, and then the stream has failed.
  std::byte* room(Pinned& memory, std::size_t bytes) noexcept;
  std::size_t sum_of(const std::int64_t* bytes_of_ranks) const;

  const Carrier carrier_;
  CopyQueue down_, up_;
  std::deque<Slot> slots_;
  std::vector<int> coming_;       // slots, in the order of their starts
  std::size_t first_coming_ = 0;  // of them, the first that is not summed yet
  Pinned sent_, received_;
  std::vector<std::unique_ptr<Communicator>> lanes_;
};

}  // namespace ravine::cuda
