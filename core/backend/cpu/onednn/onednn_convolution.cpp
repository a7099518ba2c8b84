// Convolutions by oneDNN: primitives made for a single thread and a few images, channels last, with weights
// in the order that the primitive chooses.
#include <dnnl.hpp>
#include <limits>
#include <string_view>
#include <vector>

#include "backend/cpu/convolution_engine.h"
#include "backend/cpu/onednn/one_thread.h"
#include "backend/cpu/simd/kernels.h"

namespace ravine::cpu {
namespace {

using dnnl::memory;
constexpr auto f32 = memory::data_type::f32;
constexpr auto any = memory::format_tag::any;

memory::desc images_of(std::int64_t count, std::int64_t height, std::int64_t width, std::int64_t channels,
                       memory::data_type type) {
  return {{count, channels, height, width}, type, memory::format_tag::nhwc};
}

memory::dims weight_extents(const ConvolutionShape& s) {
  if (s.groups == 1) return {s.filters, s.channels, s.window.height, s.window.width};
  return {s.groups, s.filters / s.groups, s.channels / s.groups, s.window.height, s.window.width};
}

// As weights lie in the parameters: (filters, height, width, channels / groups).
memory::desc plain_weights(const ConvolutionShape& s) {
  const std::int64_t channels = s.channels / s.groups;
  const std::int64_t row = s.window.width * channels;
  const std::int64_t filter = s.window.height * row;
  memory::dims strides{filter, 1, row, channels};
  if (s.groups > 1) strides.insert(strides.begin(), s.filters / s.groups * filter);
  return {weight_extents(s), f32, strides};
}

// The arguments of a convolution that are fixed by its shape.
struct Geometry {
  explicit Geometry(const ConvolutionShape& s)
      : strides{s.window.stride, s.window.stride},
        dilates{s.window.dilation - 1, s.window.dilation - 1},
        before{s.window.top, s.window.left},
        after{behind(s.height, s.out_height, s.window.height, s.window.top, s.window),
              behind(s.width, s.out_width, s.window.width, s.window.left, s.window)} {}

  static std::int64_t behind(std::int64_t extent, std::int64_t positions, std::int64_t size,
                             std::int64_t first, const Window& window) {
    return (positions - 1) * window.stride + (size - 1) * window.dilation + 1 - extent - first;
  }

