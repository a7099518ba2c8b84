#include "network/distributed_gradient.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace ravine {
namespace {

// Calls visit(value of T) for the numbers of a buffer.
template <typename Visit>
void for_type(DType dtype, const Visit& visit) {
  if (dtype == DType::float64) {
    visit(double{});
  } else {
    visit(float{});
  }
}

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

}  // namespace

void DistributedGradient::bind_parameters(const void* parameters) {
  for (Part& part : parts_) {
    if (part.plan != nullptr) part.plan->bind_parameters(parameters);
  }
}

RunContext DistributedGradient::context_of(const Part& part) const {
  RunContext context = context_;
  context.first_row = static_cast<std::uint32_t>(chunk_.first_row + part.rows.first);
  return context;
}

void DistributedGradient::bind(const Part& part) {
  rows_.bind(*part.plan, step_ * chunk_.batch + part.rows.first);
  part.plan->bind_gradients(part.gradients);
}

void DistributedGradient::gather(const void* mine, void* all, const std::vector<std::int64_t>& of_ranks,
                                 std::int64_t bytes) noexcept {
  const auto start = Clock::now();
  for (std::size_t rank = 0; rank < of_ranks.size(); ++rank) bytes_of_ranks_[rank] = of_ranks[rank] * bytes;
  control_.gather(mine, all, bytes_of_ranks_.data());
  wait_ += seconds_since(start);
}

void DistributedGradient::begin(std::int64_t step, const RunContext& context) {
  step_ = step;
  context_ = context;
  context_.in_parts = synchronized_;
  context_.batch_weight = static_cast<double>(chunk_.global_batch);
  if (layouts_[0].weighs == 0) return;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    bind(parts_[i]);
    own_numbers_[i] = parts_[i].plan->program().weight_of_rows();
  }
  gather(own_numbers_.data(), all_numbers_.data(), parts_of_ranks_, sizeof(double));
  context_.batch_weight = 0;
  for (std::int64_t part = 0; part < all_parts_; ++part) {
    context_.batch_weight += all_numbers_[static_cast<std::size_t>(part)];
  }
}

bool DistributedGradient::compute(Worker& worker) noexcept {
  const bool one = worker.index == 0;
  if (one) {
    if (exchange_ != nullptr) exchange_->begin();
    if (has_state()) network_.state_->read(0, state_before_.data(), state_before_.size());
  }
  std::size_t started = 0;  // buckets; every worker counts them
  if (parts_.empty() && !ordered_) leave_out_gradient(started, worker);
  for (const Round& round : rounds_) compute_round(round, started, worker);
  if (one) {
    gather_measurements();
    if (has_state()) network_.state_->write(0, state_before_.data(), state_before_.size());
  }
  sum_gradients(started, worker);
  if (trouble_part_ >= 0 || sums_.failed()) return false;
  sum_->measure(worker);
  if (one) merged_.whole.gradient_squares = sum_->squares();
  if (one && network_.merge_ != nullptr) network_.merge_->squares(merged_.whole.gradient_squares);
  worker.barrier();
  return true;
}

// A rank without rows adds nothing, at once.
void DistributedGradient::leave_out_gradient(std::size_t& started, Worker& worker) noexcept {
  const auto bytes = static_cast<std::int64_t>(network_.gradients_->bytes());
  const std::int64_t begin = bytes * worker.index / worker.count;
  const std::int64_t end = bytes * (worker.index + 1) / worker.count;
  network_.backend_->clear(static_cast<std::byte*>(network_.gradients_->data()) + begin,
                           static_cast<std::size_t>(end - begin));
  worker.barrier();
  started = exchange_->buckets().size();
  for (std::size_t bucket = 0; worker.index == 0 && bucket < started; ++bucket) exchange_->start(bucket);
}

