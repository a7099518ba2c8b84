// Products by cuBLASLt. An algorithm is chosen when a product is prepared, by its shape, type and alignment
// alone, and kept: so the same program gives the same bits, and a step can be recorded.
#include "backend/cuda/matrix_product.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "backend/cuda/cards.h"
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

// Of an address, in bytes, up to that of tensors in an arena.
std::uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data) | 64;
  return static_cast<std::uint32_t>(address & (~address + 1));
}

// An address that is aligned so and to no more: the choice of an algorithm looks at that of a bias.
void* address_aligned_to(std::uint32_t alignment) {
  return reinterpret_cast<void*>(std::uintptr_t{1} << 20 | alignment);
}

cudaDataType_t type_of(DType dtype) {
  if (dtype == DType::float64) return CUDA_R_64F;
  return dtype == DType::bfloat16 ? CUDA_R_16BF : CUDA_R_32F;
}

cublaslt::ComputeType compute_type_of(const ProductRequest& request) {
  if (request.factors == DType::float64) return cublaslt::compute_float64;
  const bool rounds = request.factors == DType::float32 && request.tf32;
  return rounds ? cublaslt::compute_tf32 : cublaslt::compute_float32;
}

cublaslt::Epilogue epilogue_of(ProductEpilogue epilogue) {
  if (epilogue == ProductEpilogue::add_bias) return cublaslt::add_bias;
  return epilogue == ProductEpilogue::sum_b ? cublaslt::sum_b : cublaslt::no_epilogue;
}

class CublasLtProduct final : public LibraryProduct {
 public:
  CublasLtProduct(Stream& stream, const ProductRequest& request)
      : stream_(stream),
        functions_(functions()),
        handle_(handle_of(stream)),
        workspace_(stream.workspace()),
        request_(request) {
    const ColumnMajorProduct& p = request.extents;
    const cudaDataType_t scale = request.factors == DType::float64 ? CUDA_R_64F : CUDA_R_32F;
    works_ = functions_.create_description(&description_, compute_type_of(request), scale) == 0;
    set(cublaslt::transpose_a, p.transpose_a ? cublaslt::transposed : cublaslt::as_it_is);
    set(cublaslt::transpose_b, p.transpose_b ? cublaslt::transposed : cublaslt::as_it_is);
    set(cublaslt::epilogue, epilogue_of(request.epilogue));
    create_layout(a_, request.factors, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.a_stride);
    create_layout(b_, request.factors, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p.b_stride);
    create_layout(c_, request.output, p.m, p.n, p.c_stride);
    if (works_) choose();
  }
  ~CublasLtProduct() override {
    for (cublaslt::Layout layout : {a_, b_, c_}) {
      if (layout != nullptr) functions_.destroy_layout(layout);
    }
    if (description_ != nullptr) functions_.destroy_description(description_);
  }
  CublasLtProduct(const CublasLtProduct&) = delete;
  CublasLtProduct& operator=(const CublasLtProduct&) = delete;

  // Whether the library has such a product.
  bool works() const { return works_; }

  void run(const void* a, const void* b, void* c, void* extra) noexcept override {
    if (stream_.failed()) return;
    if (is_less_aligned(a, b, c)) choose();
    if (request_.epilogue != ProductEpilogue::none) set(cublaslt::bias_pointer, extra);
    const float ones[] = {1, 0};
    const double double_ones[] = {1, 0};
    const bool is_double = request_.factors == DType::float64;
    const void* one = is_double ? static_cast<const void*>(&double_ones[0]) : &ones[0];
    const void* zero = is_double ? static_cast<const void*>(&double_ones[1]) : &ones[1];
    const cublaslt::Status status =
        works_ ? functions_.multiply(handle_, description_, one, a, a_, b, b_, zero, c, c_, c, c_,
                                     &algorithm_, workspace_, Stream::workspace_bytes,
                                     static_cast<cudaStream_t>(stream_.handle()))
               : -1;
    if (status == 0) return;
    stream_.fail(works_ ? "cuBLASLt returned " + std::to_string(status)
                        : "cuBLASLt has no algorithm for a product");
  }

