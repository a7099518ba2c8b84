// A stream of a device: its memory, its copies, and where its kernels run, one after the other. device/ is
// the one of a GPU, twin/ that of the host.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "backend/cuda/device_context.h"
#include "base/device.h"
#include "base/errors.h"

namespace ravine::cuda {

class Stream {
 public:
  // Throws Error(device_unavailable) that says what is missing.
  explicit Stream(int device);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Zeroed and aligned to 256 bytes; throws Error(out_of_memory).
  void* allocate(std::size_t bytes);
  void release(void* data) noexcept;
  // What `allocate` may still give to the caller, and what the device has.
  DeviceMemory memory() const;
  // Memory of the host that copies need not wait for.
  void* allocate_pinned(std::size_t bytes);
  void release_pinned(void* data) noexcept;
  // Whether the address lies in memory of this stream.
  bool owns(const void* data) const;

  // What was asked for before comes first. The host's memory is free again, or filled, after `synchronize`.
  void upload(void* to, const void* from, std::size_t bytes) noexcept;
  void download(void* to, const void* from, std::size_t bytes) noexcept;
  void copy(void* to, const void* from, std::size_t bytes) noexcept;
  void synchronize() noexcept;

  // Held while launches are captured, and while the host copies: another thread may want to see something
  // in the middle of a call, which must not become part of a graph.
  std::unique_lock<std::recursive_mutex> undisturbed() { return std::unique_lock(capture_mutex_); }
  // Of the twin: until `end_capture`, what no graph can hold fails.
  void begin_capture() noexcept { is_capturing_ = true; }
  void end_capture() noexcept { is_capturing_ = false; }
  void refuse_in_capture(const char* what) noexcept;

  // Makes its device that of the calling thread; kernels are launched, and products made, after it.
  void activate() const noexcept;
  // Memory that whatever runs may use until the next does; of one size.
  void* workspace();
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;
  // On the device, always in the same place.
  DeviceContext* context() const { return context_; }

  Error out_of_memory(std::size_t bytes) const;

  // After an error nothing runs any more. Called where a kernel was launched.
  void check_launch() noexcept;
  // Of any thread; the first error counts.
  void fail(const std::string& what) noexcept;
  bool failed() const noexcept { return failed_.load(std::memory_order_acquire); }
  // Throws Error(internal) after an error.
  void rethrow() const;

  void* handle() const { return handle_; }
  int device() const { return device_; }
  std::int64_t most_blocks() const { return most_blocks_; }
  // Of the twin: lets the host at the memory, or keeps it away again.
  void open(bool opened) noexcept;

 private:
  struct Region {
    std::size_t bytes;
    void* mapped;         // what was taken from the system, and its size
    std::size_t mapping;  // without the guard behind it
  };

  int device_;
  void* handle_ = nullptr;  // of the system's stream
  std::int64_t most_blocks_ = 1;
  std::map<std::uintptr_t, Region> regions_;
  mutable std::mutex regions_mutex_;
  int opened_ = 0;
  void* workspace_ = nullptr;
  DeviceContext* context_ = nullptr;
  std::string error_;
  std::recursive_mutex capture_mutex_;
  bool is_capturing_ = false;
  std::atomic<bool> failed_ = false;
  std::mutex error_mutex_;
};

// An array on the device, or, pinned, on the host.
template <typename T, bool pinned = false>
class Array {
 public:
  Array() = default;
  Array(Stream& stream, std::size_t count)
      : stream_(&stream),
        count_(count),
        data_(static_cast<T*>(pinned ? stream.allocate_pinned(count * sizeof(T))
                                     : stream.allocate(count * sizeof(T)))) {}
  ~Array() { release(); }
  Array(Array&& other) noexcept { *this = static_cast<Array&&>(other); }
  Array& operator=(Array&& other) noexcept {
    if (this == &other) return *this;
    release();
    stream_ = other.stream_;
    count_ = other.count_;
    data_ = other.data_;
    other.data_ = nullptr;
    return *this;
  }

  T* data() const { return data_; }
  std::size_t size() const { return count_; }
  std::size_t bytes() const { return count_ * sizeof(T); }

 private:
  void release() noexcept {
    if (data_ == nullptr) return;
    pinned ? stream_->release_pinned(data_) : stream_->release(data_);
    data_ = nullptr;
  }

  Stream* stream_ = nullptr;
  std::size_t count_ = 0;
  T* data_ = nullptr;
};

template <typename T>
using PinnedArray = Array<T, true>;

// An array that begins as the values.
template <typename T>
Array<T> array_of(Stream& stream, const std::vector<T>& values) {
  Array<T> array(stream, values.size());
  stream.upload(array.data(), values.data(), values.size() * sizeof(T));
  stream.synchronize();
  return array;
}

namespace twin {

// A stream's memory is out of reach for the host but while one of these is there.
class Access {
 public:
  explicit Access(Stream& stream) : stream_(stream) { stream.open(true); }
  ~Access() { stream_.open(false); }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

 private:
  Stream& stream_;
};

// Indices run upwards, or downwards where RAVINE_TWIN_ORDER=reversed: results must not depend on it.
extern const bool is_reversed;
template <typename Index>
Index in_order(Index i, Index count) {
  return is_reversed ? count - 1 - i : i;
}

}  // namespace twin

}  // namespace ravine::cuda
