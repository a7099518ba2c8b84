// The CPU backend: memory, programs as lists of tiled operations, and the team that runs them.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "backend/cpu/accumulation.h"
#include "backend/cpu/histogram.h"
#include "backend/cpu/operation.h"
#include "backend/cpu/prepared_phase.h"
#include "backend/cpu/product_engine.h"
#include "backend/cpu/simd/kernels.h"
#include "backend/cpu/team.h"
#include "backend/cpu/update.h"
#include "base/errors.h"

namespace ravine::cpu {
namespace {

class CpuBuffer final : public Buffer {
 public:
  explicit CpuBuffer(std::size_t bytes) : bytes_(bytes) {
    // The system promises more than it has: a buffer beyond its memory would end the process later.
    const std::size_t there =
        static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    data_ = bytes > there ? nullptr : ::operator new(bytes == 0 ? 64 : bytes, alignment(), std::nothrow);
    if (data_ == nullptr) {
      throw Error(ErrorCode::out_of_memory,
                  "a buffer of " + std::to_string(bytes >> 20) + " MiB is needed, this machine has " +
                      std::to_string(there >> 20) + " MiB in all; use a smaller network or batch");
    }
    // A pass over a large buffer touches many pages, and looking them up would cost more than the memory.
    if (bytes >= huge_page) madvise(data_, bytes / huge_page * huge_page, MADV_HUGEPAGE);
    std::memset(data_, 0, bytes);
  }
  ~CpuBuffer() override { ::operator delete(data_, alignment()); }
  CpuBuffer(const CpuBuffer&) = delete;
  CpuBuffer& operator=(const CpuBuffer&) = delete;

  void* data() override { return data_; }
  std::size_t bytes() const override { return bytes_; }
  void read(std::size_t offset, void* to, std::size_t count) override {
    if (count > 0) std::memcpy(to, static_cast<const std::byte*>(data_) + offset, count);
  }
  void write(std::size_t offset, const void* from, std::size_t count) override {
    if (count > 0) std::memcpy(static_cast<std::byte*>(data_) + offset, from, count);
  }
  std::shared_ptr<void> visible() override { return {shared_from_this(), data_}; }

 private:
  static constexpr std::size_t huge_page = std::size_t{2} << 20;
  std::align_val_t alignment() const { return std::align_val_t{bytes_ >= huge_page ? huge_page : 64}; }

  void* data_;
  std::size_t bytes_;
};

class CpuProgram final : public PreparedProgram {
 public:
  CpuProgram(const Program& program, int layers, int parameters, int workers)
      : pointers_(program.tensors.size(), nullptr), aliases_(program.tensors.size()) {
    for (std::size_t id = 0; id < program.tensors.size(); ++id) {
      const TensorId root = program.root(static_cast<TensorId>(id));
      aliases_[static_cast<std::size_t>(root)].push_back(id);
    }
    std::vector<Phase> phases = program.phases;
    if (phases.empty()) {
      for (std::size_t i = 0; i < program.steps.size(); ++i) phases.push_back({i, 1, false});
    }
    for (const Phase& phase : phases) {
      const std::int64_t samples = phase.by_rows ? phase.samples : 0;
      for (std::size_t i = phase.first; i < phase.first + phase.count; ++i) {
        const Step& step = program.steps[i];
        operations_.push_back({step.section,
                               prepare_operation(step.operation, program, pointers_, workers, samples),
                               cost_of(step.operation, program)});
      }
    }
    for (Section section : {Section::forward, Section::loss, Section::backward, Section::state}) {
      add_run(phases, section, section);
    }
    add_run(phases, Section::forward, Section::backward);  // the last one, see run_phases
    measurements_.layers.resize(static_cast<std::size_t>(layers));
    measurements_.gradient_squares.resize(static_cast<std::size_t>(parameters));
  }

  void bind(TensorId tensor, void* data) override {
    for (std::size_t id : aliases_[static_cast<std::size_t>(tensor)]) pointers_[id] = data;
  }

  void run(Section first, Section last, const RunContext& context, Worker& worker) noexcept override {
    for (const Run& run : runs_) {
      if (run.first != first || run.last != last) continue;
      for (const PreparedPhase& phase : run.phases) phase.run(context, worker);
    }
    if (worker.index == 0) collect(first, last);
    worker.barrier();
  }

  void run_phases(std::size_t begin, std::size_t end, const RunContext& context,
                  Worker& worker) noexcept override {
    const Run& all = runs_.back();
    for (std::size_t i = begin; i < end; ++i) all.phases[i].run(context, worker);
  }
  void collect() noexcept override { collect(Section::forward, Section::backward); }

  Meeting* meeting(std::size_t step) override { return operations_[step].operation->meeting(); }

  double weight_of_rows() const noexcept override {
    double weight = 0;
    for (const Prepared& prepared : operations_) {
      if (prepared.section == Section::loss) weight += prepared.operation->weight_of_rows();
    }
    return weight;
  }

  const Measurements& measurements() const override { return measurements_; }

  std::vector<std::string> engines() const override {
    std::vector<std::string> names;
    for (const Prepared& prepared : operations_) names.push_back(prepared.operation->engine());
    return names;
  }

 private:
  struct Prepared {
    Section section;
    std::unique_ptr<CpuOperation> operation;
    double cost;
  };
  // What is run in one go: a section, or all that compute loss and gradient.
  struct Run {
    Section first;
    Section last;
    std::vector<PreparedPhase> phases;
  };

  void collect(Section first, Section last) noexcept {
    for (const Prepared& prepared : operations_) {
      if (is_within(prepared.section, first, last)) prepared.operation->collect(measurements_);
    }
  }

