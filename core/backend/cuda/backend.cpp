// The CUDA backend: memory, programs and updates on the stream of one device, launched by a team of one.
#include "backend/backend.h"

#include <cstring>

#include "backend/cuda/accumulation.h"
#include "backend/cuda/buffer.h"
#include "backend/cuda/communicator.h"
#include "backend/cuda/histogram.h"
#include "backend/cuda/interface.h"
#include "backend/cuda/matrix_product.h"
#include "backend/cuda/program.h"
#include "backend/cuda/report.h"
#include "backend/cuda/resident_rows.h"
#include "backend/cuda/transport.h"
#include "backend/cuda/update.h"
#include "base/errors.h"

namespace ravine::cuda {
namespace {

class OneWorker final : public Worker {
 public:
  void barrier() override {}
};

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(int device)
      : stream_(std::make_shared<Stream>(device)), visible_(std::make_shared<VisibleBuffers>()) {}

  std::unique_ptr<Buffer> allocate(std::size_t bytes) override {
    return std::make_unique<DeviceBuffer>(stream_, visible_, bytes);
  }
  void read(const void* from, void* to, std::size_t bytes) noexcept override {
    if (!stream_->owns(from)) {
      std::memcpy(to, from, bytes);  // rows may be those of the host
      return;
    }
    stream_->download(to, from, bytes);
    stream_->synchronize();
  }
  void write(const void* from, void* to, std::size_t bytes) noexcept override {
    stream_->upload(to, from, bytes);
    stream_->synchronize();
  }
  std::optional<DeviceMemory> memory() const override { return stream_->memory(); }
  double bytes_beside(const Program& program) const override { return cuda::bytes_beside(program); }
  void begin_call() override {
    stream_->rethrow();
    visible_->take();
  }
  // What a call gives the host it has waited for; an update by hand may still run.
  void end_call() noexcept override { visible_->show(); }
  bool computes(const Operation& operation) const override { return cuda::computes(operation); }
  std::unique_ptr<PreparedProgram> prepare(const Program& program, int layers, int parameters) override {
    return prepare_program(program, layers, parameters, stream_);
  }
  std::unique_ptr<PreparedUpdate> prepare_update(const std::string& rule, DType dtype,
                                                 const UpdateBuffers& buffers,
                                                 std::vector<UpdateSegment> segments) override {
    return cuda::prepare_update(rule, dtype, buffers, std::move(segments), stream_);
  }
  std::unique_ptr<PreparedAccumulation> prepare_accumulation(
      DType dtype, void* gradients, void* sum, const std::vector<BufferRange>& ranges) override {
    return cuda::prepare_accumulation(dtype, gradients, sum, ranges, stream_);
  }
  std::unique_ptr<PreparedAverage> prepare_average(DType dtype, const void* values, void* average,
                                                   std::int64_t count) override {
    return cuda::prepare_average(dtype, values, average, count, stream_);
  }
  std::unique_ptr<ResidentRows> keep_rows(const RowsRequest& request) {
    return cuda::keep_rows(request, stream_);
  }
  void add(DType dtype, const void* values, void* sum, std::int64_t count) noexcept override {
    cuda::add(dtype, values, sum, count, *stream_);
  }
  void scale(DType dtype, void* values, std::int64_t count, double factor) noexcept override {
    cuda::scale(dtype, values, count, factor, *stream_);
  }
  void copy(void* to, const void* from, std::size_t bytes) noexcept override {
    stream_->copy(to, from, bytes);
  }
  void clear(void* values, std::size_t bytes) noexcept override { cuda::clear(values, bytes, *stream_); }
  std::shared_ptr<Communicator> communicator(std::shared_ptr<Communicator> ranks, Carrier carrier) override {
    struct Pair {
      std::shared_ptr<Communicator> host;
      std::unique_ptr<Communicator> device;
    };
    const auto pair = std::make_shared<Pair>();
    pair->host = std::move(ranks);
    pair->device = make_communicator(stream_, *pair->host, carrier);
    return {pair, pair->device.get()};
  }
  void add_to_histogram(DType dtype, const void* values, std::int64_t count,
                        Histogram& histogram) noexcept override {
    cuda::add_to_histogram(*stream_, dtype, values, count, of_values_, histogram);
  }
  void parallel(const std::function<void(Worker&)>& run) override {
    stream_->activate();
    OneWorker worker;
    run(worker);
    stream_->rethrow();
  }
  int threads() const override { return 1; }
  void use_threads(int) override {}
  Device device() const override { return {DeviceKind::cuda, stream_->device()}; }
  std::string lacks_for_bfloat16() const override { return cuda::lacks_for_bfloat16(stream_->device()); }

 private:
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<VisibleBuffers> visible_;
  std::unique_ptr<DeviceHistograms> of_values_;  // one, where values were counted
};

}  // namespace
}  // namespace ravine::cuda

const char* ravine_cuda_interface() noexcept { return RAVINE_CUDA_INTERFACE; }
ravine::Backend* ravine_cuda_make(int device) { return new ravine::cuda::CudaBackend(device); }
ravine::ResidentRows* ravine_cuda_keep_rows(ravine::Backend* backend, const ravine::RowsRequest* request) {
  return static_cast<ravine::cuda::CudaBackend*>(backend)->keep_rows(*request).release();
}
void ravine_cuda_report(std::vector<ravine::BackendReport>* reports) { *reports = ravine::cuda::report(); }
