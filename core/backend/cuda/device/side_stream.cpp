#include "backend/cuda/side_stream.h"

#include <cuda_runtime.h>

#include "base/errors.h"

namespace ravine::cuda {
namespace {

void check(Stream& stream, cudaError_t status) noexcept {
  if (status != cudaSuccess) stream.fail(cudaGetErrorString(status));
}

void check_made(const Stream& stream, cudaError_t status) {
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::device_unavailable,
              "cuda:" + std::to_string(stream.device()) + " cannot be used: " + cudaGetErrorString(status))
      .at_key("device");
}

cudaStream_t stream_of(void* handle) { return static_cast<cudaStream_t>(handle); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

}  // namespace

SideStream::SideStream(Stream& stream) : stream_(stream) {
  stream.activate();
  cudaStream_t made = nullptr;
  check_made(stream, cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
  handle_ = made;
}

SideStream::~SideStream() {
  stream_.activate();
  cudaStreamSynchronize(stream_of(handle_));
  cudaStreamDestroy(stream_of(handle_));
}

void SideStream::upload(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes == 0 || stream_.failed()) return;
  stream_.activate();
  check(stream_, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(handle_)));
}

void SideStream::download(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes == 0 || stream_.failed()) return;
  stream_.activate();
  check(stream_, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(handle_)));
}

Mark::Mark(Stream& stream) : stream_(stream) {
  stream.activate();
  cudaEvent_t made = nullptr;
  check_made(stream, cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
  event_ = made;
}

Mark::~Mark() {
  stream_.activate();
  cudaEventDestroy(event_of(event_));
}

void Mark::put(void* handle) noexcept {
  if (stream_.failed()) return;
  stream_.activate();
  check(stream_, cudaEventRecord(event_of(event_), stream_of(handle)));
}

void Mark::hold(void* handle) noexcept {
  if (stream_.failed()) return;
  stream_.activate();
  check(stream_, cudaStreamWaitEvent(stream_of(handle), event_of(event_), 0));
}

bool Mark::is_reached() noexcept {
  if (stream_.failed()) return true;
  stream_.activate();
  const cudaError_t status = cudaEventQuery(event_of(event_));
  if (status == cudaErrorNotReady) return false;
  check(stream_, status);
  return true;
}

void Mark::wait() noexcept {
  if (stream_.failed()) return;
  stream_.activate();
  check(stream_, cudaEventSynchronize(event_of(event_)));
}

}  // namespace ravine::cuda
