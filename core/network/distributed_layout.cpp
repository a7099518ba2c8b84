// Which rank computes which parts of a batch, and the memory for it.
#include <algorithm>

#include "base/errors.h"
#include "network/distributed_gradient.h"

namespace ravine {

DistributedGradient::DistributedGradient(Network& network, const TrainingChunk& chunk)
    : network_(network),
      chunk_(chunk),
      ranks_(network.options_.ranks),
      control_(ranks_.data->lane(0)),
      sums_(ranks_.data->lane(1)),  // made by all ranks before anything may fail on one
      rows_(chunk, network.graph_, *network.loss_, network.options_.dtype),
      ordered_(ranks_.deterministic_parts > 0),
      synchronized_(ranks_.synchronized_normalization),
      merged_(network.graph_.layers.size(), network.graph_.parameters.size()) {
  on_all_ranks(control_, [&] { share_out_rows(); });
  agree_on_layout();
  plan_rounds();
  on_all_ranks(control_, [&] { make_plans(); });
  on_all_ranks(control_, [&] { sums_.connect(); });
  prepare_memory();
}

DistributedGradient::~DistributedGradient() {
  bind_parameters(nullptr);
  for (Part& part : parts_) {
    if (part.plan != nullptr) part.plan->bind_gradients(network_.gradients_->data());
  }
}

void DistributedGradient::share_out_rows() {
  const std::int64_t most =
      chunk_.micro_batch > 0 ? chunk_.micro_batch : std::max<std::int64_t>(1, chunk_.batch);
  const auto add_parts = [&](std::int64_t first, std::int64_t count, std::int64_t rows) {
    for (std::int64_t done = 0; done < count; done += rows) {
      parts_.emplace_back().rows = {first + done, std::min(rows, count - done)};
    }
  };
  if (!ordered_) return add_parts(0, chunk_.batch, most);
  std::int64_t covered = 0;
  for (int part = 0; part < ranks_.deterministic_parts; ++part) {
    const Rows rows = rows_of_part(chunk_.global_batch, part, ranks_.deterministic_parts);
    const std::int64_t first = rows.first - chunk_.first_row;
    if (rows.count == 0 || first < 0 || first + rows.count > chunk_.batch) continue;
    // Not by this rank's share of the rows: the cut must not depend on it.
    add_parts(first, rows.count, chunk_.micro_batch > 0 ? chunk_.micro_batch : rows.count);
    covered += rows.count;
  }
  if (covered == chunk_.batch) return;
  throw Error(ErrorCode::invalid_parameter, "rows " + std::to_string(chunk_.first_row) + " to " +
                                                std::to_string(chunk_.first_row + chunk_.batch) + " of " +
                                                std::to_string(chunk_.global_batch) +
                                                " are not whole parts of the batch; Ranks.rows gives them")
      .at_key("first_row");
}

void DistributedGradient::agree_on_layout() {
  const auto ranks = static_cast<std::size_t>(control_.ranks());
  const bool weighs = chunk_.weights != nullptr || network_.loss_->weighs_classes();
  const Layout mine{chunk_.first_row, chunk_.batch,        static_cast<std::int64_t>(parts_.size()),
                    chunk_.steps,     chunk_.global_batch, weighs ? 1 : 0};
  layouts_.resize(ranks);
  bytes_of_ranks_.assign(ranks, sizeof(Layout));
  control_.gather(&mine, layouts_.data(), bytes_of_ranks_.data());
  std::int64_t next = 0;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const Layout& of_rank = layouts_[rank];
    const auto differs = [&](const std::string& what, std::int64_t value, std::int64_t expected) {
      if (value == expected) return;
      throw Error(ErrorCode::invalid_state, "rank " + std::to_string(rank) + " has " + what + " " +
                                                std::to_string(value) + ", expected " +
                                                std::to_string(expected) +
                                                "; all ranks make the same steps over consecutive rows");
    };
    differs("steps", of_rank.steps, layouts_[0].steps);
    differs("a global batch of", of_rank.global_batch, layouts_[0].global_batch);
    differs("first row", of_rank.first_row, next);
    next += of_rank.rows;
    // A rank without rows has no weights either.
    layouts_[0].weighs |= of_rank.weighs;
    parts_of_ranks_.push_back(of_rank.parts);
    all_parts_ += of_rank.parts;
  }
  if (next != chunk_.global_batch) {
    throw Error(ErrorCode::invalid_state, "the ranks have " + std::to_string(next) +
                                              " rows, but the global batch has " +
                                              std::to_string(chunk_.global_batch));
  }
}

