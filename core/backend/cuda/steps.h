// Training steps that follow each other on a stream.
#pragma once

#include <memory>
#include <vector>

#include "backend/cuda/stream.h"
#include "backend/prepared_steps.h"

namespace ravine::cuda {

class CudaSteps;
class StreamUpdate;

// Those that end with one update.
class StepsOfUpdate {
 public:
  StepsOfUpdate();
  ~StepsOfUpdate();
  StepsOfUpdate(const StepsOfUpdate&) = delete;
  StepsOfUpdate& operator=(const StepsOfUpdate&) = delete;

  // Binds the tensors of the batch, too.
  PreparedSteps* find(const StepRequest& request, StreamUpdate& update,
                      const std::shared_ptr<Stream>& stream);

 private:
  std::vector<std::unique_ptr<CudaSteps>> steps_;
};

}  // namespace ravine::cuda
