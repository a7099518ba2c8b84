// An array for the loops and engines of a CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace ravine::cpu {

// Memory at the start of a cache line.
template <typename T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(std::int64_t count)
      : data_(static_cast<T*>(
            ::operator new(static_cast<std::size_t>(count) * sizeof(T), std::align_val_t{64}))) {
    std::memset(static_cast<void*>(data_.get()), 0, static_cast<std::size_t>(count) * sizeof(T));
  }
  T* get() const { return data_.get(); }

 private:
  struct Free {
    void operator()(T* data) const { ::operator delete(static_cast<void*>(data), std::align_val_t{64}); }
  };
  std::unique_ptr<T, Free> data_;
};

}  // namespace ravine::cpu
