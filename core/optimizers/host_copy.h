// Memory of a backend where the host works on it: itself, or a copy of what lies on a device.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "backend/backend.h"

namespace ravine {

class HostCopy {
 public:
  // The backend must outlive it.
  HostCopy(Backend& backend, void* memory, std::size_t bytes) : backend_(backend), memory_(memory) {
    if (backend.device().kind == DeviceKind::cpu) return;
    copy_ = std::make_shared<std::vector<std::byte>>(bytes);
  }

  void* data() const { return copy_ == nullptr ? memory_ : copy_->data(); }
  // Takes what is on the device; brings it back.
  void fetch() noexcept {
    if (copy_ != nullptr) backend_.read(memory_, copy_->data(), copy_->size());
  }
  void store() noexcept {
    if (copy_ != nullptr) backend_.write(copy_->data(), memory_, copy_->size());
  }
  // What keeps the copy; null where there is none.
  std::shared_ptr<void> owner() const { return copy_; }

 private:
  Backend& backend_;
  void* memory_;
  std::shared_ptr<std::vector<std::byte>> copy_;
};

}  // namespace ravine
