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
  virtual void collect(Measurements&) const noexcept {}
  virtual std::string engine() const { return "loop"; }
};

// Prepares one operation. `pointers` outlives it and may be filled later.
std::unique_ptr<CpuOperation> prepare_operation(const Operation& operation, const Program& program,
                                                const PointerTable& pointers, int workers);

// Of two types: the products have a file of their own.
template <typename T>
std::unique_ptr<CpuOperation> prepare_product(const Product& product, const Program& program,
                                              const PointerTable& pointers, int workers);

}  // namespace ravine::cpu
