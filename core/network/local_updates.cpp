#include "network/local_updates.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "network/weight_average.h"

namespace ravine {
namespace {

constexpr char has_trouble = 1;
constexpr char says_so = 2;

}  // namespace

LocalUpdates::LocalUpdates(Network& network, const TrainingChunk& chunk)
    : network_(network),
      chunk_(chunk),
      control_(network.options_.ranks.data->lane(0)),
      sums_(network.options_.ranks.data->lane(1)) {
  const auto ranks = static_cast<std::size_t>(control_.ranks());
  said_.resize(ranks);
  bytes_of_ranks_.assign(ranks, 1);
  nothing_.layers.resize(network.graph_.layers.size());
  nothing_.gradient_squares.resize(network.graph_.parameters.size());
  on_all_ranks(control_, [&] {
    if (chunk.batch > 0) inner_.emplace(network, chunk);
  });
  on_all_ranks(control_, [&] { sums_.connect(); });
}

void LocalUpdates::bind_parameters(const void* parameters) {
  if (inner_) inner_->bind_parameters(parameters);
}

void LocalUpdates::begin(std::int64_t step, const RunContext& context) {
  RunContext own = context;
  own.first_row = static_cast<std::uint32_t>(chunk_.first_row);
  if (inner_) inner_->begin(step, own);
}

bool LocalUpdates::compute(Worker& worker) noexcept {
  if (inner_) return inner_->compute(worker);
  worker.barrier();
  return true;
}

void LocalUpdates::keep_state(Worker& worker) noexcept {
  if (inner_) inner_->keep_state(worker);
}

bool LocalUpdates::agree(bool trouble, bool here) noexcept {
  const auto start = Clock::now();
  const char mine = static_cast<char>((trouble ? has_trouble : 0) | (here ? says_so : 0));
  control_.gather(&mine, said_.data(), bytes_of_ranks_.data());
  wait_ += seconds_since(start);
  bool any = false;
  for (std::size_t rank = said_.size(); rank-- > 0;) {
    if ((said_[rank] & has_trouble) != 0) trouble_rank_ = static_cast<int>(rank);
    any |= (said_[rank] & says_so) != 0;
  }
  return any;
}

bool LocalUpdates::on_any_rank(bool here) noexcept { return agree(false, here) || trouble_rank_ >= 0; }

bool LocalUpdates::after_update(Optimizer& optimizer, Worker& worker) noexcept {
  if ((optimizer.step_count() + 1) % network_.options_.ranks.average_every != 0) return true;
  if (worker.index == 0) {
    const std::vector<double>& squares = optimizer.prepared().weight_squares();
    const bool finite =
        !inner_ || std::all_of(squares.begin(), squares.end(), [](double sum) { return std::isfinite(sum); });
    agree(!finite, false);
  }
  worker.barrier();
  if (trouble_rank_ >= 0) return false;
  const DType dtype = network_.options_.dtype;
  average({network_.parameters_->data(), network_.graph_.parameter_elements, dtype}, worker);
  average({network_.state_->data(), network_.graph_.state_elements, dtype}, worker);
  for (std::size_t slot = 0; slot < optimizer.slot_names().size(); ++slot) {
    average({optimizer.slot(slot)->data(), network_.graph_.parameter_elements, optimizer.slot_dtype()},
            worker);
  }
  if (chunk_.average != nullptr) {  // of the steps before: this one's weights are taken in next
    average({chunk_.average->values()->data(), chunk_.average->elements(), dtype}, worker);
  }
  return !sums_.failed();
}

// By all workers.
void LocalUpdates::average(const Buffer& buffer, Worker& worker) noexcept {
  if (buffer.count == 0) return;
  const double share = 1.0 / sums_.ranks();
  const std::int64_t begin = buffer.count * worker.index / worker.count;
  const std::int64_t end = buffer.count * (worker.index + 1) / worker.count;
  std::byte* const values = static_cast<std::byte*>(buffer.values);
  network_.backend_->scale(buffer.dtype, values + begin * static_cast<std::int64_t>(size_of(buffer.dtype)),
                           end - begin, share);
  worker.barrier();
  if (worker.index == 0) {
    const auto start = Clock::now();
    sums_.sum(buffer.values, buffer.count, buffer.dtype, network_.options_.ranks.transport);
    communicate_ += seconds_since(start);
  }
  worker.barrier();
}

Trouble LocalUpdates::find_trouble() {
  // Another rank's is named by that rank.
  const bool own = trouble_rank_ < 0 || trouble_rank_ == control_.rank();
  return own && inner_ ? inner_->find_trouble() : Trouble{};
}

void LocalUpdates::finish(TrainingResult& result) {
  if (trouble_rank_ < 0) agree(!result.trouble.empty(), false);
  const auto ranks = static_cast<std::size_t>(control_.ranks());
  struct Sums {
    double loss, weight;
    std::int64_t correct, rows, steps;
  };
  const Sums mine{result.loss - chunk_.loss_so_far, result.weight - chunk_.weight_so_far, result.correct,
                  result.rows, result.steps};
  std::vector<Sums> all(ranks);
  const std::vector<std::int64_t> bytes(ranks, sizeof(Sums));
  control_.gather(&mine, all.data(), bytes.data());
  result.loss = chunk_.loss_so_far;
  result.weight = chunk_.weight_so_far;
  result.correct = result.rows = 0;
  for (const Sums& sums : all) {
    result.loss += sums.loss;
    result.weight += sums.weight;
    result.correct += sums.correct;
    result.rows += sums.rows;
    result.steps = std::min(result.steps, sums.steps);
  }
  if (trouble_rank_ < 0) return;
  char names[2][256] = {};
  result.trouble.copy(names[0], sizeof(names[0]) - 1);
  result.trouble_layer.copy(names[1], sizeof(names[1]) - 1);
  control_.broadcast(names, sizeof(names), trouble_rank_);
  result.trouble = names[0];
  result.trouble_layer = names[1];
  result.trouble_rank = trouble_rank_;
}

StepTimes LocalUpdates::take_times(double seconds) noexcept {
  const StepTimes times{seconds - wait_ - communicate_, wait_, communicate_, 0};
  wait_ = communicate_ = 0;
  return times;
}

}  // namespace ravine