void DistributedGradient::compute_round(const Round& round, std::size_t& started, Worker& worker) noexcept {
  if (worker.index == 0) {
    for (std::size_t i = round.begin; i < round.end; ++i) bind(parts_[i]);
  }
  worker.barrier();
  const std::size_t meetings = for_meetings_ == nullptr ? 0 : for_meetings_->meetings().size();
  for (std::size_t meeting = 0; meeting <= meetings; ++meeting) {
    run(round, meeting, started, worker);
    if (meeting == meetings) break;
    if (worker.index == 0) meet(round, meeting);
    worker.barrier();
  }
  for (std::size_t i = round.begin; i < round.end; ++i) finish_part(i, worker);
}

// What lies between the meeting before and this one, part after part.
void DistributedGradient::run(const Round& round, std::size_t meeting, std::size_t& started,
                              Worker& worker) noexcept {
  for (std::size_t i = round.begin; i < round.end; ++i) {
    const Part& part = parts_[i];
    const auto& meetings = part.plan->meetings();
    const std::size_t begin = meeting == 0 ? 0 : meetings[meeting - 1].phase;
    const std::size_t end = meeting == meetings.size() ? part.plan->phases() : meetings[meeting].phase;
    const RunContext context = context_of(part);
    if (part.ready.empty()) {
      part.plan->program().run_phases(begin, end, context, worker);
      continue;
    }
    for (std::size_t phase = begin; phase < end; ++phase) {
      part.plan->program().run_phases(phase, phase + 1, context, worker);
      std::size_t complete = started;
      while (complete + 1 < part.ready.size() && part.ready[complete] <= phase) ++complete;
      if (complete > started) start_buckets(complete, started, worker);
    }
  }
}

// Up to that one; the parts before have left their sum apart.
void DistributedGradient::start_buckets(std::size_t complete, std::size_t& started, Worker& worker) noexcept {
  const auto& buckets = exchange_->buckets();
  if (parts_.size() > 1) {
    sum_->add_sum(buckets[complete - 1].begin, buckets[started].end, worker);
    worker.barrier();
  }
  for (; started < complete; ++started) {
    if (worker.index == 0) exchange_->start(started);
  }
}

void DistributedGradient::meet(const Round& round, std::size_t meeting) noexcept {
  const std::int64_t size = for_meetings_->meetings()[meeting].meeting->size();
  double* numbers = own_numbers_.data();
  for (std::size_t i = round.begin; i < round.end; ++i, numbers += size) {
    parts_[i].plan->meetings()[meeting].meeting->give(numbers);
  }
  gather(own_numbers_.data(), all_numbers_.data(), round.of_ranks,
         size * static_cast<std::int64_t>(sizeof(double)));
  for (std::size_t i = round.begin; i < round.end; ++i) {
    parts_[i].plan->meetings()[meeting].meeting->take(all_numbers_.data(), round.all);
  }
}

void DistributedGradient::finish_part(std::size_t index, Worker& worker) noexcept {
  const Part& part = parts_[index];
  if (worker.index == 0) {
    part.plan->program().collect();
    record(part, own_records_.data() + index * record_size());
  }
  if (has_state() && (index == 0 || !(ordered_ && synchronized_))) {
    part.plan->program().run(Section::state, context_of(part), worker);
    if (worker.index == 0) {
      // Parts of an ordered batch do not follow each other: each begins where the step did.
      const bool apart = ordered_ && !synchronized_;
      const std::size_t bytes = state_before_.size();
      network_.state_->read(0, own_states_.data() + (apart ? index * bytes : 0), bytes);
      if (apart) network_.state_->write(0, state_before_.data(), bytes);
    }
  }
  const bool last = index + 1 == parts_.size();
  if (!ordered_ && !last) sum_->add(1, index == 0, worker);
  worker.barrier();
  if (ordered_ && control_.rank() == 0) {
    ordered_exchange_->add_to_first(part.gradients, index == 0, worker);
  }
}

