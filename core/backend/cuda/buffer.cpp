#include "backend/cuda/buffer.h"

#include <utility>

namespace ravine::cuda {

void VisibleBuffers::add(DeviceBuffer* buffer) {
  const std::lock_guard lock(mutex_);
  buffers_.insert(buffer);
}

void VisibleBuffers::remove(DeviceBuffer* buffer) {
  const std::lock_guard lock(mutex_);
  buffers_.erase(buffer);
}

void VisibleBuffers::take() {
  const std::lock_guard lock(mutex_);
  for (DeviceBuffer* buffer : buffers_) buffer->take();
}

void VisibleBuffers::show() {
  const std::lock_guard lock(mutex_);
  for (DeviceBuffer* buffer : buffers_) buffer->show();
}

DeviceBuffer::DeviceBuffer(std::shared_ptr<Stream> stream, std::shared_ptr<VisibleBuffers> all,
                           std::size_t bytes)
    : stream_(std::move(stream)), all_(std::move(all)), memory_(*stream_, bytes) {}

DeviceBuffer::~DeviceBuffer() { all_->remove(this); }

void DeviceBuffer::read(std::size_t offset, void* to, std::size_t count) {
  const auto undisturbed = stream_->undisturbed();
  stream_->download(to, memory_.data() + offset, count);
  stream_->synchronize();
}

void DeviceBuffer::write(std::size_t offset, const void* from, std::size_t count) {
  const auto undisturbed = stream_->undisturbed();
  stream_->upload(memory_.data() + offset, from, count);
  stream_->synchronize();
}

std::shared_ptr<void> DeviceBuffer::visible() {
  all_->add(this);
  const std::lock_guard lock(mutex_);
  if (copy_ == nullptr) copy_ = std::make_shared<std::vector<std::byte>>(bytes());
  if (!is_held() && !is_shown_) read(0, copy_->data(), bytes());
  is_shown_ = true;
  return {copy_, copy_->data()};
}

void DeviceBuffer::take() {
  const std::lock_guard lock(mutex_);
  if (copy_ == nullptr) return;
  if (is_shown_) write(0, copy_->data(), bytes());
  is_shown_ = false;
  if (!is_held()) copy_.reset();
}

void DeviceBuffer::show() {
  const std::lock_guard lock(mutex_);
  if (copy_ == nullptr) return;
  // What nobody holds any more is from the middle of the call, and must not come back.
  is_shown_ = is_held();
  is_shown_ ? read(0, copy_->data(), bytes()) : copy_.reset();
}

}  // namespace ravine::cuda
