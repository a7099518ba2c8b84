// What is recorded of each step: a ring of rows, sized once, that the caller drains; when it is full, new
// rows take the place of the oldest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "network/graph.h"

namespace ravine {

// How much is measured of layers: nothing; moments of outputs, and norms of gradients, weights and updates;
// or at some steps distributions too.
enum class StatisticsLevel { off, norms, full };

class StatisticsRing {
 public:
  StatisticsRing(const Graph& graph, bool has_accuracy, const std::vector<bool>& observed, std::int64_t rows);

  const std::vector<std::string>& columns() const { return columns_; }
  // Moves the rows out, the oldest first.
  void drain(std::vector<std::int64_t>& steps, std::vector<float>& values);

  struct StepRecord {
    std::int64_t step;
    std::int64_t batch;
    double learning_rate;
    double gradient_norm;
    bool of_layers;  // or NaN in their columns
  };
  // With the squares of each parameter and its update.
  void record(const StepRecord& step, const Measurements& measured, const std::vector<double>& weight_squares,
              const std::vector<double>& update_squares);

 private:
  struct Source {
    int layer;
    bool observed;
    int first_parameter;
    int parameter_count;
  };

  std::vector<std::string> columns_;
  std::vector<Source> sources_;
  bool has_accuracy_;
  std::int64_t capacity_;
  std::int64_t rows_ = 0;  // that are held
  std::int64_t next_ = 0;  // where the next one goes
  std::vector<std::int64_t> steps_;
  std::vector<float> values_;
};

}  // namespace ravine