void DistributedGradient::sum_gradients(std::size_t started, Worker& worker) noexcept {
  if (ordered_) {
    const auto start = Clock::now();
    ordered_exchange_->sum(worker);
    if (worker.index == 0) {
      const double seconds = seconds_since(start);
      communicate_ += seconds;
      exposed_ += seconds;
    }
    return;
  }
  const auto& buckets = exchange_->buckets();
  if (parts_.size() > 1 && started < buckets.size()) sum_->add_sum(0, buckets[started].end, worker);
  worker.barrier();
  if (worker.index == 0) {
    exchange_->finish();
    communicate_ += exchange_->seconds();
    exposed_ += exchange_->seconds_of_finish();
  }
  worker.barrier();
}

void DistributedGradient::record(const Part& part, double* numbers) const noexcept {
  const Measurements& measured = part.plan->program().measurements();
  const bool finite = std::isfinite(measured.loss) && all_finite(measured.gradient_squares);
  *numbers++ = measured.loss;
  *numbers++ = measured.weight;
  *numbers++ = static_cast<double>(measured.correct);
  *numbers++ = static_cast<double>(measured.correct_top5);
  *numbers++ = static_cast<double>(part.rows.count);
  *numbers++ = finite ? 0 : 1;
  for (const OutputMoments& moments : measured.layers) {
    *numbers++ = moments.mean;
    *numbers++ = moments.variance;
    *numbers++ = moments.zeros;
  }
}

void DistributedGradient::gather_measurements() noexcept {
  gather(own_records_.data(), all_records_.data(), parts_of_ranks_,
         static_cast<std::int64_t>(record_size() * sizeof(double)));
  merged_.clear();
  trouble_part_ = -1;
  for (std::int64_t part = 0; part < all_parts_; ++part) {
    const double* numbers = all_records_.data() + static_cast<std::size_t>(part) * record_size();
    part_measured_.loss = numbers[0];
    part_measured_.weight = numbers[1];
    part_measured_.correct = static_cast<std::int64_t>(numbers[2]);
    part_measured_.correct_top5 = static_cast<std::int64_t>(numbers[3]);
    if (numbers[5] != 0 && trouble_part_ < 0) trouble_part_ = part;
    for (std::size_t layer = 0; layer < part_measured_.layers.size(); ++layer) {
      const double* moments = numbers + 6 + 3 * layer;
      part_measured_.layers[layer] = {moments[0], moments[1], moments[2]};
    }
    merged_.add(part_measured_, static_cast<std::int64_t>(numbers[4]));
  }
}

void DistributedGradient::keep_state(Worker& worker) noexcept {
  if (!has_state()) return;
  if (worker.index == 0) merge_states();
  worker.barrier();
}

void DistributedGradient::merge_states() noexcept {
  const auto bytes = static_cast<std::int64_t>(state_before_.size());
  const auto start = Clock::now();
  if (synchronized_) {
    // All that computed have the same.
    const auto lacks = [&](std::int64_t parts) {
      return rounds_.size() > 1 ? parts < static_cast<std::int64_t>(rounds_.size()) : parts == 0;
    };
    if (std::any_of(parts_of_ranks_.begin(), parts_of_ranks_.end(), lacks)) {
      control_.broadcast(own_states_.data(), bytes, busiest_);
    }
    network_.state_->write(0, own_states_.data(), state_before_.size());
  } else {
    // By rows: the moving averages of what each part has seen.
    if (ordered_) gather(own_states_.data(), all_states_.data(), parts_of_ranks_, bytes);
    for_type(network_.options_.dtype, [&]<typename T>(T) {
      const auto add = [&](const std::byte* states, double rows) {
        const T* values = reinterpret_cast<const T*>(states);
        for (std::size_t i = 0; i < state_sum_.size(); ++i)
          state_sum_[i] += rows * static_cast<double>(values[i]);
      };
      std::fill(state_sum_.begin(), state_sum_.end(), 0.0);
      if (ordered_) {
        for (std::int64_t part = 0; part < all_parts_; ++part) {
          add(all_states_.data() + part * bytes,
              all_records_[static_cast<std::size_t>(part) * record_size() + 4]);
        }
      } else {
        if (!parts_.empty()) add(own_states_.data(), static_cast<double>(chunk_.batch));
        control_.sum(state_sum_.data(), static_cast<std::int64_t>(state_sum_.size()), DType::float64);
      }
      T* values = reinterpret_cast<T*>(own_states_.data());
      for (std::size_t i = 0; i < state_sum_.size(); ++i) {
        values[i] = static_cast<T>(state_sum_[i] / static_cast<double>(chunk_.global_batch));
      }
      network_.state_->write(0, own_states_.data(), state_before_.size());
    });
  }
  wait_ += seconds_since(start);
}

