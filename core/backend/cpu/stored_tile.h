// Tiles of tensors that may be stored in bfloat16: operations see them in the type that they compute in, in a
// worker's own memory, and pass them on as they are where they are stored so.
#pragma once

#include <type_traits>
#include <vector>

#include "backend/cpu/aligned_array.h"
#include "backend/cpu/simd/kernels.h"
#include "backend/program.h"
#include "base/bfloat16.h"

namespace ravine::cpu {

inline bool is_stored_in_bfloat16(TensorId id, const Program& program) {
  return id != no_tensor && program.tensor(id).dtype == DType::bfloat16;
}

// A tensor of type T or bfloat16, in tiles of up to so many elements.
template <typename T>
class Tile {
 public:
  Tile(TensorId id, const Program& program, std::int64_t elements, int workers)
      : id_(id), is_stored_(is_stored_in_bfloat16(id, program)) {
    for (int worker = 0; is_stored_ && worker < workers; ++worker) own_.emplace_back(elements);
  }

  TensorId id() const { return id_; }
  bool is_stored() const { return is_stored_; }
  // Where an element of it lies, as it is stored.
  void* at(void* tensor, std::int64_t offset) const noexcept {
    return static_cast<std::byte*>(tensor) +
           offset * static_cast<std::int64_t>(is_stored_ ? sizeof(Bfloat16) : sizeof(T));
  }
  // Where a worker computes the elements from there on; `store` rounds them.
  T* place(int worker, void* tensor, std::int64_t offset) const noexcept {
    return is_stored_ ? own(worker) : static_cast<T*>(at(tensor, offset));
  }
  void store(const T* values, void* tensor, std::int64_t offset, std::int64_t count) const noexcept {
    if constexpr (std::is_same_v<T, float>) {
      if (is_stored_) kernels<T>().bfloat16.round(values, static_cast<Bfloat16*>(at(tensor, offset)), count);
    }
  }
  const T* read(int worker, void* tensor, std::int64_t offset, std::int64_t count) const noexcept {
    if constexpr (std::is_same_v<T, float>) {
      if (is_stored_) {
        kernels<T>().bfloat16.widen(static_cast<const Bfloat16*>(at(tensor, offset)), own(worker), count);
      }
    }
    return place(worker, tensor, offset);
  }

 private:
  T* own(int worker) const { return own_[static_cast<std::size_t>(worker)].get(); }

  TensorId id_;
  bool is_stored_;
  std::vector<AlignedArray<T>> own_;  // one a worker
};

}  // namespace ravine::cpu
