// Convolutions of cuDNN. A plan is chosen when an operation is prepared, by cuDNN's heuristics, and kept: so
// the same program gives the same bits, and nothing is chosen or allocated in a step.
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "backend/cuda/copy_cells.h"
#include "backend/cuda/device/cudnn_convolution.h"

namespace ravine::cuda {
namespace {

// One of each stream, to the end of the process; null where cuDNN cannot be used.
cudnn::Handle handle_of(const Stream& stream) {
  static std::mutex mutex;
  static std::map<std::pair<int, void*>, cudnn::Handle> handles;
  const cudnn::Library& library = cudnn::library();
  if (!library.missing.empty()) return nullptr;
  const std::lock_guard lock(mutex);
  const std::pair key{stream.device(), stream.handle()};
  const auto found = handles.find(key);
  if (found != handles.end()) return found->second;
  stream.activate();
  cudnn::Handle handle = nullptr;
  if (library.functions.create(&handle) != 0) handle = nullptr;
  return handles[key] = handle;
}

// The task in the types that are multiplied; `result` is what is written.
cudnn::PlanTask plan_task(const ConvolutionTask& task, cudnn::DataType result) {
  const cudnn::DataType factor = task.factors_are_rounded ? cudnn::bfloat16 : cudnn::float32;
  cudnn::PlanTask wanted{task.kind, task.extents, factor, factor, factor, task.has_bias, task.has_relu};
  wanted.allows_tf32 = task.allows_tf32;
  wanted.allows_winograd = task.allows_winograd;
  wanted.most_workspace = static_cast<std::int64_t>(Stream::workspace_bytes);
  if (task.kind == ConvolutionKind::forward) wanted.output = result;
  if (task.kind == ConvolutionKind::input_gradient) wanted.input = result;
  if (task.kind == ConvolutionKind::weight_gradient) wanted.weight = result;
  return wanted;
}

// A tensor as cuDNN wants it: itself, or a copy in the type of the plan, or that is aligned.
class Side {
 public:
  Side(Stream& stream, std::int64_t elements, bool is_rounded)
      : stream_(stream), elements_(elements), is_rounded_(is_rounded) {}

  // `is_there`: the tensor is as is wanted, and always aligned.
  void prepare(bool is_there) {
    if (is_there) return;
    copy_ = Array<std::byte>(stream_, static_cast<std::size_t>(elements_) * (is_rounded_ ? 2 : 4));
  }
  const void* read(const Cells<float>& cells) const noexcept {
    if (fits(cells)) return cells.data;
    copy_cells(stream_, cells, copy(), elements_);
    return copy_.data();
  }
  // Where to write; `written` brings it to the tensor.
  void* place(const Cells<float>& cells) const noexcept { return fits(cells) ? cells.data : copy_.data(); }
  void written(const Cells<float>& cells) const noexcept {
    if (!fits(cells)) copy_cells(stream_, copy(), cells, elements_);
  }

 private:
  bool fits(const Cells<float>& cells) const {
    return copy_.data() == nullptr || (cells.rounded == is_rounded_ && cells.is_aligned());
  }
  Cells<float> copy() const { return {copy_.data(), is_rounded_}; }

