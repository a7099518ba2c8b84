#include "backend/cuda/step_kernels.h"

#include "backend/cuda/launch.h"
#include "rules/penalty.h"

namespace ravine::cuda {
namespace {

// A step's kernels change what a place only shows.
StepControl* control_of(const StepPlace& place) { return const_cast<StepControl*>(place.control); }

RAVINE_HOST_DEVICE bool is_finite(double x) { return x - x == 0; }

struct BeginGroup {
  StepControl control;
  bool first;
  StepControl* place;
  RAVINE_HOST_DEVICE void operator()(std::int64_t) const {
    const std::int32_t go = first ? 1 : place->go;
    *place = control;
    place->go = go;
    *reinterpret_cast<RecordHead*>(control.record) = {
        0, static_cast<double>(go != 0 ? GroupEnd::all : GroupEnd::gradient)};
  }
};

struct Bytes4 {
  std::uint32_t words[1];
};
struct alignas(8) Bytes8 {
  std::uint32_t words[2];
};
struct alignas(16) Bytes16 {
  std::uint32_t words[4];
};

// A thread takes a word of a row: as wide a one as divides the row's bytes.
struct TakeRows {
  StepPlace place;
  TakenRows taken;
  std::array<int, batch_arrays> word_bytes;
  std::array<std::int64_t, batch_arrays> ends;  // of the threads of each array
  DeviceContext* context;

  RAVINE_HOST_DEVICE void operator()(std::int64_t thread) const {
    const StepControl& control = *place.control;
    if (thread == 0) {
      const StepNumbers& numbers = place.numbers();
      *context = {numbers.seed, numbers.step, numbers.first_row + static_cast<std::uint32_t>(taken.first_row),
                  numbers.batch_weight, control.go};
    }
    std::int64_t begin = 0;
    int array = 0;
    for (; array + 1 < static_cast<int>(batch_arrays) && thread >= ends[array]; ++array) begin = ends[array];
    const RowsField field = taken.fields[array];
    const int bytes = word_bytes[array];
    const std::int64_t words = field.row_bytes / bytes;
    const std::int64_t word = column_of(thread - begin, words);
    const std::int64_t row = (thread - begin - word) / words;
    std::int64_t source = control.step * taken.batch + taken.first_row + row;
    if (control.indices != nullptr) source = control.indices[source];
    const auto* from =
        static_cast<const std::byte*>(control.rows[array]) + source * field.row_bytes + word * bytes;
    std::byte* to = field.to + row * field.row_bytes + word * bytes;
    if (bytes == 16) {
      *reinterpret_cast<Bytes16*>(to) = *reinterpret_cast<const Bytes16*>(from);
    } else if (bytes == 8) {
      *reinterpret_cast<Bytes8*>(to) = *reinterpret_cast<const Bytes8*>(from);
    } else {
      *reinterpret_cast<Bytes4*>(to) = *reinterpret_cast<const Bytes4*>(from);
    }
  }
};

// As MergedMeasurements does it; a block.
struct MergePart {
  MergedParts merged;

  struct Shared {};

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared&) const {
    block.each([&](int thread) {
      const bool is_first = merged.rows_before == 0;
      for (int i = thread; i < MeasuredPlaces::of_loss; i += block_threads) {
        const double before = is_first ? 0 : merged.whole.loss()[i];
        merged.whole.loss()[i] = before + merged.part.loss()[i];
      }
      const double share =
          static_cast<double>(merged.rows) / static_cast<double>(merged.rows_before + merged.rows);
      for (int i = thread; merged.observe && i < merged.whole.layers; i += block_threads) {
        double* to = merged.whole.layer(i);
        const double* part = merged.part.layer(i);
        double mean = is_first ? 0 : to[0];
        double variance = is_first ? 0 : to[1];
        double zeros = is_first ? 0 : to[2];
        const double difference = part[0] - mean;
        variance += share * (part[1] - variance) + share * (1 - share) * difference * difference;
        mean += share * difference;
        zeros += share * (part[2] - zeros);
        to[0] = mean;
        to[1] = variance;
        to[2] = zeros;
      }
    });
  }
};

// In the order of Optimizer::clip; a block.
struct Decide {
  StepPlace place;
  StepControl* control;
  DeviceContext* context;
  const double* loss;
  const double* gradient_squares;
  ClippedLayers::Tables layers;

