#include "backend/cuda/copy_cells.h"

#include "backend/cuda/launch.h"

namespace ravine::cuda {
namespace {

struct CopyCells {
  Cells<float> from;
  Cells<float> to;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const { to.store(i, from.load(i)); }
};

// Neighbours at once; what is left behind the last pack, one by one.
struct CopyPacks {
  Cells<float> from;
  Cells<float> to;
  std::int64_t count;
  RAVINE_HOST_DEVICE void operator()(std::int64_t pack) const {
    const std::int64_t first = pack * Pack<float>::count;
    if (first + Pack<float>::count <= count) {
      to.store_pack(first, from.load_pack(first));
      return;
    }
    for (std::int64_t i = first; i < count; ++i) to.store(i, from.load(i));
  }
};

}  // namespace

void copy_cells(Stream& stream, const Cells<float>& from, const Cells<float>& to,
                std::int64_t count) noexcept {
  if (from.is_aligned() && to.is_aligned()) {
    for_each(stream, (count + Pack<float>::count - 1) / Pack<float>::count, CopyPacks{from, to, count});
  } else {
    for_each(stream, count, CopyCells{from, to});
  }
}

}  // namespace ravine::cuda
