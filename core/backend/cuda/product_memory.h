// What the products of a program share: factors rounded to bfloat16, a place for sums that are rounded
// later, and which sums over rows are computed by products on the way.
#pragma once

#include <cstddef>
#include <set>
#include <vector>

#include "backend/cuda/stream.h"
#include "backend/program.h"

namespace ravine::cuda {

class ProductMemory {
 public:
  ProductMemory(const Program& program, Stream& stream) : program_(program), stream_(stream) {}

  // A shadow of a tensor of float32, rounded to bfloat16, as the operation of that step finds the tensor.
  // Operations that find the same share one. To be asked for while the program is prepared.
  int shadow_of(TensorId id, std::size_t step);
  // The shadow's memory, rounded anew where it has not been since the run began. Steps are run in their
  // order; a smaller one than the last begins a run, and so does `begin_run`.
  const void* bring(int shadow, std::size_t step, const float* values) noexcept;
  void begin_run() noexcept;

  // As many elements of float32, until the next product is run.
  void need(std::int64_t elements);
  float* sums() const { return sums_.data(); }

  // The step of a sum over the rows of a product's transposed left factor that may be computed with it; -1
  // for none. Once it has been taken, that operation computes no sum.
  std::ptrdiff_t column_sum_beside(const Product& product, std::size_t step) const;
  void take(std::size_t step) { taken_.insert(step); }
  bool is_taken(std::size_t step) const { return taken_.count(step) > 0; }

 private:
  struct Shadow {
    TensorId root;
    std::ptrdiff_t written;  // the step that wrote the tensor last; -1: none of the program
    std::int64_t elements;
    Array<std::uint16_t> values;
    bool fresh;
  };
  bool writes(const Operation& operation, TensorId root) const;

  const Program& program_;  // while it is prepared
  Stream& stream_;
  std::vector<Shadow> shadows_;
  Array<float> sums_;
  std::set<std::size_t> taken_;
  std::size_t last_step_ = 0;
};

}  // namespace ravine::cuda
