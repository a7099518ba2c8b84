// The stream of the twin: memory of the host, which it may touch only in copies and kernels, as if it lay on
// a device. Behind each piece lies a page that nobody may touch.
#include "backend/cuda/stream.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "backend/cuda/cards.h"
#include "base/errors.h"

namespace ravine::cuda {

namespace twin {

namespace {
bool asked_to_reverse() {
  const char* order = std::getenv("RAVINE_TWIN_ORDER");
  return order != nullptr && std::string_view(order) == "reversed";
}
}  // namespace

const bool is_reversed = asked_to_reverse();

}  // namespace twin

namespace {

// Of all streams, as on a card.
std::atomic<std::size_t> taken = 0;
std::atomic<std::size_t> crossed = 0;  // between host and device

// RAVINE_TWIN_MEMORY, in bytes, stands for the memory of a card.
double twin_memory() {
  const char* given = std::getenv("RAVINE_TWIN_MEMORY");
  return given == nullptr ? 1e15 : std::strtod(given, nullptr);
}

}  // namespace

Stream::Stream(int device) : device_(device) {
  require_card(device);
  context_ = static_cast<DeviceContext*>(allocate(sizeof(DeviceContext)));
}

Stream::~Stream() {
  for (const auto& [address, region] : regions_) {
    taken -= region.bytes;
    munmap(region.mapped, region.mapping);
  }
}

void* Stream::allocate(std::size_t bytes) {
  refuse_in_capture("memory taken");
  constexpr std::size_t alignment = 64;  // less than a device's, so that little is left before the guard
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  const std::size_t inside = (rounded + page - 1) / page * page + (rounded == 0 ? page : 0);
  void* mapped = MAP_FAILED;
  if (static_cast<double>(bytes) + taken <= twin_memory())
    mapped = mmap(nullptr, inside + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw out_of_memory(bytes);
  taken += bytes;
  mprotect(static_cast<std::byte*>(mapped) + inside, page, PROT_NONE);
  std::byte* data = static_cast<std::byte*>(mapped) + inside - rounded;
  const std::lock_guard lock(regions_mutex_);
  if (opened_ == 0) mprotect(mapped, inside, PROT_NONE);
  regions_[reinterpret_cast<std::uintptr_t>(data)] = {bytes, mapped, inside + page};
  return data;
}

void Stream::release(void* data) noexcept {
  refuse_in_capture("memory given back");
  const std::lock_guard lock(regions_mutex_);
  const auto found = regions_.find(reinterpret_cast<std::uintptr_t>(data));
  taken -= found->second.bytes;
  munmap(found->second.mapped, found->second.mapping);
  regions_.erase(found);
}

DeviceMemory Stream::memory() const {
  const double kept = workspace_ == nullptr ? workspace_bytes : 0;
  return {std::max(0.0, twin_memory() - static_cast<double>(taken) - kept), twin_memory()};
}

void* Stream::allocate_pinned(std::size_t bytes) {
  refuse_in_capture("memory taken");
  return std::calloc(bytes + 1, 1);
}
void Stream::release_pinned(void* data) noexcept {
  refuse_in_capture("memory given back");
  std::free(data);
}

void Stream::open(bool opened) noexcept {
  const std::lock_guard lock(regions_mutex_);
  opened_ += opened ? 1 : -1;
  if (opened_ != (opened ? 1 : 0)) return;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  for (const auto& [address, region] : regions_) {
    mprotect(region.mapped, region.mapping - page, opened ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
}

void Stream::upload(void* to, const void* from, std::size_t bytes) noexcept {
  refuse_in_capture("a copy from the host");
  crossed += bytes;
  copy(to, from, bytes);
}
void Stream::download(void* to, const void* from, std::size_t bytes) noexcept {
  refuse_in_capture("a copy to the host");
  crossed += bytes;
  copy(to, from, bytes);
}
void Stream::copy(void* to, const void* from, std::size_t bytes) noexcept {
  if (bytes == 0 || failed()) return;
  const twin::Access access(*this);
  std::memcpy(to, from, bytes);
}
void Stream::activate() const noexcept {}
void Stream::synchronize() noexcept { refuse_in_capture("a wait"); }
void Stream::check_launch() noexcept {}

}  // namespace ravine::cuda

// For tests: bytes that went to the device and back so far.
extern "C" __attribute__((visibility("default"))) std::size_t ravine_cuda_twin_crossed() {
  return ravine::cuda::crossed;
}
