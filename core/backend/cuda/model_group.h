// Operations in which all ranks of a model group take part.
#pragma once

#include "backend/cuda/operation.h"

namespace ravine::cuda {

template <typename T>
Prepared prepare_model_group(const GatherColumns& o, const Preparation& preparation);
template <typename T>
Prepared prepare_model_group(const SumRanks& o, const Preparation& preparation);
template <typename T>
Prepared prepare_model_group(const Broadcast& o, const Preparation& preparation);
template <typename T>
Prepared prepare_model_group(const MergeMeasurements& o, const Preparation& preparation);

// Lets the ranks know what each has measured, once it is on the host; nothing for other operations than
// MergeMeasurements.
void merge_measurements(CudaOperation& operation, Measurements& measurements) noexcept;

}  // namespace ravine::cuda