 private:
  template <typename Value>
  void set(cublaslt::DescriptionAttribute attribute, Value value) noexcept {
    works_ = works_ && functions_.set_description(description_, attribute, &value, sizeof(value)) == 0;
  }
  void create_layout(cublaslt::Layout& layout, DType dtype, std::int64_t rows, std::int64_t columns,
                     std::int64_t stride) noexcept {
    works_ = works_ && functions_.create_layout(&layout, type_of(dtype), static_cast<std::uint64_t>(rows),
                                                static_cast<std::uint64_t>(columns), stride) == 0;
  }

  // Tensors are where they were said to be; what is not, as memory of the caller, makes one more choice.
  bool is_less_aligned(const void* a, const void* b, const void* c) noexcept {
    const auto lower = [](std::uint32_t& alignment, const void* data) {
      if (alignment_of(data) >= alignment) return false;
      alignment = alignment_of(data);
      return true;
    };
    const bool lowered[] = {lower(request_.a_alignment, a), lower(request_.b_alignment, b),
                            lower(request_.c_alignment, c)};
    return lowered[0] || lowered[1] || lowered[2];
  }

  void choose() noexcept {
    if (request_.epilogue != ProductEpilogue::none) {
      set(cublaslt::bias_pointer, address_aligned_to(request_.extra_alignment));
    }
    cublaslt::Preference preference = nullptr;
    works_ = works_ && functions_.create_preference(&preference) == 0;
    if (!works_) return;
    const auto prefer = [&](cublaslt::PreferenceAttribute attribute, auto value) {
      works_ = works_ && functions_.set_preference(preference, attribute, &value, sizeof(value)) == 0;
    };
    prefer(cublaslt::most_workspace_bytes, std::uint64_t{Stream::workspace_bytes});
    prefer(cublaslt::least_alignment_a, request_.a_alignment);
    prefer(cublaslt::least_alignment_b, request_.b_alignment);
    prefer(cublaslt::least_alignment_c, request_.c_alignment);
    prefer(cublaslt::least_alignment_d, request_.c_alignment);
    cublaslt::Heuristic found{};
    int count = 0;
    works_ = works_ &&
             functions_.choose(handle_, description_, a_, b_, c_, c_, preference, 1, &found, &count) == 0 &&
             count > 0 && found.state == 0;
    functions_.destroy_preference(preference);
    algorithm_ = found.algorithm;
  }

  Stream& stream_;
  const Functions& functions_;
  cublaslt::Handle handle_;
  void* workspace_;
  ProductRequest request_;
  cublaslt::Description description_ = nullptr;
  cublaslt::Layout a_ = nullptr;
  cublaslt::Layout b_ = nullptr;
  cublaslt::Layout c_ = nullptr;
  bool works_ = false;
  cublaslt::Algorithm algorithm_{};
};

}  // namespace

// Extras are of float32, and aligned for vectors: float64 has none, and what is stored in bfloat16 is
// finished in float32.
std::unique_ptr<LibraryProduct> make_library_product(Stream& stream, const ProductRequest& request) {
  if (request.epilogue != ProductEpilogue::none &&
      (request.output != DType::float32 || request.extra_alignment % 16 != 0)) {
    return nullptr;
  }
  auto product = std::make_unique<CublasLtProduct>(stream, request);
  if (!product->works()) return nullptr;
  return product;
}

std::string library_name() { return "cuBLASLt " + std::to_string(functions().version()); }

std::string lacks_for_bfloat16(int device) {
  const Cards found = find_cards();
  if (device >= static_cast<int>(found.cards.size())) return "";
  const Card& card = found.cards[static_cast<std::size_t>(device)];
  if (card.major >= 8) return "";
  return "a card of compute capability 8.0 (Ampere) or newer, and the " + card.name + " has " +
         std::to_string(card.major) + "." + std::to_string(card.minor);
}

}  // namespace ravine::cuda
