// Plans of cuDNN for a convolution or one of its gradients.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/cuda/convolution_engine.h"
#include "backend/cuda/device/cudnn.h"

namespace ravine::cuda::cudnn {

// Owns a descriptor. After an error the rest is not done, and `good` is false.
class Owned {
 public:
  Owned() = default;
  explicit Owned(DescriptorKind kind);
  ~Owned();
  Owned(Owned&& other) noexcept { *this = static_cast<Owned&&>(other); }
  Owned& operator=(Owned&& other) noexcept;

  template <typename Value>
  Owned& set(Attribute attribute, Type type, const std::vector<Value>& values) {
    return set(attribute, type, static_cast<std::int64_t>(values.size()), values.data());
  }
  template <typename Value>
  Owned& set_one(Attribute attribute, Type type, const Value& value) {
    return set(attribute, type, 1, &value);
  }
  Owned& set(Attribute attribute, Type type, std::int64_t count, const void* values);
  // Names another descriptor, which must be good.
  Owned& refer(Attribute attribute, const Owned& other);
  Owned& finalize();

  bool good() const { return good_; }
  Descriptor get() const { return descriptor_; }

 private:
  Descriptor descriptor_ = nullptr;
  bool good_ = false;
};

// A card that is there, by its handle; or else the properties of one, by which plans can be chosen too.
struct Target {
  Handle handle = nullptr;
  const Owned* properties = nullptr;
};

// What a plan is for: the types are those in memory.
struct PlanTask {
  ConvolutionKind kind;
  ConvolutionExtents extents;
  DataType input = float32;
  DataType weight = float32;
  DataType output = float32;
  bool has_bias = false;
  bool has_relu = false;
  bool allows_tf32 = false;
  bool allows_winograd = false;
  std::int64_t most_workspace = 0;
};

class Plan {
 public:
  // The first of the heuristics that gives the same bits again, is as exact as is asked for and has enough
  // memory; none where there is no such.
  static std::optional<Plan> choose(const PlanTask& task, const Target& target);

  // Points the plan at memory, which may be where it was before. `bias` may be null where the task has none.
  bool point(const void* input, const void* weight, const void* output, const void* bias, void* workspace);
  // Returns whether it was begun, with the memory that it was pointed at.
  bool run(Handle handle) const;
  std::int64_t engine() const { return engine_; }
  std::int64_t workspace() const { return workspace_; }

 private:
  Owned plan_;
  Owned pack_;  // of the pointers that were run with last
  std::vector<const void*> pointers_;
  std::int64_t engine_ = -1;
  std::int64_t workspace_ = 0;
};

}  // namespace ravine::cuda::cudnn