  memory::dims strides, dilates, before, after;
};

// A primitive for one number of images.
struct Prepared {
  dnnl::primitive primitive;
  memory::desc first, second, result, scratchpad;
};

struct Names {
  int first, second, result;
};

Names names_of(ConvolutionKind kind) {
  switch (kind) {
    case ConvolutionKind::forward:
      return {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    case ConvolutionKind::input_gradient:
      return {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC};
    case ConvolutionKind::weight_gradient:
      return {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS};
  }
  return {};
}

// The reference implementation is slower than a product.
template <typename Description>
const Description& fast(const Description& description) {
  if (std::string_view(description.impl_info_str()).starts_with("ref")) {
    throw dnnl::error(dnnl_unimplemented, "only a reference implementation");
  }
  return description;
}

// `operands`: the type of what is multiplied; sums are float32.
Prepared prepare(ConvolutionKind kind, const ConvolutionShape& s, std::int64_t images,
                 const memory::desc& weights, memory::data_type operands) {
  const dnnl::engine& engine = onednn_engine();
  dnnl::primitive_attr attributes;
  // The library's own scratchpad belongs to the thread that made the primitive; ours is one a worker.
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const Geometry g(s);
  const memory::desc input = images_of(images, s.height, s.width, s.channels,
                                       kind == ConvolutionKind::input_gradient ? f32 : operands);
  const memory::desc output = images_of(images, s.out_height, s.out_width, s.filters,
                                        kind == ConvolutionKind::forward ? f32 : operands);
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const auto forward = [&](const memory::desc& source, const memory::desc& filters,
                           const memory::desc& destination, const dnnl::primitive_attr& with) {
    return dnnl::convolution_forward::primitive_desc(engine, dnnl::prop_kind::forward_training, algorithm,
                                                     source, filters, destination, g.strides, g.dilates,
                                                     g.before, g.after, with);
  };
  if (kind == ConvolutionKind::forward) {
    const auto description = forward(input, weights, output, attributes);
    return {dnnl::convolution_forward(fast(description)), input, description.weights_desc(), output,
            description.scratchpad_desc()};
  }
  const auto hint =
      forward(images_of(images, s.height, s.width, s.channels, operands), {weight_extents(s), operands, any},
              images_of(images, s.out_height, s.out_width, s.filters, operands), {});
  if (kind == ConvolutionKind::input_gradient) {
    const dnnl::convolution_backward_data::primitive_desc description(
        engine, algorithm, input, weights, output, g.strides, g.dilates, g.before, g.after, hint, attributes);
    return {dnnl::convolution_backward_data(fast(description)), output, description.weights_desc(), input,
            description.scratchpad_desc()};
  }
  const dnnl::convolution_backward_weights::primitive_desc description(
      engine, algorithm, input, weights, output, g.strides, g.dilates, g.before, g.after, hint, attributes);
  return {dnnl::convolution_backward_weights(fast(description)), input, output,
          description.diff_weights_desc(), description.scratchpad_desc()};
}

class OneDnnConvolution final : public ConvolutionEngine<float> {
 public:
  OneDnnConvolution(ConvolutionKind kind, const ConvolutionShape& shape, const ImageCut& cut, int workers,
                    const OperandForms& forms)
      : names_(names_of(kind)), images_(std::min(cut.images, cut.batch)), plain_(plain_weights(shape)) {
    const OneThread one_thread;
    const bool is_gradient = kind == ConvolutionKind::weight_gradient;
    bfloat16_ = forms.bfloat16();
    const memory::data_type operands = bfloat16_ ? memory::data_type::bf16 : f32;
    inner_ =
        prepare(kind, shape, images_, {weight_extents(shape), is_gradient ? f32 : operands, any}, operands);
    own_ = is_gradient ? inner_.result : inner_.second;
    const std::int64_t rest = cut.batch % images_;
    edge_ = rest == 0 ? inner_ : prepare(kind, shape, rest, own_, operands);
    const bool from_input = kind != ConvolutionKind::input_gradient;
    if (forms.first == OperandForm::rounded) {
      first_elements_ = from_input ? shape.input_elements() : shape.output_elements();
    }
    if (is_gradient && forms.second == OperandForm::rounded) second_elements_ = shape.output_elements();
    import_ = reorder(plain_, own_);
    export_ = reorder(own_, plain_);
    const dnnl::engine& engine = onednn_engine();
    for (int worker = 0; worker < workers; ++worker) {
      workers_.push_back({dnnl::stream(engine), arguments(inner_), arguments(edge_),
                          AlignedArray<Bfloat16>(images_ * first_elements_),
                          AlignedArray<Bfloat16>(images_ * second_elements_)});
    }
  }

  bool reorders() const override { return own_ != plain_; }
  std::int64_t own_elements() const override {
    return static_cast<std::int64_t>((own_.get_size() + sizeof(float) - 1) / sizeof(float));
  }
  void import_part(int, const float* weights, float* own) noexcept override {
    import_.run(const_cast<float*>(weights), own);
  }
  void export_part(int, const float* own, float* weights) noexcept override {
    export_.run(const_cast<float*>(own), weights);
  }

  void run(int worker, std::int64_t images, const void* first, const void* second,
           float* result) noexcept override {
    Worker& own = workers_[static_cast<std::size_t>(worker)];
    const bool whole = images == images_;
    Arguments& given = whole ? own.inner : own.edge;
    given.first.set_data_handle(operand(first, images * first_elements_, own.first));
    given.second.set_data_handle(operand(second, images * second_elements_, own.second));
    given.result.set_data_handle(result);
    // The C interface takes an array of arguments: no map is built at each step.
    const dnnl_exec_arg_t arguments[] = {{names_.first, given.first.get()},
                                         {names_.second, given.second.get()},
                                         {names_.result, given.result.get()},
                                         {DNNL_ARG_SCRATCHPAD, given.scratchpad.get()}};
    const Prepared& prepared = whole ? inner_ : edge_;
    // A failure cannot be thrown from here; NaN ends the step with a message instead of a wrong result.
    if (dnnl_primitive_execute(prepared.primitive.get(), own.stream.get(), 4, arguments) != dnnl_success) {
      *result = std::numeric_limits<float>::quiet_NaN();
    }
  }

  const char* name() const override { return bfloat16_ ? "oneDNN bf16" : "oneDNN"; }

 private:
  struct Arguments {
    memory first, second, result, scratchpad;
  };
  struct Worker {
    dnnl::stream stream;
    Arguments inner, edge;
    AlignedArray<Bfloat16> first, second;  // rounded
  };
  // Weights from one order into another, by one worker at a time.
  struct Reorder {
    dnnl::reorder primitive;
    dnnl::stream stream;
    memory from, to, scratchpad;

    void run(float* given, float* wanted) noexcept {
      from.set_data_handle(given);
      to.set_data_handle(wanted);
      const dnnl_exec_arg_t arguments[] = {
          {DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}, {DNNL_ARG_SCRATCHPAD, scratchpad.get()}};
      if (dnnl_primitive_execute(primitive.get(), stream.get(), 3, arguments) != dnnl_success) {
        *wanted = std::numeric_limits<float>::quiet_NaN();
      }
    }
  };

  // What a primitive reads: the values as they lie, or where there are elements to round, those rounded to
  // bfloat16.
  static void* operand(const void* values, std::int64_t elements, AlignedArray<Bfloat16>& rounded) {
    if (elements == 0) return const_cast<void*>(values);
    kernels<float>().bfloat16.round(static_cast<const float*>(values), rounded.get(), elements);
    return rounded.get();
  }

  static Reorder reorder(const memory::desc& from, const memory::desc& to) {
    const dnnl::engine& engine = onednn_engine();
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::reorder::primitive_desc description(engine, from, engine, to, attributes);
    return {dnnl::reorder(description), dnnl::stream(engine), memory(from, engine, nullptr),
            memory(to, engine, nullptr), memory(description.scratchpad_desc(), engine)};
  }

  static Arguments arguments(const Prepared& prepared) {
    const dnnl::engine& engine = onednn_engine();
    return {memory(prepared.first, engine, nullptr), memory(prepared.second, engine, nullptr),
            memory(prepared.result, engine, nullptr), memory(prepared.scratchpad, engine)};
  }

  Names names_;
  std::int64_t images_;
  memory::desc plain_, own_;
  Prepared inner_, edge_;
  bool bfloat16_ = false;
  std::int64_t first_elements_ = 0;  // of an image, that are rounded
  std::int64_t second_elements_ = 0;
  Reorder import_, export_;
  std::vector<Worker> workers_;
};

}  // namespace

std::unique_ptr<ConvolutionEngine<float>> make_onednn_convolution(ConvolutionKind kind,
                                                                  const ConvolutionShape& shape,
                                                                  const ImageCut& cut, int workers,
                                                                  const OperandForms& forms) {
  try {
    return std::make_unique<OneDnnConvolution>(kind, shape, cut, workers, forms);
  } catch (const dnnl::error&) {
    return nullptr;  // there is no such primitive: the product takes its place
  }
}

}  // namespace ravine::cpu
