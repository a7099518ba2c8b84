// What operations that are loops over elements or rows share: the cut into tiles, and where tensors lie.
#pragma once

#include <algorithm>

#include "backend/cpu/operation.h"
#include "base/bfloat16.h"

namespace ravine::cpu {

// Cuts `extent` items of `weight` elements each into tiles of about 16,384 elements, or of `given` items.
struct Cut {
  Cut(std::int64_t extent, std::int64_t weight, std::int64_t given = 0)
      : extent(extent),
        block(given > 0 ? given : std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, weight))) {}
  int tiles() const { return static_cast<int>((extent + block - 1) / block); }
  std::int64_t begin(int tile) const { return tile * block; }
  std::int64_t length(int tile) const { return std::min(block, extent - begin(tile)); }

  std::int64_t extent;
  std::int64_t block;
};

template <typename T>
class LoopOperation : public CpuOperation {
 public:
  LoopOperation(const PointerTable& pointers, std::int64_t extent, std::int64_t weight)
      : cut_(extent, weight), pointers_(pointers) {}
  // Tiles of so many samples, of which the program's batch has `extent` items in all; 0 for tiles of our own.
  LoopOperation(const PointerTable& pointers, const Program& program, std::int64_t extent,
                std::int64_t weight, std::int64_t samples)
      : cut_(extent, weight, samples * (extent / program.batch())), pointers_(pointers) {}
  int tiles() const override { return cut_.tiles(); }

 protected:
  template <typename Element = T>
  Element* at(TensorId id) const {
    return id == no_tensor ? nullptr : static_cast<Element*>(pointers_[static_cast<std::size_t>(id)]);
  }
  // What belongs to columns or is a parameter is never stored in bfloat16.
  Number<T>* number(TensorId id) const { return this->template at<Number<T>>(id); }

  Cut cut_;

 private:
  const PointerTable& pointers_;
};

}  // namespace ravine::cpu
