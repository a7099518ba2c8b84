// Dropout by the masks of the CPU: a pure function of (seed, layer, step, row, column).
#include "backend/cuda/measure.h"
#include "base/random.h"

namespace ravine::cuda {
namespace {

// A row is cut into chunks of 128 columns; 16 draws of eight numbers of 16 bits each give a chunk its masks.
constexpr int chunk = 128;
constexpr int draws_of_chunk = 16;

// Eight elements of a row: element e of a chunk takes half e / 64 of word (e / 16) % 4 of draw e % 16.
template <typename T>
struct Drop {
  const DeviceContext* context;
  std::uint32_t stream;
  std::uint32_t threshold;
  T scale;
  Cells<T> input;
  Cells<T> output;
  std::int64_t columns;
  std::int64_t draws;  // of a row

  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t draw = column_of(i, draws);
    const std::int64_t row = (i - draw) / draws;
    const RandomKey key{context->seed, RandomPurpose::dropout, stream, context->step};
    const RandomBits bits =
        key.bits(context->first_row + static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(draw));
    const std::int64_t begin = draw / draws_of_chunk * chunk + draw % draws_of_chunk;
    for (int k = 0; k < 8; ++k) {
      const std::int64_t column = begin + k * draws_of_chunk;
      if (column >= columns) return;
      const std::uint32_t number = k < 4 ? bits.word[k] & 0xFFFFu : bits.word[k - 4] >> 16;
      const std::int64_t at = row * columns + column;
      output.store(at, number < threshold ? T(0) : input.load(at) * scale);
    }
  }
};

template <typename T>
class DropoutOperation final : public CudaOperation {
 public:
  DropoutOperation(const Dropout& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        rows_(preparation.program.batch()),
        columns_(preparation.elements(o.input) / rows_),
        draws_((columns_ + chunk - 1) / chunk * draws_of_chunk),
        observer_(preparation, o.observe, preparation.elements(o.output)) {}

  void run(const RunContext& context) noexcept override {
    const double scale = operation_.scales ? 1.0 / kept_share(operation_.rate) : 1.0;
    for_each(
        stream_, rows_ * draws_,
        Drop<T>{device_context_, operation_.stream, dropout_threshold(operation_.rate), static_cast<T>(scale),
                cells<T>(operation_.input), cells<T>(operation_.output), columns_, draws_});
    observer_.see(cells<T>(operation_.output), context);
  }

 private:
  Dropout operation_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t draws_;
  Observer observer_;
};

}  // namespace

template <typename T>
Prepared prepare_dropout(const Dropout& o, const Preparation& preparation) {
  return std::make_unique<DropoutOperation<T>>(o, preparation);
}
template Prepared prepare_dropout<float>(const Dropout&, const Preparation&);
template Prepared prepare_dropout<double>(const Dropout&, const Preparation&);

}  // namespace ravine::cuda
