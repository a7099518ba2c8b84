// Pooling and its gradient: some images a tile.
#include <type_traits>

#include "backend/cpu/loop_operation.h"
#include "backend/cpu/measure.h"
#include "backend/cpu/rule_object.h"
#include "backend/cpu/stored_tile.h"

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
  PoolingOperation(const Pooling& o, const Program& program, const PointerTable& pointers, int workers,
                   std::int64_t samples)
      : LoopOperation<T>(pointers, program, program.batch(),
                         program.tensor(o.input).shape.elements() / program.batch(), samples),
        operation_(o),
        extents_(extents_of(program.tensor(o.input), program.tensor(o.output), o.window)),
        input_(o.input, program, input_elements(extents_), workers),
        output_(o.output, program, this->cut_.block * output_elements(extents_), workers),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int worker, const RunContext& context) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t images = this->cut_.length(tile);
    const std::int64_t elements = output_elements(extents_);
    T* output = output_.place(worker, this->at(operation_.output), begin * elements);
    auto* positions = this->template at<std::int32_t>(operation_.positions);
    for (std::int64_t image = 0; image < images; ++image) {
      loops<T>(operation_.kind)
          .forward(extents_,
                   input_.read(worker, this->at(operation_.input), (begin + image) * input_elements(extents_),
                               input_elements(extents_)),
                   output + image * elements,
                   positions == nullptr ? nullptr : positions + (begin + image) * elements);
    }
    observer_.see(tile, {output, 1, images * elements, images * elements}, context);
    output_.store(output, this->at(operation_.output), begin * elements, images * elements);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  Pooling operation_;
  PoolingExtents extents_;
  Tile<T> input_;   // of an image
  Tile<T> output_;  // of all images of a tile
  Observer<T> observer_;
};

template <typename T>
class PoolingGradientOperation final : public LoopOperation<T> {
 public:
  PoolingGradientOperation(const PoolingGradient& o, const Program& program, const PointerTable& pointers,
                           int workers, std::int64_t samples)
      : LoopOperation<T>(pointers, program, program.batch(),
                         program.tensor(o.output).shape.elements() / program.batch(), samples),
        operation_(o),
        extents_(extents_of(program.tensor(o.output), program.tensor(o.output_gradient), o.window)),
        output_gradient_(o.output_gradient, program, output_elements(extents_), workers),
        output_(o.output, program, input_elements(extents_), workers),
        activation_input_(o.activation_input, program, input_elements(extents_), workers),
        activation_output_(o.activation_output, program, input_elements(extents_), workers) {
    if (o.activation_gradient) {
      gradient_ = make_rule<ActivationRules, T>(o.activation_gradient->name, o.activation_gradient->values);
    }
  }

  void run(int tile, int worker, const RunContext&) noexcept override {
    const std::int64_t end = this->cut_.begin(tile) + this->cut_.length(tile);
    for (std::int64_t image = this->cut_.begin(tile); image < end; ++image) run_image(image, worker);
  }

 private:
  void run_image(std::int64_t image, int worker) noexcept {
    const std::int64_t count = output_elements(extents_);
    const std::int64_t input_count = input_elements(extents_);
    const std::int64_t offset = image * input_count;
    const auto* positions = this->template at<const std::int32_t>(operation_.positions);
    const auto read = [&](const Tile<T>& tensor, std::int64_t elements) {
      return tensor.read(worker, this->at(tensor.id()), image * elements, elements);
    };
    T* output = output_.place(worker, this->at(operation_.output), offset);
    loops<T>(operation_.kind)
        .gradient(extents_, read(output_gradient_, count),
                  positions == nullptr ? nullptr : positions + image * count, output);
    if (gradient_.index >= 0) {
      const T* y = read(activation_output_, input_count);
      const T* x = operation_.activation_input == no_tensor ? y : read(activation_input_, input_count);
      kernels<T>().activations[gradient_.index].gradient(gradient_.get(), x, y, output, output, input_count);
    }
    output_.store(output, this->at(operation_.output), offset, input_count);
  }

  PoolingGradient operation_;
  PoolingExtents extents_;
  Tile<T> output_gradient_, output_, activation_input_, activation_output_;  // of an image
  RuleObject gradient_;
};

}  // namespace

template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_pooling(const Given& o, const Program& program,
                                              const PointerTable& pointers, int workers,
                                              std::int64_t samples) {
  if constexpr (std::is_same_v<Given, Pooling>) {
    return std::make_unique<PoolingOperation<T>>(o, program, pointers, workers, samples);
  } else {
    return std::make_unique<PoolingGradientOperation<T>>(o, program, pointers, workers, samples);
  }
}

#define RAVINE_PREPARE(T, Given)                                                                 \
  template std::unique_ptr<CpuOperation> prepare_pooling<T, Given>(const Given&, const Program&, \
                                                                   const PointerTable&, int, std::int64_t);
RAVINE_PREPARE(float, Pooling)
RAVINE_PREPARE(double, Pooling)
RAVINE_PREPARE(float, PoolingGradient)
RAVINE_PREPARE(double, PoolingGradient)
#undef RAVINE_PREPARE

}  // namespace ravine::cpu
