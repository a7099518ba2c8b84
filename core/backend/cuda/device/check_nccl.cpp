// Compiled where nccl.h is there: whether the declarations in nccl.h of the folder above are its own.
#include <nccl.h>

#include <type_traits>

#include "backend/cuda/nccl.h"

namespace ravine::cuda::nccl {

static_assert(success == int{ncclSuccess});
static_assert(bytes == int{ncclChar} && float32 == int{ncclFloat32});
static_assert(float64 == int{ncclFloat64} && bfloat16 == int{ncclBfloat16});
static_assert(sum == int{ncclSum});
static_assert(sizeof(UniqueId) == sizeof(ncclUniqueId) && alignof(UniqueId) == alignof(ncclUniqueId));
static_assert(sizeof(DataType) == sizeof(ncclDataType_t) && sizeof(Reduction) == sizeof(ncclRedOp_t));
static_assert(sizeof(Status) == sizeof(ncclResult_t));
static_assert(sizeof(Handle) == sizeof(ncclComm_t) && sizeof(StreamHandle) == sizeof(cudaStream_t));

// The same number of parameters, in the same order: each is of the same size.
template <typename Own, typename Theirs>
struct Alike;
template <typename R, typename... A, typename S, typename... B>
struct Alike<R (*)(A...), S(B...)> {
  static constexpr bool value = sizeof...(A) == sizeof...(B) && ((sizeof(A) == sizeof(B)) && ...) &&
                                ((std::is_pointer_v<A> == std::is_pointer_v<B>) && ...) &&
                                sizeof(R) == sizeof(S);
};
#define RAVINE_ALIKE(own, theirs) static_assert(Alike<decltype(Functions::own), decltype(theirs)>::value)
RAVINE_ALIKE(version, ncclGetVersion);
RAVINE_ALIKE(make_id, ncclGetUniqueId);
RAVINE_ALIKE(connect, ncclCommInitRank);
RAVINE_ALIKE(abort, ncclCommAbort);
RAVINE_ALIKE(find_error, ncclCommGetAsyncError);
RAVINE_ALIKE(text_of, ncclGetErrorString);
RAVINE_ALIKE(last_error, ncclGetLastError);
RAVINE_ALIKE(all_reduce, ncclAllReduce);
RAVINE_ALIKE(broadcast, ncclBroadcast);
RAVINE_ALIKE(begin_group, ncclGroupStart);
RAVINE_ALIKE(end_group, ncclGroupEnd);
#undef RAVINE_ALIKE

}  // namespace ravine::cuda::nccl
