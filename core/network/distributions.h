// How the values of outputs, weights and gradients are distributed at some steps: histograms, packed by the
// workers and kept until the caller drains them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/histogram.h"
#include "network/graph.h"

namespace ravine {

enum class DistributionKind { output, gradient, weight };

// What is recorded at each step: of a layer its output, of a parameter its values and its gradient.
struct DistributionSource {
  DistributionKind kind;
  std::string name;
  int index;            // of the layer or parameter
  std::int64_t offset;  // of a parameter, in elements
  std::int64_t elements;
};

struct DistributionRecord {
  std::int64_t step;
  std::size_t source;
  double minimum;
  double maximum;
  std::string packed;  // of the bins that are not empty, see pack
};

// Sources are shared out among lanes, each with memory that one worker at a time packs into: nothing is
// allocated in a step. What is recorded does not depend on the number of workers.
class Distributions {
 public:
  Distributions(const Graph& graph, const std::vector<bool>& observed, Backend& backend, int most_threads,
                DType dtype);

  const std::vector<DistributionSource>& sources() const { return sources_; }
  // Where a forward pass adds the values of outputs, by layer.
  Histogram* outputs() { return outputs_.data(); }
  // Before the forward pass of a step that is recorded; one worker calls it.
  void begin();
  // Whether there is room for another step.
  bool is_full() const;
  // Of one kind, by all workers; there is no barrier at its end. `values` is the buffer of the parameters or
  // of their gradients.
  void record(DistributionKind kind, std::int64_t step, const void* values, Worker& worker) noexcept;
  // Takes back what was recorded of that step; one worker calls it.
  void take_back(std::int64_t step);
  // Moves the records out, by step and source.
  std::vector<DistributionRecord> drain();

 private:
  struct Entry {
    std::int64_t step;
    std::size_t source;
    double minimum;
    double maximum;
    std::size_t begin;
    std::size_t end;
  };
  struct Lane {
    std::vector<std::size_t> sources;
    std::vector<Entry> entries;  // with room for the largest number
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t capacity = 0;
    std::size_t used = 0;
    std::size_t most_of_step = 0;  // bytes, at most
    std::unique_ptr<Histogram> histogram;
  };

  std::int64_t elements_of(std::size_t source) const { return sources_[source].elements; }
  void share_out(DistributionKind kind);
  void record(DistributionKind kind, std::int64_t step, const void* values, Lane& lane) noexcept;
  static std::size_t pack(Histogram& histogram, std::uint8_t* to) noexcept;

  Backend& backend_;
  DType dtype_;
  std::vector<DistributionSource> sources_;
  std::vector<Histogram> outputs_;  // by layer
  bool outputs_are_empty_ = true;
  std::vector<Lane> lanes_;
};

}  // namespace ravine