  struct Shared {
    double squares[block_threads];
    double scale;
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    if (!place.goes()) return;
    block.each([&](int thread) {
      double sum = 0;
      for (std::int64_t i = thread; i < layers.segments; i += block_threads) sum += gradient_squares[i];
      shared.squares[thread] = sum;
    });
    reduce(block, shared.squares, block_threads, Sum{});
    const StepNumbers& numbers = place.numbers();
    const double layer_limit = numbers.clip_layer_norm;
    if (layer_limit > 0 || numbers.clip_norm > 0) {
      block.each([&](int thread) {
        for (std::int64_t layer = thread; layer < layers.layers; layer += block_threads) {
          double sum = 0;
          for (std::int32_t i = layers.first[layer]; i < layers.first[layer + 1]; ++i) {
            sum += gradient_squares[layers.members[i]];
          }
          layers.squares[layer] = sum;
        }
      });
      block.each([&](int thread) {
        if (thread > 0) return;
        double squares = 0;
        for (std::int64_t layer = 0; layer < layers.layers; ++layer) {
          const double scale = norm_scale(layers.squares[layer], layer_limit);
          squares += scale * scale * layers.squares[layer];
        }
        shared.scale = norm_scale(squares, numbers.clip_norm);
      });
      block.each([&](int thread) {
        for (std::int64_t i = thread; i < layers.segments; i += block_threads) {
          layers.scales[i] = shared.scale * norm_scale(layers.squares[layers.layer_of[i]], layer_limit);
        }
      });
    } else {
      block.each([&](int thread) {
        for (std::int64_t i = thread; i < layers.segments; i += block_threads) layers.scales[i] = 1;
      });
    }
    block.each([&](int thread) {
      if (thread > 0 || (is_finite(*loss) && is_finite(shared.squares[0]))) return;
      control->go = 0;
      context->go = 0;
      reinterpret_cast<RecordHead*>(control->record)->end = static_cast<double>(GroupEnd::gradient);
    });
  }
};

struct KeepState {
  const std::uint32_t* state;
  std::uint32_t* kept;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const { kept[i] = state[i]; }
};

struct RestoreState {
  StepPlace place;
  const std::uint32_t* kept;
  std::uint32_t* state;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    if (!place.goes()) state[i] = kept[i];
  }
};

// A block.
struct FinishStep {
  StepPlace place;
  StepControl* control;
  DeviceContext* context;
  RecordedStep recorded;

  struct Shared {
    std::int32_t broken[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    if (!place.goes()) return;
    auto* row =
        reinterpret_cast<double*>(control->record + sizeof(RecordHead)) + control->step * recorded.count();
    block.each([&](int thread) {
      std::int32_t broken = 0;
      for (std::int64_t i = thread; i < recorded.measured_count; i += block_threads) {
        row[i] = recorded.measured[i];
      }
      double* squares = row + recorded.measured_count;
      for (std::int64_t i = thread; i < recorded.segments; i += block_threads) {
        squares[i] = recorded.gradient_squares[i];
      }
      squares += recorded.segments;
      for (std::int64_t i = thread; i < 2 * recorded.segments; i += block_threads) {
        squares[i] = recorded.update_squares[i];
        if (i < recorded.segments && !is_finite(squares[i])) broken = 1;
      }
      shared.broken[thread] = broken;
    });
    reduce(block, shared.broken, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread > 0) return;
      auto* head = reinterpret_cast<RecordHead*>(control->record);
      if (shared.broken[0] == 0) {
        control->step += 1;
        head->steps = static_cast<double>(control->step);
        return;
      }
      control->go = 0;
      context->go = 0;
      head->end = static_cast<double>(GroupEnd::weights);
    });
  }
};

// Some sums, and behind the last of them what needs them all.
template <typename Next>
struct SumAndThen {
  TileSums sums;
  std::int64_t blocks;
  std::uint32_t* arrived;
  Next next;

