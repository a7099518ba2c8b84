// What lets a stream run ahead of the host: copies beside its kernels, events that order them, and steps that
// are launched as a whole. device/ has those of a GPU; in twin/ everything has happened when a call is back.
#pragma once

#include <cstddef>
#include <functional>

#include "backend/cuda/stream.h"

namespace ravine::cuda {

class CopyQueue;

// A point in the work of a stream or of a queue of copies.
class Event {
 public:
  explicit Event(Stream& stream);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record() noexcept;                   // of the stream
  void record(CopyQueue& copies) noexcept;  // of the queue
  void wait_on_host() noexcept;
  // Whether it has been reached, or something has failed. Any thread may ask.
  bool has_come() noexcept;
  // The stream's next work waits for it.
  void wait_on_stream() noexcept;

 private:
  friend class CopyQueue;
  Stream& stream_;
  void* handle_ = nullptr;
};

// Copies between pinned memory and the device, one after the other, beside the stream.
class CopyQueue {
 public:
  explicit CopyQueue(Stream& stream);
  ~CopyQueue();
  CopyQueue(const CopyQueue&) = delete;
  CopyQueue& operator=(const CopyQueue&) = delete;

  void upload(void* to, const void* from, std::size_t bytes) noexcept;
  void download(void* to, const void* from, std::size_t bytes) noexcept;
  void wait_for(Event& event) noexcept;
  void* handle() const { return handle_; }

 private:
  friend class Event;
  Stream& stream_;
  void* handle_ = nullptr;
};

// Launches that are made again and again. The first time they are made as they are, so that everything is
// chosen and loaded; the second time they are captured; from then on the whole is launched at once. What they
// do must not depend on the host: no memory taken or copied, nothing waited for.
class LaunchGraph {
 public:
  explicit LaunchGraph(Stream& stream) : stream_(stream) {}
  ~LaunchGraph();
  LaunchGraph(const LaunchGraph&) = delete;
  LaunchGraph& operator=(const LaunchGraph&) = delete;

  void run(const std::function<void()>& launches) noexcept;

 private:
  Stream& stream_;
  bool is_known_ = false;
  void* handle_ = nullptr;
};

}  // namespace ravine::cuda
