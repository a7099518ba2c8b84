// How kernels run. A kernel is written once, as a function object; nvcc makes it device code, and the host
// compiler, for the twin that tests run, loops over the same indices.
//
// for_each: kernel(i) for every i below a count, in no order; none reads what another writes.
// for_blocks: kernel(block, shared) for every block, in no order; within, block.each(f) is a phase: f(thread)
// for every thread of the block, all of which have ended before the next phase begins. What lives from phase
// to phase lies in `shared`, of the kernel's type Shared, which is not initialized. Which phases there are
// must not depend on the thread.
#pragma once

#include <cstdint>
#include <cstring>

#include "backend/cuda/stream.h"
#include "base/host_device.h"

namespace ravine::cuda {

inline constexpr int block_threads = 256;

struct Block {
  std::int64_t index;

  template <typename Phase>
  RAVINE_HOST_DEVICE void each(const Phase& phase) const {
#if defined(__CUDA_ARCH__)
    phase(static_cast<int>(threadIdx.x));
    __syncthreads();
#elif !defined(__CUDACC__)
    for (int i = 0; i < block_threads; ++i) phase(twin::in_order(i, block_threads));
#endif
  }
};

#if defined(__CUDACC__)

template <typename Kernel>
__global__ void __launch_bounds__(block_threads) run_each(const Kernel kernel, std::int64_t count) {
  const auto stride = static_cast<std::int64_t>(gridDim.x) * block_threads;
  for (auto i = static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x; i < count; i += stride) {
    kernel(i);
  }
}

template <typename Kernel>
__global__ void __launch_bounds__(block_threads) run_blocks(const Kernel kernel) {
  __shared__ typename Kernel::Shared shared;
  kernel(Block{static_cast<std::int64_t>(blockIdx.x)}, shared);
}

template <typename Kernel>
void for_each(Stream& stream, std::int64_t count, const Kernel& kernel) noexcept {
  if (count == 0 || stream.failed()) return;
  const std::int64_t blocks = (count + block_threads - 1) / block_threads;
  const auto grid = static_cast<unsigned>(blocks < stream.most_blocks() ? blocks : stream.most_blocks());
  run_each<<<grid, block_threads, 0, static_cast<cudaStream_t>(stream.handle())>>>(kernel, count);
  stream.check_launch();
}

template <typename Kernel>
void for_blocks(Stream& stream, std::int64_t blocks, const Kernel& kernel) noexcept {
  if (blocks == 0 || stream.failed()) return;
  run_blocks<<<static_cast<unsigned>(blocks), block_threads, 0, static_cast<cudaStream_t>(stream.handle())>>>(
      kernel);
  stream.check_launch();
}

#else

template <typename Kernel>
void for_each(Stream& stream, std::int64_t count, const Kernel& kernel) noexcept {
  if (count == 0 || stream.failed()) return;
  const twin::Access access(stream);
  for (std::int64_t i = 0; i < count; ++i) kernel(twin::in_order(i, count));
}

template <typename Kernel>
void for_blocks(Stream& stream, std::int64_t blocks, const Kernel& kernel) noexcept {
  if (blocks == 0 || stream.failed()) return;
  const twin::Access access(stream);
  typename Kernel::Shared shared;
  for (std::int64_t i = 0; i < blocks; ++i) {
    std::memset(static_cast<void*>(&shared), 0xFF,
                sizeof(shared));  // NaN: what is read must have been written
    kernel(Block{twin::in_order(i, blocks)}, shared);
  }
}

#endif

// Combines values[t], values[t + 1], ... of each group of `lanes` threads, a power of two, in values[t],
// where t is the group's first; always in the same order.
template <typename Value, typename Combine>
RAVINE_HOST_DEVICE void reduce(const Block& block, Value* values, int lanes, const Combine& combine) {
  for (int half = lanes / 2; half > 0; half /= 2) {
    block.each([&](int thread) {
      if (thread % lanes < half) values[thread] = combine(values[thread], values[thread + half]);
    });
  }
}

struct Sum {
  template <typename Value>
  RAVINE_HOST_DEVICE Value operator()(Value a, Value b) const {
    return a + b;
  }
};

// Whether this is the last of a kernel's blocks to come here: for it, what the others have written before is
// there. A phase; `arrived`, on the device, is 0 before and after, and `is_last` shared by the block.
RAVINE_HOST_DEVICE bool is_last_block(const Block& block, std::int64_t blocks, std::uint32_t* arrived,
                                      std::int32_t& is_last) {
  block.each([&](int thread) {
    if (thread > 0) return;
#if defined(__CUDA_ARCH__)
    __threadfence();
    is_last = atomicAdd(arrived, 1u) + 1 == blocks ? 1 : 0;
    if (is_last != 0) *arrived = 0;
    __threadfence();
#else
    *arrived += 1;
    is_last = *arrived == blocks ? 1 : 0;
    if (is_last != 0) *arrived = 0;
#endif
  });
  return is_last != 0;
}

// So many threads sum the parts of a whole, each every so manyth, wherever that is done: a few, so that a
// block can take several wholes, or all threads of it where there are many parts.
inline constexpr int sum_lanes = 32;
inline constexpr std::int64_t many_parts = 512;

// The sum of some numbers; one block.
struct SumAll {
  const double* values;
  std::int64_t count;
  double* result;

  struct Shared {
    double sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      const int lanes = count > many_parts ? block_threads : sum_lanes;
      double sum = 0;
      for (std::int64_t i = thread; thread < lanes && i < count; i += lanes) sum += values[i];
      shared.sums[thread] = sum;
    });
    reduce(block, shared.sums, count > many_parts ? block_threads : sum_lanes, Sum{});
    block.each([&](int thread) {
      if (thread == 0) *result = shared.sums[0];
    });
  }
};

// What is left of i by columns; most numbers fit 32 bits, whose division is several times as fast.
RAVINE_HOST_DEVICE std::int64_t column_of(std::int64_t i, std::int64_t columns) {
  if (i <= 0xFFFFFFFFll) return static_cast<std::uint32_t>(i) % static_cast<std::uint32_t>(columns);
  return i % columns;
}

}  // namespace ravine::cuda