int DistributedGradient::rank_of(std::int64_t part) const {
  int rank = 0;
  while (part >= parts_of_ranks_[static_cast<std::size_t>(rank)]) {
    part -= parts_of_ranks_[static_cast<std::size_t>(rank++)];
  }
  return rank;
}

// The rank that has computed the part names it to all.
Trouble DistributedGradient::find_trouble() {
  if (trouble_part_ < 0) {  // each rank's own is finite, and the sum is not
    for (std::size_t i = 0; i < merged_.whole.gradient_squares.size(); ++i) {
      if (std::isfinite(merged_.whole.gradient_squares[i])) continue;
      const auto [what, layer] = network_.named(i);
      return {"the gradient of" + what.substr(std::strlen("the parameter")), layer};
    }
  }
  const int rank = rank_of(trouble_part_);
  char names[2][256] = {};
  if (rank == control_.rank()) {
    std::size_t own = static_cast<std::size_t>(trouble_part_);
    for (int before = 0; before < rank; ++before) {
      own -= static_cast<std::size_t>(parts_of_ranks_[static_cast<std::size_t>(before)]);
    }
    const Part& part = parts_[own];
    bind(part);
    RunContext context = context_of(part);
    context.in_parts = false;
    // Its measurements may have been overwritten by those of the parts behind it.
    network_.run(*part.plan, {Section::forward, Section::loss, Section::backward}, context);
    const auto [what, layer] = network_.find_trouble(
        *part.plan, rows_.input(step_ * chunk_.batch + part.rows.first), context.first_row);
    what.copy(names[0], sizeof(names[0]) - 1);
    layer.copy(names[1], sizeof(names[1]) - 1);
  }
  control_.broadcast(names, sizeof(names), rank);
  return {names[0], names[1], rank};
}

bool DistributedGradient::on_any_rank(bool here) noexcept {
  double any = here ? 1 : 0;
  const auto start = Clock::now();
  control_.sum(&any, 1, DType::float64);
  wait_ += seconds_since(start);
  return any > 0;
}

void DistributedGradient::merge_outputs(Distributions& distributions) noexcept {
  const auto ranks = static_cast<std::size_t>(control_.ranks());
  for (std::size_t layer = 0; layer < network_.graph_.layers.size(); ++layer) {
    if (!network_.observed_[layer]) continue;
    Histogram& histogram = distributions.outputs()[layer];
    std::copy_n(histogram.counts, histogram_bins, counts_.begin());
    control_.sum(counts_.data(), histogram_bins, DType::float64);  // exact: they are whole numbers
    for (int bin = 0; bin < histogram_bins; ++bin) {
      histogram.counts[bin] = static_cast<std::int64_t>(counts_[static_cast<std::size_t>(bin)]);
    }
    const double mine[] = {histogram.minimum, histogram.maximum};
    std::fill(bytes_of_ranks_.begin(), bytes_of_ranks_.end(), sizeof(mine));
    control_.gather(mine, counts_.data(), bytes_of_ranks_.data());
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      histogram.minimum = std::min(histogram.minimum, counts_[2 * rank]);
      histogram.maximum = std::max(histogram.maximum, counts_[2 * rank + 1]);
    }
  }
}

StepTimes DistributedGradient::take_times(double seconds) noexcept {
  const StepTimes times{seconds - wait_ - exposed_, wait_, communicate_, communicate_ - exposed_};
  wait_ = communicate_ = exposed_ = 0;
  return times;
}

}  // namespace ravine
