#include "backend/cuda/product_memory.h"

#include <algorithm>

#include "backend/cuda/measure.h"

namespace ravine::cuda {
namespace {

struct Same {
  RAVINE_HOST_DEVICE float operator()(std::int64_t, const float (&x)[1]) const { return x[0]; }
};

}  // namespace

bool ProductMemory::writes(const Operation& operation, TensorId root) const {
  const std::vector<TensorId> outputs = outputs_of(operation);
  return std::any_of(outputs.begin(), outputs.end(), [&](TensorId id) { return program_.root(id) == root; });
}

int ProductMemory::shadow_of(TensorId id, std::size_t step) {
  const TensorId root = program_.root(id);
  auto written = static_cast<std::ptrdiff_t>(step) - 1;
  while (written >= 0 && !writes(program_.steps[static_cast<std::size_t>(written)].operation, root))
    --written;
  for (std::size_t i = 0; i < shadows_.size(); ++i) {
    if (shadows_[i].root == root && shadows_[i].written == written) return static_cast<int>(i);
  }
  const std::int64_t elements = program_.tensor(id).shape.elements();
  shadows_.push_back(
      {root, written, elements, Array<std::uint16_t>(stream_, static_cast<std::size_t>(elements)), false});
  return static_cast<int>(shadows_.size()) - 1;
}

const void* ProductMemory::bring(int index, std::size_t step, const float* values) noexcept {
  if (step < last_step_) begin_run();
  last_step_ = step;
  Shadow& shadow = shadows_[static_cast<std::size_t>(index)];
  if (!shadow.fresh) {
    const Cells<float> rounded{shadow.values.data(), true};
    store_all(stream_, shadow.elements,
              element_map(Same{}, rounded, Cells<float>{const_cast<float*>(values), false}));
    shadow.fresh = true;
  }
  return shadow.values.data();
}

void ProductMemory::begin_run() noexcept {
  for (Shadow& shadow : shadows_) shadow.fresh = false;
  last_step_ = 0;
}

void ProductMemory::need(std::int64_t elements) {
  const auto count = static_cast<std::size_t>(elements);
  if (count > sums_.size()) sums_ = Array<float>(stream_, count);
}

std::ptrdiff_t ProductMemory::column_sum_beside(const Product& product, std::size_t step) const {
  if (!product.transpose_left) return -1;
  const TensorId root = program_.root(product.left);
  for (std::size_t next = step + 1; next < program_.steps.size(); ++next) {
    const Step& other = program_.steps[next];
    if (other.section != program_.steps[step].section) return -1;
    const auto* sum = std::get_if<ColumnSum>(&other.operation);
    const bool fits = sum != nullptr && program_.root(sum->input) == root && !is_taken(next) &&
                      columns_of(program_.tensor(sum->input)) == columns_of(program_.tensor(product.left));
    if (fits) return static_cast<std::ptrdiff_t>(next);
    if (writes(other.operation, root)) return -1;
  }
  return -1;
}

}  // namespace ravine::cuda
