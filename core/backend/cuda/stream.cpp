// What streams of a GPU and of the twin have in common.
#include "backend/cuda/stream.h"

#include "base/errors.h"
#include "base/memory.h"

namespace ravine::cuda {

bool Stream::owns(const void* data) const {
  const std::lock_guard lock(regions_mutex_);
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  auto after = regions_.upper_bound(address);
  if (after == regions_.begin()) return false;
  const auto& [begin, region] = *--after;
  return address < begin + (region.bytes > 0 ? region.bytes : 1);
}

void* Stream::workspace() {
  if (workspace_ == nullptr) workspace_ = allocate(workspace_bytes);
  return workspace_;
}

Error Stream::out_of_memory(std::size_t bytes) const {
  const DeviceMemory now = memory();
  return Error(ErrorCode::out_of_memory,
               bytes_text(static_cast<double>(bytes)) +
                   " more are needed on cuda:" + std::to_string(device_) + ", where " + bytes_text(now.free) +
                   " of " + bytes_text(now.total) + " are free; use a smaller network or batch");
}

void Stream::fail(const std::string& what) noexcept {
  const std::lock_guard lock(error_mutex_);
  if (failed()) return;
  error_ = what;
  failed_.store(true, std::memory_order_release);
}

void Stream::refuse_in_capture(const char* what) noexcept {
  if (is_capturing_) fail(std::string(what) + " within a step that is captured");
}

void Stream::rethrow() const {
  if (failed()) throw Error(ErrorCode::internal, "cuda:" + std::to_string(device_) + ": " + error_);
}

}  // namespace ravine::cuda