  static bool is_within(Section section, Section first, Section last) {
    return section >= first && section <= last;
  }

  // The phases of some sections; of one that reaches beyond them, the part within.
  void add_run(const std::vector<Phase>& phases, Section first, Section last) {
    Run run{first, last, {}};
    for (const Phase& phase : phases) {
      std::vector<PreparedPhase::Member> members;
      for (std::size_t i = phase.first; i < phase.first + phase.count; ++i) {
        const Prepared& prepared = operations_[i];
        if (!is_within(prepared.section, first, last)) continue;
        members.push_back({prepared.operation.get(), prepared.cost});
      }
      if (!members.empty()) run.phases.push_back(PreparedPhase(members, phase.by_rows));
    }
    runs_.push_back(std::move(run));
  }

  // Cycles, roughly: some tens of operations or bytes each.
  static double cost_of(const Operation& operation, const Program& program) {
    return 1 + flops_of(operation, program) / 32 + bytes_of(operation, program) / 32;
  }

  PointerTable pointers_;
  std::vector<std::vector<std::size_t>> aliases_;  // a root tensor and all that share its memory
  std::vector<Prepared> operations_;
  std::vector<Run> runs_;
  Measurements measurements_;
};

std::string lacks_for_bfloat16() {
  if (!has_bfloat16()) return "a processor with AVX512-BF16";
  return onednn_version().empty() ? "a build with oneDNN" : "";
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads) : most_threads_(threads), threads_(threads) {}

  std::unique_ptr<Buffer> allocate(std::size_t bytes) override { return std::make_unique<CpuBuffer>(bytes); }
  void read(const void* from, void* to, std::size_t bytes) noexcept override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void write(const void* from, void* to, std::size_t bytes) noexcept override { read(from, to, bytes); }
  std::unique_ptr<PreparedProgram> prepare(const Program& program, int layers, int parameters) override {
    return std::make_unique<CpuProgram>(program, layers, parameters, most_threads_);
  }
  std::unique_ptr<PreparedUpdate> prepare_update(const std::string& rule, DType dtype,
                                                 const UpdateBuffers& buffers,
                                                 std::vector<UpdateSegment> segments) override {
    return cpu::prepare_update(rule, dtype, buffers, std::move(segments), most_threads_);
  }
  std::unique_ptr<PreparedAccumulation> prepare_accumulation(
      DType dtype, void* gradients, void* sum, const std::vector<BufferRange>& ranges) override {
    return cpu::prepare_accumulation(dtype, gradients, sum, ranges);
  }
  std::unique_ptr<PreparedAverage> prepare_average(DType dtype, const void* values, void* average,
                                                   std::int64_t count) override {
    return cpu::prepare_average(dtype, values, average, count);
  }
  void add(DType dtype, const void* values, void* sum, std::int64_t count) noexcept override {
    const auto add_as = [&]<typename T>(T one) {
      kernels<T>().accumulate(static_cast<const T*>(values), one, false, static_cast<T*>(sum), count);
    };
    if (dtype == DType::float64) {
      add_as(1.0);
    } else {
      add_as(1.0F);
    }
  }
  void scale(DType dtype, void* values, std::int64_t count, double factor) noexcept override {
    const auto scale_as = [&]<typename T>(T by) {
      T* const typed = static_cast<T*>(values);
      for (std::int64_t i = 0; i < count; ++i) typed[i] *= by;
    };
    if (dtype == DType::float64) {
      scale_as(factor);
    } else {
      scale_as(static_cast<float>(factor));
    }
  }
  void copy(void* to, const void* from, std::size_t bytes) noexcept override {
    if (bytes > 0) std::memmove(to, from, bytes);
  }
  void clear(void* values, std::size_t bytes) noexcept override {
    if (bytes > 0) std::memset(values, 0, bytes);
  }
  void add_to_histogram(DType dtype, const void* values, std::int64_t count,
                        Histogram& histogram) noexcept override {
    if (dtype == DType::float64) {
      cpu::add_to_histogram<double>({static_cast<const double*>(values), 1, count, count}, histogram);
    } else {
      cpu::add_to_histogram<float>({static_cast<const float*>(values), 1, count, count}, histogram);
    }
  }
  void parallel(const std::function<void(Worker&)>& run) override { run_team(threads_, run); }
  int threads() const override { return threads_; }
  void use_threads(int threads) override { threads_ = std::clamp(threads, 1, most_threads_); }
  Device device() const override { return {}; }
  std::string lacks_for_bfloat16() const override { return cpu::lacks_for_bfloat16(); }

 private:
  const int most_threads_;  // what is prepared has memory for so many
  int threads_;
};

}  // namespace
}  // namespace ravine::cpu

namespace ravine {

std::shared_ptr<Backend> make_cpu_backend(int threads) {
  if (threads < 1) {
    throw Error(ErrorCode::invalid_parameter, "the number of threads must be at least 1").at_key("threads");
  }
  return std::make_shared<cpu::CpuBackend>(threads);
}

std::vector<BackendReport> report_cpu() {
  const std::string onednn = cpu::onednn_version();
  const std::string lacks = cpu::lacks_for_bfloat16();
  return {{"Loops", true, std::string("compiled for ") + cpu::kernels<float>().level},
          {"oneDNN", !onednn.empty(), onednn.empty() ? "built without it; OpenBLAS serves float32" : onednn},
          {"OpenBLAS", true, cpu::openblas_version()},
          {"bfloat16", lacks.empty(), lacks.empty() ? "products by AVX512-BF16" : "needs " + lacks}};
}

}  // namespace ravine
