// Buffers on a device, and what the host sees of them.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/stream.h"

namespace ravine::cuda {

class DeviceBuffer;

// The buffers that the host sees a copy of.
class VisibleBuffers {
 public:
  void add(DeviceBuffer* buffer);
  void remove(DeviceBuffer* buffer);
  // Brings what the host has written to the device; and back what has changed there.
  void take();
  void show();

 private:
  std::mutex mutex_;
  std::set<DeviceBuffer*> buffers_;
};

class DeviceBuffer final : public Buffer {
 public:
  DeviceBuffer(std::shared_ptr<Stream> stream, std::shared_ptr<VisibleBuffers> all, std::size_t bytes);
  ~DeviceBuffer() override;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  void* data() override { return memory_.data(); }
  std::size_t bytes() const override { return memory_.bytes(); }
  void read(std::size_t offset, void* to, std::size_t count) override;
  void write(std::size_t offset, const void* from, std::size_t count) override;
  std::shared_ptr<void> visible() override;

 private:
  friend class VisibleBuffers;
  bool is_held() const { return copy_.use_count() > 1; }
  void take();
  void show();

  std::shared_ptr<Stream> stream_;
  std::shared_ptr<VisibleBuffers> all_;
  Array<std::byte> memory_;
  std::mutex mutex_;
  std::shared_ptr<std::vector<std::byte>> copy_;
  bool is_shown_ = false;  // since the last call: somebody may write to it, and let go of it
};

}  // namespace ravine::cuda
