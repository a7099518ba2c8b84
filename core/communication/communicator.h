// What a group of ranks can do together. A rank is a process (MPI) or, in tests, a thread.
#pragma once

#include <cstdint>
#include <memory>

#include "base/dtype.h"

namespace ravine {

// How values travel in a sum: as they are, or float32 rounded to bfloat16, half of the bytes. Then each
// addition is one of float32 numbers whose result is rounded to bfloat16 (to the nearest, ties to even).
enum class Transport { full, bfloat16 };

// What carries values that lie on a device: the ranks' own calls, with copies in memory of the host; the same
// calls given addresses on the device, where an MPI knows of CUDA; or NCCL.
enum class Carrier { host, cuda_mpi, nccl };

// Every call is collective: all ranks of the group make it, in the same order, by one thread at a time.
// progress and wait are about the caller's own sums, and may be called by another thread than started them. A
// failure of the transport ends the whole job: no rank could go on, and none may wait for ever.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int ranks() const = 0;

  // values += those of all other ranks; float32, float64. The same bits on every rank.
  virtual void sum(void* values, std::int64_t count, DType dtype,
                   Transport transport = Transport::full) noexcept = 0;
  // All ranks' bytes, one rank's behind the other, in order of rank.
  virtual void gather(const void* mine, void* all, const std::int64_t* bytes_of_ranks) noexcept = 0;
  // `sent` holds a piece for each rank, in order of rank; `received` one from each.
  virtual void exchange(const void* sent, const std::int64_t* bytes_to_ranks, void* received,
                        const std::int64_t* bytes_from_ranks) noexcept = 0;
  virtual void broadcast(void* values, std::int64_t bytes, int root) noexcept = 0;

  // Sums that go on while the caller does other work. `slot` is the caller's number of it, below those that
  // are reserved; a slot is free again once its sum is over. reserve is no collective call.
  virtual void reserve(int slots) = 0;
  virtual void start_sum(int slot, void* values, std::int64_t count, DType dtype,
                         Transport transport) noexcept = 0;
  virtual bool progress(int slot) noexcept = 0;  // true: the sum is over
  virtual void wait(int slot) noexcept = 0;

  // The same ranks, apart: the calls of a lane need not come in the same order beside those of this one or of
  // another lane. Made by the first call with its number (from 0), which all ranks make; lives as long as
  // this.
  virtual Communicator& lane(int number) = 0;

  // Makes what the first sum would have to; collective. Throws where that fails.
  virtual void connect() {}
  // Whether sums that were started go on by themselves, so that all of them may be on their way at once.
  virtual bool sums_beside() const { return false; }
  // Whether values that lie on a device are no longer exchanged, for something has failed on this rank.
  virtual bool failed() const noexcept { return false; }
  // Whether two threads may make calls at once, on different lanes.
  virtual bool serves_threads() const { return true; }
  // Around what the ranks do together by other means: counted as calls are.
  virtual void begin_exchange() noexcept {}
  virtual void end_exchange() noexcept {}
  // What others keep as long as this lives.
  std::shared_ptr<void> kept;
};

// bfloat16 numbers to and from float32; `count` of each.
void round_to_bfloat16(const float* values, std::uint16_t* rounded, std::int64_t count) noexcept;
void widen_bfloat16(const std::uint16_t* rounded, float* values, std::int64_t count) noexcept;
// sums[i] = bfloat16(float32(sums[i]) + float32(values[i])).
void add_bfloat16(const std::uint16_t* values, std::uint16_t* sums, std::int64_t count) noexcept;

}  // namespace ravine
