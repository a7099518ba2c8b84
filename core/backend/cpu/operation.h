// A prepared operation: tiles that any worker may run, and measurements collected in tile order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace ravine::cpu {

// Where each tensor of a program lies now.
using PointerTable = std::vector<void*>;

class CpuOperation {
 public:
  virtual ~CpuOperation() = default;
  // The number of tiles depends on the shapes alone, never on the number of threads: results are sums over
  // tiles in order, so every team computes the same bits.
  virtual int tiles() const = 0;
  virtual void run(int tile, int worker, const RunContext& context) noexcept = 0;
  // An operation of several stages, each with tiles of its own and a barrier behind it, overrides these.
  virtual int stages() const { return 1; }
  virtual int tiles_of(int) const { return tiles(); }
  virtual int heaviest_stage() const { return stages() - 1; }
  virtual void run_stage(int, int tile, int worker, const RunContext& context) noexcept {
    run(tile, worker, context);
  }
  virtual void collect(Measurements&) const noexcept {}
  // What the program asks some operations for.
  virtual Meeting* meeting() { return nullptr; }
  virtual double weight_of_rows() const noexcept { return 0; }  // of losses
  virtual std::string engine() const { return "loop"; }
};

// Prepares one operation. `pointers` outlives it and may be filled later. In a phase by rows, each tile of
// its heaviest stage takes `samples` samples; 0 leaves that to the operation.
std::unique_ptr<CpuOperation> prepare_operation(const Operation& operation, const Program& program,
                                                const PointerTable& pointers, int workers,
                                                std::int64_t samples);

// Operations with files of their own, for both element types; those whose tensors are all stored alike also
// for Bfloat16.
template <typename T>
std::unique_ptr<CpuOperation> prepare_product(const Product& product, const Program& program,
                                              const PointerTable& pointers, int workers,
                                              std::int64_t samples);

template <typename T>
std::unique_ptr<CpuOperation> prepare_add(const Add& o, const Program& program, const PointerTable& pointers,
                                          std::int64_t samples);
template <typename T>
std::unique_ptr<CpuOperation> prepare_copy_columns(const CopyColumns& o, const Program& program,
                                                   const PointerTable& pointers, std::int64_t samples);

// SoftmaxCrossEntropy, ElementwiseLoss.
template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_loss(const Given& o, const Program& program,
                                           const PointerTable& pointers, std::int64_t samples);

// Convolution, ConvolutionInputGradient, ConvolutionWeightGradient.
template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_convolution(const Given& o, const Program& program,
                                                  const PointerTable& pointers, int workers,
                                                  std::int64_t samples);
// Pooling, PoolingGradient.
template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_pooling(const Given& o, const Program& program,
                                              const PointerTable& pointers, int workers,
                                              std::int64_t samples);

// GatherColumns, SumRanks, Broadcast, MergeMeasurements.
template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_model_group(const Given& o, const Program& program,
                                                  const PointerTable& pointers);

// Normalizations of columns, blocks and weights, and moving averages.
template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_normalization(const Given& given, const Program& program,
                                                    const PointerTable& pointers, int workers,
                                                    std::int64_t samples);

}  // namespace ravine::cpu
