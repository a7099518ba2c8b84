#include "backend/cuda/communicator.h"

#include "backend/cuda/direct_communicator.h"
#include "backend/cuda/nccl_communicator.h"

namespace ravine::cuda {

std::unique_ptr<Communicator> make_communicator(std::shared_ptr<Stream> stream, Communicator& host,
                                                Carrier carrier) {
  if (carrier == Carrier::nccl) return std::make_unique<NcclCommunicator>(std::move(stream), host);
  if (carrier == Carrier::cuda_mpi) return std::make_unique<DirectCommunicator>(std::move(stream), host);
  return std::make_unique<StagedCommunicator>(std::move(stream), host, carrier);
}

}  // namespace ravine::cuda
