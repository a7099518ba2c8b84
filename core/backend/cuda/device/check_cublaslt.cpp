// Compiled where cublasLt.h is there: whether the declarations in cublaslt.h are its own.
#include <cublasLt.h>

#include <type_traits>

#include "backend/cuda/device/cublaslt.h"

namespace ravine::cuda::cublaslt {

static_assert(compute_float32 == int{CUBLAS_COMPUTE_32F} && compute_float64 == int{CUBLAS_COMPUTE_64F});
static_assert(compute_tf32 == int{CUBLAS_COMPUTE_32F_FAST_TF32});
static_assert(transpose_a == int{CUBLASLT_MATMUL_DESC_TRANSA} &&
              transpose_b == int{CUBLASLT_MATMUL_DESC_TRANSB});
static_assert(epilogue == int{CUBLASLT_MATMUL_DESC_EPILOGUE});
static_assert(bias_pointer == int{CUBLASLT_MATMUL_DESC_BIAS_POINTER});
static_assert(most_workspace_bytes == int{CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES});
static_assert(least_alignment_a == int{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES});
static_assert(least_alignment_b == int{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES});
static_assert(least_alignment_c == int{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES});
static_assert(least_alignment_d == int{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES});
static_assert(as_it_is == int{CUBLAS_OP_N} && transposed == int{CUBLAS_OP_T});
static_assert(no_epilogue == unsigned{CUBLASLT_EPILOGUE_DEFAULT} &&
              add_bias == unsigned{CUBLASLT_EPILOGUE_BIAS});
static_assert(sum_b == unsigned{CUBLASLT_EPILOGUE_BGRADB});
static_assert(sizeof(cublasComputeType_t) == sizeof(ComputeType));
static_assert(sizeof(cublasLtMatmulDescAttributes_t) == sizeof(DescriptionAttribute));
static_assert(sizeof(cublasLtMatmulPreferenceAttributes_t) == sizeof(PreferenceAttribute));
static_assert(sizeof(cublasStatus_t) == sizeof(Status) && CUBLAS_STATUS_SUCCESS == 0);
static_assert(sizeof(cublasLtMatmulAlgo_t) == sizeof(Algorithm));
static_assert(sizeof(cublasLtMatmulHeuristicResult_t) == sizeof(Heuristic));
static_assert(offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) ==
              offsetof(Heuristic, workspace_bytes));
static_assert(offsetof(cublasLtMatmulHeuristicResult_t, state) == offsetof(Heuristic, state));

// The same number of parameters, in the same order: each is of the same size.
template <typename Own, typename Theirs>
struct Alike;
template <typename R, typename... A, typename S, typename... B>
struct Alike<R (*)(A...), S(B...)> {
  static constexpr bool value = sizeof...(A) == sizeof...(B) && ((sizeof(A) == sizeof(B)) && ...) &&
                                ((std::is_pointer_v<A> == std::is_pointer_v<B>) && ...);
};
#define RAVINE_ALIKE(own, theirs) static_assert(Alike<decltype(Functions::own), decltype(theirs)>::value)
RAVINE_ALIKE(create, cublasLtCreate);
RAVINE_ALIKE(create_description, cublasLtMatmulDescCreate);
RAVINE_ALIKE(destroy_description, cublasLtMatmulDescDestroy);
RAVINE_ALIKE(set_description, cublasLtMatmulDescSetAttribute);
RAVINE_ALIKE(create_layout, cublasLtMatrixLayoutCreate);
RAVINE_ALIKE(destroy_layout, cublasLtMatrixLayoutDestroy);
RAVINE_ALIKE(create_preference, cublasLtMatmulPreferenceCreate);
RAVINE_ALIKE(destroy_preference, cublasLtMatmulPreferenceDestroy);
RAVINE_ALIKE(set_preference, cublasLtMatmulPreferenceSetAttribute);
RAVINE_ALIKE(choose, cublasLtMatmulAlgoGetHeuristic);
RAVINE_ALIKE(multiply, cublasLtMatmul);
#undef RAVINE_ALIKE

}  // namespace ravine::cuda::cublaslt
