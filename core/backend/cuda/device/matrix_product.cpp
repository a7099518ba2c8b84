// Products by cuBLASLt. An algorithm is chosen at a product's first run, by where its matrices lie, and kept:
// so the same program gives the same bits.
#include "backend/cuda/matrix_product.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "backend/cuda/device/cublaslt.h"
#include "base/errors.h"

namespace ravine::cuda {
namespace {

using cublaslt::Functions;

const Functions& functions() {
  const cublaslt::Library& library = cublaslt::library();
  if (library.missing.empty()) return library.functions;
  throw Error(ErrorCode::device_unavailable, library.missing + ", or use device cpu").at_key("device");
}

// One of each device, to the end of the process.
cublaslt::Handle handle_of(const Stream& stream) {
  static std::mutex mutex;
  static std::map<int, cublaslt::Handle> handles;
  const std::lock_guard lock(mutex);
  const auto found = handles.find(stream.device());
  if (found != handles.end()) return found->second;
  stream.activate();
  cublaslt::Handle handle = nullptr;
  if (functions().create(&handle) != 0) {
    throw Error(ErrorCode::device_unavailable,
                "cuBLASLt cannot be used on cuda:" + std::to_string(stream.device()))
        .at_key("device");
  }
  return handles[stream.device()] = handle;
}

// Alignment of an address, in bytes, up to that of tensors in an arena.
std::uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data) | 64;
  return static_cast<std::uint32_t>(address & (~address + 1));
}

template <typename T>
class CublasLtProduct final : public LibraryProduct<T> {
 public:
  CublasLtProduct(Stream& stream, const ColumnMajorProduct& product)
      : stream_(stream), functions_(functions()), handle_(handle_of(stream)), workspace_(stream.workspace()) {
    const ColumnMajorProduct& p = product;
    check(functions_.create_description(&description_, compute_type, type));
    set(cublaslt::transpose_a, p.transpose_a ? cublaslt::transposed : cublaslt::as_it_is);
    set(cublaslt::transpose_b, p.transpose_b ? cublaslt::transposed : cublaslt::as_it_is);
    create_layout(a_, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.a_stride);
    create_layout(b_, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p.b_stride);
    create_layout(c_, p.m, p.n, p.c_stride);
    if (!stream.failed()) return;
    release();
    stream.rethrow();
  }
  ~CublasLtProduct() override { release(); }
  CublasLtProduct(const CublasLtProduct&) = delete;
  CublasLtProduct& operator=(const CublasLtProduct&) = delete;

  void run(const T* a, const T* b, const T* bias, T* c) noexcept override {
    if (stream_.failed()) return;
    if (bias != bias_) {
      set(cublaslt::bias_pointer, bias);
      bias_ = bias;
    }
    if (!chosen_) choose(a, b, c);
    if (stream_.failed()) return;
    const T one = 1;
    const T zero = 0;
    check(functions_.multiply(handle_, description_, &one, a, a_, b, b_, &zero, c, c_, c, c_, &algorithm_,
                              workspace_, Stream::workspace_bytes,
                              static_cast<cudaStream_t>(stream_.handle())));
  }

 private:
  static constexpr bool is_double = sizeof(T) == 8;
  static constexpr cudaDataType_t type = is_double ? CUDA_R_64F : CUDA_R_32F;
  // TF32 is left out: float32 is what it says.
  static constexpr cublaslt::ComputeType compute_type =
      is_double ? cublaslt::compute_float64 : cublaslt::compute_float32;

  void check(cublaslt::Status status) noexcept {
    if (status != 0) stream_.fail("cuBLASLt returned " + std::to_string(status));
  }
  template <typename Value>
  void set(cublaslt::DescriptionAttribute attribute, Value value) noexcept {
    check(functions_.set_description(description_, attribute, &value, sizeof(value)));
  }
  void create_layout(cublaslt::Layout& layout, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
    check(functions_.create_layout(&layout, type, static_cast<std::uint64_t>(rows),
                                   static_cast<std::uint64_t>(columns), stride));
  }

  // Whether there is a bias is the same in every run, and so is how it is aligned.
  void choose(const T* a, const T* b, const T* c) noexcept {
    set(cublaslt::epilogue, bias_ == nullptr ? cublaslt::no_epilogue : cublaslt::add_bias);
    cublaslt::Preference preference = nullptr;
    check(functions_.create_preference(&preference));
    const auto prefer = [&](cublaslt::PreferenceAttribute attribute, auto value) {
      check(functions_.set_preference(preference, attribute, &value, sizeof(value)));
    };
    prefer(cublaslt::most_workspace_bytes, std::uint64_t{Stream::workspace_bytes});
    prefer(cublaslt::least_alignment_a, alignment_of(a));
    prefer(cublaslt::least_alignment_b, alignment_of(b));
    prefer(cublaslt::least_alignment_c, alignment_of(c));
    prefer(cublaslt::least_alignment_d, alignment_of(c));
    cublaslt::Heuristic found{};
    int count = 0;
    if (!stream_.failed()) {
      check(functions_.choose(handle_, description_, a_, b_, c_, c_, preference, 1, &found, &count));
    }
    if (count == 0) stream_.fail("cuBLASLt has no algorithm for a product");
    functions_.destroy_preference(preference);
    algorithm_ = found.algorithm;
    chosen_ = true;
  }

  void release() noexcept {
    for (cublaslt::Layout layout : {a_, b_, c_}) {
      if (layout != nullptr) functions_.destroy_layout(layout);
    }
    if (description_ != nullptr) functions_.destroy_description(description_);
  }

  Stream& stream_;
  const Functions& functions_;
  cublaslt::Handle handle_;
  void* workspace_;
  cublaslt::Description description_ = nullptr;
  cublaslt::Layout a_ = nullptr;
  cublaslt::Layout b_ = nullptr;
  cublaslt::Layout c_ = nullptr;
  const T* bias_ = nullptr;
  bool chosen_ = false;
  cublaslt::Algorithm algorithm_{};
};

}  // namespace

// A bias that is aligned for vectors; in float64 there is no such epilogue.
template <>
bool adds_bias(const float* bias) {
  return reinterpret_cast<std::uintptr_t>(bias) % 16 == 0;
}
template <>
bool adds_bias(const double*) {
  return false;
}

template <typename T>
std::unique_ptr<LibraryProduct<T>> make_library_product(Stream& stream, const ColumnMajorProduct& product) {
  return std::make_unique<CublasLtProduct<T>>(stream, product);
}
template std::unique_ptr<LibraryProduct<float>> make_library_product(Stream&, const ColumnMajorProduct&);
template std::unique_ptr<LibraryProduct<double>> make_library_product(Stream&, const ColumnMajorProduct&);

std::string library_name() { return "cuBLASLt " + std::to_string(functions().version()); }

}  // namespace ravine::cuda