  struct Shared {
    double sums[block_threads];
    std::int32_t is_last;
    typename Next::Shared next;
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    sums.sum(block, shared.sums);
    if (is_last_block(block, blocks, arrived, shared.is_last)) next(block, shared.next);
  }
};

template <typename Next>
void sum_and_then(Stream& stream, const TileSums& sums, std::uint32_t* arrived, const Next& next) noexcept {
  for_blocks(stream, sums.blocks(), SumAndThen<Next>{sums, sums.blocks(), arrived, next});
}

}  // namespace

void begin_group(Stream& stream, const StepControl& control, bool first, StepControl* place) noexcept {
  for_each(stream, 1, BeginGroup{control, first, place});
}

void take_rows(Stream& stream, const StepPlace& place, const TakenRows& taken) noexcept {
  TakeRows kernel{place, taken, {}, {}, stream.context()};
  std::int64_t threads = 0;
  for (std::size_t i = 0; i < batch_arrays; ++i) {
    const RowsField& field = taken.fields[i];
    kernel.word_bytes[i] = field.row_bytes % 16 == 0 ? 16 : field.row_bytes % 8 == 0 ? 8 : 4;
    if (field.to != nullptr) threads += taken.rows * (field.row_bytes / kernel.word_bytes[i]);
    kernel.ends[i] = threads;
  }
  for_each(stream, threads, kernel);
}

void merge_part(Stream& stream, const MergedParts& merged) noexcept {
  for_blocks(stream, 1, MergePart{merged});
}

ClippedLayers::ClippedLayers(Stream& stream, const std::vector<UpdateSegment>& segments) {
  std::vector<std::vector<std::int32_t>> members_of;
  std::vector<std::int32_t> layer_of;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto layer = static_cast<std::size_t>(segments[i].layer);
    if (members_of.size() <= layer) members_of.resize(layer + 1);
    if (!segments[i].frozen) members_of[layer].push_back(static_cast<std::int32_t>(i));
    layer_of.push_back(segments[i].layer);
  }
  std::vector<std::int32_t> first{0};
  std::vector<std::int32_t> members;
  for (const auto& own : members_of) {
    members.insert(members.end(), own.begin(), own.end());
    first.push_back(static_cast<std::int32_t>(members.size()));
  }
  layer_of_ = array_of(stream, layer_of);
  first_ = array_of(stream, first);
  members_ = array_of(stream, members);
  squares_ = Array<double>(stream, members_of.size());
  scales_ = Array<double>(stream, segments.size());
}

ClippedLayers::Tables ClippedLayers::tables() const {
  return {layer_of_.data(),
          first_.data(),
          members_.data(),
          squares_.data(),
          scales_.data(),
          static_cast<std::int64_t>(layer_of_.size()),
          static_cast<std::int64_t>(squares_.size())};
}

void decide(Stream& stream, const StepPlace& place, const double* loss, const TileSums& gradient_squares,
            const ClippedLayers::Tables& layers, std::uint32_t* arrived) noexcept {
  sum_and_then(stream, gradient_squares, arrived,
               Decide{place, control_of(place), stream.context(), loss, gradient_squares.of_slices, layers});
}

void keep_state(Stream& stream, const void* state, void* kept, std::int64_t bytes) noexcept {
  for_each(stream, bytes / 4,
           KeepState{static_cast<const std::uint32_t*>(state), static_cast<std::uint32_t*>(kept)});
}

void restore_state(Stream& stream, const StepPlace& place, const void* kept, void* state,
                   std::int64_t bytes) noexcept {
  for_each(stream, bytes / 4,
           RestoreState{place, static_cast<const std::uint32_t*>(kept), static_cast<std::uint32_t*>(state)});
}

void finish_step(Stream& stream, const StepPlace& place, const RecordedStep& recorded, const TileSums* sums,
                 std::uint32_t* arrived) noexcept {
  const FinishStep finish{place, control_of(place), stream.context(), recorded};
  if (sums == nullptr) {
    for_blocks(stream, 1, finish);
  } else {
    sum_and_then(stream, *sums, arrived, finish);
  }
}

}  // namespace ravine::cuda
