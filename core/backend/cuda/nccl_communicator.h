// Values travel from card to card by NCCL, on a stream beside that of kernels.
#pragma once

#include <deque>

#include "backend/cuda/nccl.h"
#include "backend/cuda/staged_communicator.h"

namespace ravine::cuda {

// Sums, gathers and broadcasts; what is exchanged piece by piece goes through the host. The host waits for
// each call to be over, and asks NCCL meanwhile whether it has failed: then the stream fails. A rank that
// does not come is noticed as in calls of MPI, among which these are counted.
class NcclCommunicator final : public StagedCommunicator {
 public:
  NcclCommunicator(std::shared_ptr<Stream> stream, Communicator& host);

  void connect() override;
  void sum(void* values, std::int64_t count, DType dtype, Transport transport) noexcept override;
  void gather(const void* mine, void* all, const std::int64_t* bytes_of_ranks) noexcept override;
  void broadcast(void* values, std::int64_t bytes, int root) noexcept override;

  void reserve(int slots) override;
  void start_sum(int slot, void* values, std::int64_t count, DType dtype,
                 Transport transport) noexcept override;
  bool progress(int slot) noexcept override;
  void wait(int slot) noexcept override;

 private:
  // Something that NCCL was asked for.
  struct Slot {
    explicit Slot(Stream& stream) : computed(stream), done(stream) {}
    bool started = false;
    float* widened = nullptr;  // where a rounded sum goes; null where nothing is rounded
    std::int64_t count = 0;
    Array<std::uint16_t> rounded;
    Event computed, done;
  };
  Slot& slot(int number) { return slots_[static_cast<std::size_t>(number)]; }
  // What networks trained one after the other share; `ranks` is null once it was aborted.
  struct Connection {
    nccl::Handle ranks;
    int device;
  };
  bool is_connected() noexcept;
  void start(Slot& slot, void* values, std::int64_t count, DType dtype, Transport transport) noexcept;
  void begin(Slot& slot) noexcept;
  void end(Slot& slot) noexcept;
  void finish(Slot& slot) noexcept;
  // Ends what NCCL still runs on the card, which would wait for the other ranks for ever, and with it all
  // that waits for the card.
  void abort() noexcept;
  // False where the stream has failed.
  bool check(nccl::Status status) noexcept;
  std::string text_of(nccl::Status status) const;

  const nccl::Functions& nccl_;
  nccl::Handle ranks_of_nccl_ = nullptr;
  std::shared_ptr<Connection> connection_;
  CopyQueue side_;
  std::deque<Slot> slots_;
  Slot blocking_;  // of calls that are over when they return
};

}  // namespace ravine::cuda