  Stream& stream_;
  std::int64_t elements_;
  bool is_rounded_;
  Array<std::byte> copy_;
};

class CudnnConvolution final : public ConvolutionEngine<float> {
 public:
  CudnnConvolution(Stream& stream, const ConvolutionTask& task, cudnn::Handle handle,
                   const cudnn::PlanTask& plan_task, cudnn::Plan plan)
      : stream_(stream),
        kind_(task.kind),
        handle_(handle),
        plan_(std::move(plan)),
        workspace_(stream.workspace()),
        input_(stream, elements_of_input(task.extents), plan_task.input == cudnn::bfloat16),
        weight_(stream, std::int64_t{task.extents.filters} * task.extents.weights_of_filter(),
                plan_task.weight == cudnn::bfloat16),
        output_(stream, std::int64_t{task.extents.places()} * task.extents.filters,
                plan_task.output == cudnn::bfloat16),
        bias_(stream, task.extents.filters, false),
        has_bias_(task.has_bias) {
    // What is multiplied is as it has to be; parameters are slices of a buffer, which may begin anywhere.
    const bool writes_weight = kind_ == ConvolutionKind::weight_gradient;
    const auto result = writes_weight                       ? plan_task.weight
                        : kind_ == ConvolutionKind::forward ? plan_task.output
                                                            : plan_task.input;
    const bool is_there = task.result_is_stored == (result == cudnn::bfloat16);
    input_.prepare(kind_ != ConvolutionKind::input_gradient || is_there);
    output_.prepare(kind_ != ConvolutionKind::forward || is_there);
    weight_.prepare(!writes_weight && task.factors_are_rounded);
    if (has_bias_) bias_.prepare(false);
  }

  void run(const ConvolutionTensors<float>& tensors) noexcept override {
    if (stream_.failed()) return;
    const void* bias = nullptr;
    if (has_bias_) bias = bias_.read({const_cast<float*>(tensors.bias), false});
    const bool writes_input = kind_ == ConvolutionKind::input_gradient;
    const bool writes_weight = kind_ == ConvolutionKind::weight_gradient;
    const bool writes_output = kind_ == ConvolutionKind::forward;
    const auto place = [](const Side& side, const Cells<float>& cells, bool writes) {
      return writes ? side.place(cells) : side.read(cells);
    };
    const void* const in = place(input_, tensors.input, writes_input);
    const void* const filters = place(weight_, tensors.weight, writes_weight);
    const void* const out = place(output_, tensors.output, writes_output);
    const cudnn::Functions& functions = cudnn::library().functions;
    stream_.activate();
    if (functions.set_stream(handle_, stream_.handle()) != 0 ||
        !plan_.point(in, filters, out, bias, workspace_) || !plan_.run(handle_)) {
      char why[256] = {};
      functions.last_error(why, sizeof(why));
      return stream_.fail(std::string("cuDNN could not compute a convolution: ") + why);
    }
    if (writes_input) input_.written(tensors.input);
    if (writes_weight) weight_.written(tensors.weight);
    if (writes_output) output_.written(tensors.output);
  }

  std::string name() const override {
    return cudnn::library_name() + " engine " + std::to_string(plan_.engine());
  }

 private:
  static std::int64_t elements_of_input(const ConvolutionExtents& e) {
    return std::int64_t{e.images} * e.height * e.width * e.channels;
  }

  Stream& stream_;
  ConvolutionKind kind_;
  cudnn::Handle handle_;
  cudnn::Plan plan_;
  void* workspace_;
  Side input_, weight_, output_, bias_;
  bool has_bias_;
};

}  // namespace

template <>
std::unique_ptr<ConvolutionEngine<float>> make_library_convolution(Stream& stream,
                                                                   const ConvolutionTask& task) {
  const cudnn::Handle handle = handle_of(stream);
  if (handle == nullptr) return nullptr;
  stream.activate();
  // What is not stored in bfloat16 is best not rounded to it; but not all cards have plans for that.
  for (const cudnn::DataType result : {cudnn::float32, cudnn::bfloat16}) {
    if (result == cudnn::bfloat16 && !task.factors_are_rounded) continue;
    if (result == cudnn::float32 && task.result_is_stored) continue;
    const cudnn::PlanTask wanted = plan_task(task, result);
    std::optional<cudnn::Plan> plan = cudnn::Plan::choose(wanted, {handle, nullptr});
    if (!plan) continue;
    return std::make_unique<CudnnConvolution>(stream, task, handle, wanted, std::move(*plan));
  }
  return nullptr;
}

// cuDNN's are not better than our own there.
template <>
std::unique_ptr<ConvolutionEngine<double>> make_library_convolution(Stream&, const ConvolutionTask&) {
  return nullptr;
}

}  // namespace ravine::cuda