void DistributedGradient::plan_rounds() {
  const std::int64_t most = *std::max_element(parts_of_ranks_.begin(), parts_of_ranks_.end());
  busiest_ = static_cast<int>(std::find(parts_of_ranks_.begin(), parts_of_ranks_.end(), most) -
                              parts_of_ranks_.begin());
  if (ordered_ && synchronized_) {
    rounds_.push_back({0, parts_.size(), parts_of_ranks_, all_parts_});
    return;
  }
  for (std::int64_t round = 0; round < most; ++round) {
    const auto first = std::min(static_cast<std::size_t>(round), parts_.size());
    Round made{first, std::min(first + 1, parts_.size()), {}, 0};
    for (std::int64_t parts : parts_of_ranks_) {
      made.of_ranks.push_back(parts > round ? 1 : 0);
      made.all += made.of_ranks.back();
    }
    rounds_.push_back(std::move(made));
  }
}

void DistributedGradient::make_plans() {
  const bool together = ordered_ && synchronized_;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    parts_[i].plan = &network_.plan(Mode::training, parts_[i].rows.count, together ? i : 0);
    parts_[i].plan->bind_output(nullptr);
    parts_[i].plan->bind_output_gradient(nullptr);
  }
  if (synchronized_) {
    for_meetings_ = parts_.empty() ? &network_.plan(Mode::training, 1) : parts_.front().plan;
  }
  void* const gradients = network_.gradients_->data();
  if (ordered_) {
    ordered_exchange_ = &network_.ordered_exchange();
    // The first rank adds its parts, whose sum begins that of all; the others keep theirs apart.
    std::vector<std::int64_t> of_ranks = parts_of_ranks_;
    of_ranks[0] = std::min<std::int64_t>(of_ranks[0], 1);
    const bool adds = control_.rank() == 0 && !together;
    ordered_exchange_->prepare(of_ranks, adds ? 1 : static_cast<std::int64_t>(parts_.size()));
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      parts_[i].gradients = adds ? gradients : ordered_exchange_->part(static_cast<std::int64_t>(i));
    }
  } else {
    exchange_ = &network_.gradient_exchange();
    for (Part& part : parts_) part.gradients = gradients;
  }
  sum_ = &network_.accumulation(!ordered_ && parts_.size() > 1);
  if (ordered_ || parts_.empty()) return;
  // Buckets are started while the last part is computed.
  Part& last = parts_.back();
  for (const GradientExchange::Bucket& bucket : exchange_->buckets()) {
    std::size_t phase = 0;
    for (std::size_t i = 0; i < network_.graph_.parameters.size(); ++i) {
      const GraphParameter& parameter = network_.graph_.parameters[i];
      const bool within =
          parameter.offset < bucket.end && parameter.offset + parameter.spec.shape.elements() > bucket.begin;
      if (within) phase = std::max(phase, last.plan->gradient_phases()[i]);
    }
    // In order: none before those of the layers behind.
    last.ready.push_back(last.ready.empty() ? phase : std::max(phase, last.ready.back()));
  }
}

void DistributedGradient::prepare_memory() {
  const std::size_t own = parts_.size();
  const auto all = static_cast<std::size_t>(all_parts_);
  own_records_.resize(own * record_size());
  all_records_.resize(all * record_size());
  part_measured_.layers.resize(network_.graph_.layers.size());
  std::size_t largest = 0;
  if (for_meetings_ != nullptr) {
    for (const auto& planned : for_meetings_->meetings()) {
      largest = std::max(largest, static_cast<std::size_t>(planned.meeting->size()));
    }
  }
  own_numbers_.resize(std::max<std::size_t>(own * largest, own));
  all_numbers_.resize(std::max<std::size_t>(all * largest, all));
  counts_.resize(std::max<std::size_t>(histogram_bins, 2 * parts_of_ranks_.size()));
  if (network_.graph_.state.empty()) return;
  const std::size_t bytes = network_.state_->bytes();
  const bool apart = ordered_ && !synchronized_;
  state_before_.resize(bytes);
  own_states_.resize(bytes * (apart ? std::max<std::size_t>(own, 1) : 1));
  if (apart) all_states_.resize(bytes * all);
  state_sum_.resize(static_cast<std::size_t>(network_.graph_.state_elements));
}

std::size_t DistributedGradient::record_size() const { return 6 + 3 * network_.graph_.layers.size(); }

}  // namespace ravine
