#include "backend/cuda/resident_rows.h"

#include <algorithm>
#include <cstring>

#include "backend/cuda/gather.h"
#include "backend/cuda/pictures.h"

namespace ravine::cuda {
namespace {

// Pictures are changed in parts, whose work takes about so much memory.
constexpr std::int64_t bytes_of_work = std::int64_t{64} << 20;
constexpr std::size_t bytes_of_upload = std::size_t{16} << 20;

class CudaRows final : public ResidentRows {
 public:
  CudaRows(const RowsRequest& request, const std::shared_ptr<Stream>& stream)
      : stream_(stream),
        request_(request),
        stored_bytes_(request.stored_values * static_cast<std::int64_t>(size_of(request.stored))),
        input_bytes_(request.values * element()),
        target_bytes_(request.labels ? std::int64_t{sizeof(std::int32_t)}
                                     : request.target_values * element()),
        inputs_(*stream, sized(request.samples * stored_bytes_)),
        targets_(*stream, sized(request.samples * target_bytes_)),
        weights_(*stream, sized(request.weighted ? request.samples * element() : 0)) {
    if (!request.mean.empty()) {
      mean_ = array_of(*stream, request.mean);
      scale_ = array_of(*stream, request.scale);
    }
    const bool draws = request.training.values() > 0;
    if (!draws) return;
    const std::int64_t of_picture = std::max(PictureMaker::bytes_of_picture(request.training),
                                             PictureMaker::bytes_of_picture(request.evaluation));
    at_once_ = std::clamp<std::int64_t>(bytes_of_work / of_picture, 1, request.samples);
    training_ = std::make_unique<PictureMaker>(*stream, request.training, request.quantiles, at_once_);
    evaluation_ = std::make_unique<PictureMaker>(*stream, request.evaluation, request.quantiles, at_once_);
    if (request.mixed.mixes) kept_ = Array<float>(*stream, sized(at_once_ * training_->stride()));
  }

  std::size_t bytes() const override { return inputs_.bytes() + targets_.bytes() + weights_.bytes(); }

  void write_inputs(std::int64_t first, std::int64_t count, const void* inputs) override {
    upload(inputs_.data() + first * stored_bytes_, inputs, sized(count * stored_bytes_));
  }

  void write_targets(const void* targets, const void* weights) override {
    upload(targets_.data(), targets, targets_.bytes());
    if (request_.weighted) upload(weights_.data(), weights, weights_.bytes());
  }

  GatheredRows gather(const std::int64_t* indices, std::int64_t count, std::int64_t epoch) override {
    stream_->activate();
    reserve(count);
    const std::int64_t* chosen = take_indices(indices, count);
    GatheredRows rows{made_inputs_.data(), made_targets_.data(), nullptr, nullptr, nullptr};
    gather_bytes(*stream_, targets_.data(), chosen, count, target_bytes_, made_targets_.data());
    if (request_.weighted) {
      gather_bytes(*stream_, weights_.data(), chosen, count, element(), made_weights_.data());
      rows.weights = made_weights_.data();
    }
    const bool mixes = request_.mixed.mixes && epoch >= 0;
    if (mixes) mix_targets(chosen, count, static_cast<std::uint32_t>(epoch), rows);
    if (training_ == nullptr) {
      gather_inputs(chosen, count);
      return rows;
    }
    for (std::int64_t row = 0; row < count; row += at_once_) {
      make_pictures(chosen, row, std::min(at_once_, count - row), epoch, mixes);
    }
    return rows;
  }

 private:
  static std::size_t sized(std::int64_t count) { return static_cast<std::size_t>(count); }
  std::int64_t element() const { return static_cast<std::int64_t>(size_of(request_.dtype)); }

  // By way of pinned memory, piece by piece.
  void upload(std::byte* to, const void* from, std::size_t bytes) {
    stream_->activate();
    PinnedArray<std::byte> staging(*stream_, std::min(bytes, bytes_of_upload));
    for (std::size_t begin = 0; begin < bytes; begin += bytes_of_upload) {
      const std::size_t part = std::min(bytes - begin, bytes_of_upload);
      std::memcpy(staging.data(), static_cast<const std::byte*>(from) + begin, part);
      stream_->upload(to + begin, staging.data(), part);
      stream_->synchronize();
    }
    stream_->rethrow();
  }

