// What happens on a device beside the kernels of its stream, and the places at which one waits for the other.
// device/ has those of a GPU; the twin, where everything happens at once, its own.
#pragma once

#include <cstddef>

#include "backend/cuda/stream.h"

namespace ravine::cuda {

// Copies in an order of their own, from memory that is pinned.
class SideStream {
 public:
  explicit SideStream(Stream& stream);
  ~SideStream();
  SideStream(const SideStream&) = delete;
  SideStream& operator=(const SideStream&) = delete;

  void upload(void* to, const void* from, std::size_t bytes) noexcept;
  void download(void* to, const void* from, std::size_t bytes) noexcept;
  void* handle() const { return handle_; }

 private:
  Stream& stream_;  // which fails where this does
  void* handle_ = nullptr;
};

// A place in the order of a stream, given by its handle.
class Mark {
 public:
  explicit Mark(Stream& stream);
  ~Mark();
  Mark(const Mark&) = delete;
  Mark& operator=(const Mark&) = delete;

  // Behind all that the stream was asked for.
  void put(void* handle) noexcept;
  // What the stream is asked for next waits for the place.
  void hold(void* handle) noexcept;
  // Whether the place was reached, or something has failed.
  bool is_reached() noexcept;
  // The host waits for it.
  void wait() noexcept;

 private:
  Stream& stream_;
  void* event_ = nullptr;
};

}  // namespace ravine::cuda
