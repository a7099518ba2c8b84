// Products by oneDNN's matmul: one primitive a shape, made for a single thread, run by any worker.
#include <limits>
#include <new>
#include <vector>

#include "backend/cpu/onednn/one_thread.h"
#include "backend/cpu/product_engine.h"
#include "base/errors.h"

namespace ravine::cpu {

dnnl::engine& onednn_engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

namespace {

dnnl::memory::desc matrix(std::int64_t rows, std::int64_t columns, std::int64_t stride, bool transposed) {
  return {{rows, columns},
          dnnl::memory::data_type::f32,
          transposed ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1}};
}

class OneDnnProduct final : public ProductEngine<float> {
 public:
  OneDnnProduct(const ProductShape& shape, int workers) {
    const OneThread one_thread;
    dnnl::primitive_attr attributes;
    // The library's own scratchpad belongs to the thread that made the primitive; ours is one a worker.
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const auto left = matrix(shape.m, shape.k, shape.left_stride, shape.transpose_left);
    const auto right = matrix(shape.k, shape.n, shape.right_stride, shape.transpose_right);
    const auto output = matrix(shape.m, shape.n, shape.output_stride, false);
    try {
      const dnnl::matmul::primitive_desc description(onednn_engine(), left, right, output, attributes);
      primitive_ = dnnl::matmul(description);
      scratchpad_ = description.scratchpad_desc();
    } catch (const dnnl::error& error) {
      throw Error(ErrorCode::internal, std::string("oneDNN refused a product: ") + error.what());
    }
    workers_.reserve(static_cast<std::size_t>(workers));
    for (int worker = 0; worker < workers; ++worker) {
      workers_.push_back({dnnl::stream(onednn_engine()), dnnl::memory(left, onednn_engine(), nullptr),
                          dnnl::memory(right, onednn_engine(), nullptr),
                          dnnl::memory(output, onednn_engine(), nullptr),
                          dnnl::memory(scratchpad_, onednn_engine())});
    }
  }

  void run(int worker, const float* left, const float* right, float* output) noexcept override {
    Arguments& own = workers_[static_cast<std::size_t>(worker)];
    own.left.set_data_handle(const_cast<float*>(left));
    own.right.set_data_handle(const_cast<float*>(right));
    own.output.set_data_handle(output);
    // The C interface takes an array of arguments: no map is built at each step.
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, own.left.get()},
                                         {DNNL_ARG_WEIGHTS, own.right.get()},
                                         {DNNL_ARG_DST, own.output.get()},
                                         {DNNL_ARG_SCRATCHPAD, own.scratchpad.get()}};
    // A failure cannot be thrown from here; NaN ends the step with a message instead of a wrong result.
    if (dnnl_primitive_execute(primitive_.get(), own.stream.get(), 4, arguments) != dnnl_success) {
      *output = std::numeric_limits<float>::quiet_NaN();
    }
  }

  const char* name() const override { return "oneDNN"; }

 private:
  struct Arguments {
    dnnl::stream stream;
    dnnl::memory left, right, output, scratchpad;
  };

  dnnl::matmul primitive_;
  dnnl::memory::desc scratchpad_;
  std::vector<Arguments> workers_;
};

}  // namespace

std::unique_ptr<ProductEngine<float>> make_onednn_product(const ProductShape& shape, int workers) {
  return std::make_unique<OneDnnProduct>(shape, workers);
}

std::string onednn_version() {
  const dnnl::version_t* version = dnnl::version();
  return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch);
}

}  // namespace ravine::cpu