  void reserve(std::int64_t count) {
    if (count <= reserved_) return;
    indices_ = {};
    indices_on_host_ = {};
    made_inputs_ = {};
    made_targets_ = {};
    made_weights_ = {};
    reserved_ = 0;
    indices_ = Array<std::int64_t>(*stream_, sized(count));
    indices_on_host_ = PinnedArray<std::int64_t>(*stream_, sized(count));
    made_inputs_ = Array<std::byte>(*stream_, sized(count * input_bytes_));
    made_targets_ = Array<std::byte>(*stream_, sized(count * target_bytes_));
    if (request_.weighted) made_weights_ = Array<std::byte>(*stream_, sized(count * element()));
    if (request_.mixed.mixes) {
      partners_ = {};
      partners_ = Array<std::int64_t>(*stream_, sized(count));
      own_shares_ = Array<double>(*stream_, sized(count));
      second_labels_ = Array<std::int32_t>(*stream_, sized(count));
      shares_ = Array<std::byte>(*stream_, sized(count * element()));
    }
    reserved_ = count;
  }

  // The copy before was waited for: whoever called has its result.
  const std::int64_t* take_indices(const std::int64_t* indices, std::int64_t count) {
    stream_->synchronize();
    std::memcpy(indices_on_host_.data(), indices, sized(count) * sizeof(std::int64_t));
    stream_->upload(indices_.data(), indices_on_host_.data(), sized(count) * sizeof(std::int64_t));
    return indices_.data();
  }

  void gather_inputs(const std::int64_t* chosen, std::int64_t count) {
    if (mean_.data() == nullptr && request_.stored == request_.dtype) {
      gather_bytes(*stream_, inputs_.data(), chosen, count, stored_bytes_, made_inputs_.data());
      return;
    }
    gather_scaled(*stream_, {inputs_.data(), request_.stored, chosen, count, request_.values, mean_.data(),
                             scale_.data(), made_inputs_.data(), request_.dtype});
  }

  void mix_targets(const std::int64_t* chosen, std::int64_t count, std::uint32_t epoch, GatheredRows& rows) {
    draw_mixture(*stream_, request_.mixed, request_.training.seed, epoch, chosen, count, request_.samples,
                 partners_.data(), own_shares_.data());
    const MixedTargets mixed{targets_.data(), partners_.data(), own_shares_.data(), count,
                             request_.target_values};
    if (!request_.labels) return mix_values(*stream_, mixed, made_targets_.data(), request_.dtype);
    mix_labels(*stream_, mixed, second_labels_.data(), shares_.data(), request_.dtype);
    rows.second_labels = second_labels_.data();
    rows.shares = shares_.data();
  }

  void make_pictures(const std::int64_t* chosen, std::int64_t row, std::int64_t count, std::int64_t epoch,
                     bool mixes) {
    const auto* source = reinterpret_cast<const std::uint8_t*>(inputs_.data());
    PictureMaker& maker = epoch < 0 ? *evaluation_ : *training_;
    const auto draw = static_cast<std::uint32_t>(std::max<std::int64_t>(epoch, 0));
    const float* pictures = maker.make(source, chosen + row, count, draw);
    const float* others = nullptr;
    if (mixes) {
      keep_pictures(*stream_, pictures, kept_.data(), count * maker.stride());
      pictures = kept_.data();
      others = maker.make(source, partners_.data() + row, count, draw);
    }
    finish_pictures(*stream_, {pictures, maker.stride(), others, mixes ? own_shares_.data() + row : nullptr,
                               count, request_.values, mean_.data(), scale_.data(),
                               made_inputs_.data() + row * input_bytes_, request_.dtype});
  }

  std::shared_ptr<Stream> stream_;
  RowsRequest request_;
  std::int64_t stored_bytes_;  // of a sample
  std::int64_t input_bytes_;
  std::int64_t target_bytes_;
  Array<std::byte> inputs_;
  Array<std::byte> targets_;
  Array<std::byte> weights_;
  Array<double> mean_;
  Array<double> scale_;
  std::int64_t at_once_ = 1;  // pictures
  std::unique_ptr<PictureMaker> training_;
  std::unique_ptr<PictureMaker> evaluation_;
  Array<float> kept_;
  // What is made of the samples that are asked for, of as many as there have been at most.
  std::int64_t reserved_ = 0;
  Array<std::int64_t> indices_;
  PinnedArray<std::int64_t> indices_on_host_;
  Array<std::byte> made_inputs_;
  Array<std::byte> made_targets_;
  Array<std::byte> made_weights_;
  Array<std::int64_t> partners_;
  Array<double> own_shares_;
  Array<std::int32_t> second_labels_;
  Array<std::byte> shares_;
};

}  // namespace

std::unique_ptr<ResidentRows> keep_rows(const RowsRequest& request, const std::shared_ptr<Stream>& stream) {
  return std::make_unique<CudaRows>(request, stream);
}

}  // namespace ravine::cuda
