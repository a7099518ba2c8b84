// Events, copies beside the stream, and graphs of a GPU.
#include "backend/cuda/queue.h"

#include <cuda_runtime.h>

#include "base/errors.h"

namespace ravine::cuda {
namespace {

void check(Stream& stream, cudaError_t status) noexcept {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // it is told here, and is no failure of a kernel of another stream
  stream.fail(cudaGetErrorString(status));
}

cudaStream_t stream_of(const Stream& stream) { return static_cast<cudaStream_t>(stream.handle()); }
cudaStream_t stream_of(void* handle) { return static_cast<cudaStream_t>(handle); }
cudaEvent_t event_of(void* handle) { return static_cast<cudaEvent_t>(handle); }

}  // namespace

Event::Event(Stream& stream) : stream_(stream) {
  stream.activate();
  cudaEvent_t event = nullptr;
  check(stream, cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  handle_ = event;
  stream.rethrow();
}

Event::~Event() {
  if (handle_ != nullptr) cudaEventDestroy(event_of(handle_));
}

void Event::record() noexcept {
  if (!stream_.failed()) check(stream_, cudaEventRecord(event_of(handle_), stream_of(stream_)));
}

void Event::record(CopyQueue& copies) noexcept {
  if (!stream_.failed()) check(stream_, cudaEventRecord(event_of(handle_), stream_of(copies.handle_)));
}

void Event::wait_on_host() noexcept {
  if (!stream_.failed()) check(stream_, cudaEventSynchronize(event_of(handle_)));
}

bool Event::has_come() noexcept {
  if (stream_.failed()) return true;
  const cudaError_t status = cudaEventQuery(event_of(handle_));
  if (status != cudaErrorNotReady) {
    check(stream_, status);
    return true;
  }
  cudaGetLastError();  // it is no failure of a kernel that is launched next
  return false;
}

void Event::wait_on_stream() noexcept {
  if (!stream_.failed()) check(stream_, cudaStreamWaitEvent(stream_of(stream_), event_of(handle_), 0));
}

CopyQueue::CopyQueue(Stream& stream) : stream_(stream) {
  stream.activate();
  cudaStream_t made = nullptr;
  check(stream, cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
  handle_ = made;
  stream.rethrow();
}

CopyQueue::~CopyQueue() {
  if (handle_ == nullptr) return;
  stream_.activate();
  cudaStreamSynchronize(stream_of(handle_));
  cudaStreamDestroy(stream_of(handle_));
}

void CopyQueue::upload(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes == 0 || stream_.failed()) return;
  check(stream_, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(handle_)));
}

void CopyQueue::download(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes == 0 || stream_.failed()) return;
  check(stream_, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(handle_)));
}

void CopyQueue::wait_for(Event& event) noexcept {
  if (!stream_.failed()) check(stream_, cudaStreamWaitEvent(stream_of(handle_), event_of(event.handle_), 0));
}

LaunchGraph::~LaunchGraph() {
  if (handle_ != nullptr) cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(handle_));
}

void LaunchGraph::run(const std::function<void()>& launches) noexcept {
  if (stream_.failed()) return;
  if (!is_known_) {
    launches();
    is_known_ = true;
    return;
  }
  if (handle_ == nullptr) {
    const auto undisturbed = stream_.undisturbed();
    check(stream_, cudaStreamBeginCapture(stream_of(stream_), cudaStreamCaptureModeThreadLocal));
    if (stream_.failed()) return;
    launches();
    cudaGraph_t graph = nullptr;
    check(stream_, cudaStreamEndCapture(stream_of(stream_), &graph));  // also after a failure
    cudaGraphExec_t made = nullptr;
    if (!stream_.failed()) check(stream_, cudaGraphInstantiate(&made, graph, 0));
    if (graph != nullptr) cudaGraphDestroy(graph);
    handle_ = made;
  }
  if (!stream_.failed())
    check(stream_, cudaGraphLaunch(static_cast<cudaGraphExec_t>(handle_), stream_of(stream_)));
}

}  // namespace ravine::cuda
