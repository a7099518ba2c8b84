#include "network/memory_plan.h"

#include <algorithm>

namespace ravine {
namespace {

constexpr std::int64_t alignment = 64;  // bytes: a cache line, a vector register

struct Lifetime {
  TensorId tensor;
  int first = -1;
  int last = -1;
  std::int64_t bytes = 0;
  std::int64_t offset = 0;
};

}  // namespace

MemoryPlan plan_memory(const Program& program, const std::vector<TensorId>& kept) {
  const int end = static_cast<int>(program.steps.size());
  std::vector<Lifetime> lifetimes(program.tensors.size());
  // Whatever a phase touches lives for the whole of it.
  std::vector<int> time(program.steps.size());
  for (std::size_t index = 0; index < time.size(); ++index) time[index] = static_cast<int>(index);
  for (const Phase& phase : program.phases) {
    for (std::size_t i = 0; i < phase.count; ++i) time[phase.first + i] = static_cast<int>(phase.first);
  }
  for (std::size_t step = 0; step < time.size(); ++step) {
    const Operation& operation = program.steps[step].operation;
    const int index = time[step];
    for (const auto& ids : {inputs_of(operation), outputs_of(operation)}) {
      for (TensorId id : ids) {
        Lifetime& lifetime = lifetimes[static_cast<std::size_t>(program.root(id))];
        if (lifetime.first < 0) lifetime.first = index;
        lifetime.last = index;
      }
    }
  }
  for (TensorId id : kept) lifetimes[static_cast<std::size_t>(program.root(id))].last = end;

  MemoryPlan plan;
  plan.offsets.assign(program.tensors.size(), -1);
  std::vector<Lifetime> pending;
  for (std::size_t i = 0; i < lifetimes.size(); ++i) {
    const Tensor& tensor = program.tensors[i];
    if (tensor.role != TensorRole::activation || lifetimes[i].first < 0) continue;
    lifetimes[i].tensor = static_cast<TensorId>(i);
    const std::int64_t bytes = tensor.shape.elements() * static_cast<std::int64_t>(size_of(tensor.dtype));
    lifetimes[i].bytes = (bytes + alignment - 1) / alignment * alignment;
    plan.unshared_bytes += lifetimes[i].bytes;
    pending.push_back(lifetimes[i]);
  }

  // Largest first, each at the lowest offset that is free for its whole life.
  std::stable_sort(pending.begin(), pending.end(),
                   [](const Lifetime& a, const Lifetime& b) { return a.bytes > b.bytes; });
  std::vector<Lifetime> placed;  // sorted by offset
  for (Lifetime& lifetime : pending) {
    std::int64_t offset = 0;
    for (const Lifetime& other : placed) {
      const bool together =
          !program.options.share_memory || (other.first <= lifetime.last && lifetime.first <= other.last);
      if (!together) continue;
      if (offset + lifetime.bytes <= other.offset) break;
      offset = std::max(offset, other.offset + other.bytes);
    }
    lifetime.offset = offset;
    plan.bytes = std::max(plan.bytes, offset + lifetime.bytes);
    plan.offsets[static_cast<std::size_t>(lifetime.tensor)] = offset;
    placed.insert(std::upper_bound(placed.begin(), placed.end(), lifetime,
                                   [](const Lifetime& a, const Lifetime& b) { return a.offset < b.offset; }),
                  lifetime);
  }
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    plan.offsets[i] = plan.offsets[static_cast<std::size_t>(program.root(static_cast<TensorId>(i)))];
  }
  return plan;
}

}  // namespace ravine
