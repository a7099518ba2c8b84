// The stream of a GPU.
#include "backend/cuda/stream.h"

#include <cuda_runtime.h>

#include <algorithm>

#include "backend/cuda/cards.h"
#include "base/errors.h"

namespace ravine::cuda {
namespace {

void check(Stream& stream, cudaError_t status) noexcept {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // it is told here, and is no failure of a kernel of another stream
  stream.fail(cudaGetErrorString(status));
}

cudaStream_t stream_of(const Stream& stream) { return static_cast<cudaStream_t>(stream.handle()); }

}  // namespace

Stream::Stream(int device) : device_(device) {
  require_card(device);
  cudaStream_t stream = nullptr;
  int processors = 0;
  cudaError_t status = cudaSetDevice(device);  // may fail, and leave the thread at another one
  if (status == cudaSuccess) {
    status = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  }
  if (status == cudaSuccess) status = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (status != cudaSuccess) {
    cudaGetLastError();  // it is told here, and is no failure of a kernel
    throw Error(ErrorCode::device_unavailable,
                "cuda:" + std::to_string(device) + " cannot be used: " + cudaGetErrorString(status))
        .at_key("device");
  }
  handle_ = stream;
  most_blocks_ = 16 * std::int64_t{processors};  // twice as many as run at once
  context_ = static_cast<DeviceContext*>(allocate(sizeof(DeviceContext)));
}

Stream::~Stream() {
  activate();
  cudaStreamSynchronize(stream_of(*this));
  for (const auto& [address, region] : regions_) cudaFree(region.mapped);
  cudaStreamDestroy(stream_of(*this));
}

void* Stream::allocate(std::size_t bytes) {
  activate();
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, std::max<std::size_t>(bytes, 256));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is told here, and is no failure of a kernel
    throw out_of_memory(bytes);
  }
  if (status != cudaSuccess) {
    check(*this, status);  // that of a kernel before, for one
    rethrow();
  }
  {
    // Not part of a graph; and over before a queue of copies, which waits for no stream, writes there.
    const auto captures_nothing = undisturbed();
    check(*this, cudaMemsetAsync(data, 0, bytes, stream_of(*this)));
    synchronize();
  }
  const std::lock_guard lock(regions_mutex_);
  regions_[reinterpret_cast<std::uintptr_t>(data)] = {bytes, data, bytes};
  return data;
}

void Stream::release(void* data) noexcept {
  activate();
  {
    // Before another thread may be given the same address.
    const std::lock_guard lock(regions_mutex_);
    regions_.erase(reinterpret_cast<std::uintptr_t>(data));
  }
  cudaFree(data);
}

DeviceMemory Stream::memory() const {
  // Allocations are rounded up, and libraries take some themselves.
  constexpr double reserve = 64 << 20;
  activate();
  std::size_t free = 0;
  std::size_t total = 0;
  cudaMemGetInfo(&free, &total);
  const double kept = reserve + (workspace_ == nullptr ? workspace_bytes : 0);
  return {std::max(0.0, static_cast<double>(free) - kept), static_cast<double>(total)};
}

void* Stream::allocate_pinned(std::size_t bytes) {
  activate();
  void* data = nullptr;
  const cudaError_t status = cudaMallocHost(&data, std::max<std::size_t>(bytes, 64));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw Error(ErrorCode::out_of_memory,
                "the system has no " + std::to_string(bytes >> 10) + " KiB of memory left that it may pin");
  }
  if (status != cudaSuccess) {
    check(*this, status);
    rethrow();
  }
  return data;
}

void Stream::release_pinned(void* data) noexcept { cudaFreeHost(data); }

void Stream::upload(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes == 0 || failed()) return;
  activate();
  check(*this, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(*this)));
}

void Stream::download(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes == 0 || failed()) return;
  activate();
  check(*this, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(*this)));
}

void Stream::copy(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes == 0 || failed()) return;
  activate();
  check(*this, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(*this)));
}

void Stream::synchronize() noexcept {
  if (failed()) return;
  activate();
  check(*this, cudaStreamSynchronize(stream_of(*this)));
}

void Stream::activate() const noexcept { cudaSetDevice(device_); }
void Stream::check_launch() noexcept { check(*this, cudaGetLastError()); }
void Stream::open(bool) noexcept {}

}  // namespace ravine::cuda
