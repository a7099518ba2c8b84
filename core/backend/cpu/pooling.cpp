// Pooling and its gradient: some images a tile.
#include <type_traits>

#include "backend/cpu/loop_operation.h"
#include "backend/cpu/measure.h"
#include "backend/cpu/rule_object.h"

namespace ravine::cpu {
namespace {

PoolingExtents extents_of(const Tensor& input, const Tensor& output, const Window& window) {
  return {input.shape[1], input.shape[2], input.shape[3], output.shape[1], output.shape[2],
          window.height,  window.width,   window.stride,  window.top,      window.left};
}

std::int64_t input_elements(const PoolingExtents& e) { return e.height * e.width * e.channels; }
std::int64_t output_elements(const PoolingExtents& e) { return e.out_height * e.out_width * e.channels; }

template <typename T>
const typename Kernels<T>::PoolingLoops& loops(PoolingKind kind) {
  return kind == PoolingKind::maximum ? kernels<T>().max_pooling : kernels<T>().average_pooling;
}

template <typename T>
class PoolingOperation final : public LoopOperation<T> {
 public:
  PoolingOperation(const Pooling& o, const Program& program, const PointerTable& pointers,
                   std::int64_t samples)
      : LoopOperation<T>(pointers, program, program.batch(),
                         program.tensor(o.input).shape.elements() / program.batch(), samples),
        operation_(o),
        extents_(extents_of(program.tensor(o.input), program.tensor(o.output), o.window)),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t images = this->cut_.length(tile);
    const std::int64_t elements = output_elements(extents_);
    T* output = this->at(operation_.output) + begin * elements;
    auto* positions = this->template at<std::int32_t>(operation_.positions);
    for (std::int64_t image = 0; image < images; ++image) {
      loops<T>(operation_.kind)
          .forward(extents_, this->at(operation_.input) + (begin + image) * input_elements(extents_),
                   output + image * elements,
                   positions == nullptr ? nullptr : positions + (begin + image) * elements);
    }
    observer_.see(tile, {output, 1, images * elements, images * elements}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  Pooling operation_;
  PoolingExtents extents_;
  Observer<T> observer_;
};

template <typename T>
class PoolingGradientOperation final : public LoopOperation<T> {
 public:
  PoolingGradientOperation(const PoolingGradient& o, const Program& program, const PointerTable& pointers,
                           std::int64_t samples)
      : LoopOperation<T>(pointers, program, program.batch(),
                         program.tensor(o.output).shape.elements() / program.batch(), samples),
        operation_(o),
        extents_(extents_of(program.tensor(o.output), program.tensor(o.output_gradient), o.window)) {
    if (o.activation_gradient) {
      gradient_ = make_rule<ActivationRules, T>(o.activation_gradient->name, o.activation_gradient->values);
    }
  }

  void run(int tile, int, const RunContext&) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t images = this->cut_.length(tile);
    const std::int64_t elements = output_elements(extents_);
    const auto* positions = this->template at<const std::int32_t>(operation_.positions);
    const std::int64_t offset = begin * input_elements(extents_);
    T* output = this->at(operation_.output) + offset;
    for (std::int64_t image = 0; image < images; ++image) {
      loops<T>(operation_.kind)
          .gradient(extents_, this->at(operation_.output_gradient) + (begin + image) * elements,
                    positions == nullptr ? nullptr : positions + (begin + image) * elements,
                    output + image * input_elements(extents_));
    }
    if (gradient_.index < 0) return;
    const T* y = this->at(operation_.activation_output) + offset;
    const T* x =
        operation_.activation_input == no_tensor ? y : this->at(operation_.activation_input) + offset;
    kernels<T>().activations[gradient_.index].gradient(gradient_.get(), x, y, output, output,
                                                       images * input_elements(extents_));
  }

 private:
  PoolingGradient operation_;
  PoolingExtents extents_;
  RuleObject gradient_;
};

}  // namespace

template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_pooling(const Given& o, const Program& program,
                                              const PointerTable& pointers, std::int64_t samples) {
  if constexpr (std::is_same_v<Given, Pooling>) {
    return std::make_unique<PoolingOperation<T>>(o, program, pointers, samples);
  } else {
    return std::make_unique<PoolingGradientOperation<T>>(o, program, pointers, samples);
  }
}

#define RAVINE_PREPARE(T, Given)                                                                 \
  template std::unique_ptr<CpuOperation> prepare_pooling<T, Given>(const Given&, const Program&, \
                                                                   const PointerTable&, std::int64_t);
RAVINE_PREPARE(float, Pooling)
RAVINE_PREPARE(double, Pooling)
RAVINE_PREPARE(float, PoolingGradient)
RAVINE_PREPARE(double, PoolingGradient)
#undef RAVINE_PREPARE

}  // namespace ravine::cpu
