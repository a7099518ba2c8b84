// Pictures that are changed at random on the device: every step over all pictures of a part, in the order and
// with the numbers of the CPU, which takes one picture after the other.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/cuda/stream.h"
#include "backend/resident_rows.h"
#include "rules/augmentation/map.h"

namespace ravine::cuda {

class PictureMaker {
 public:
  // Makes up to `most` pictures at once.
  PictureMaker(Stream& stream, const PictureSteps& steps, const std::vector<float>& quantiles,
               std::int64_t most);

  static std::int64_t bytes_of_picture(const PictureSteps& steps);
  // The bytes of samples lie one behind the other in `source`. Picture i, of grey levels, begins
  // i * stride() behind the result, and holds until the next call.
  const float* make(const std::uint8_t* source, const std::int64_t* samples, std::int64_t count,
                    std::uint32_t epoch);
  std::int64_t stride() const { return largest_; }

 private:
  void move(std::size_t first, int map, const std::uint8_t* source, const std::int64_t* samples);
  void change(std::size_t index, const std::int64_t* samples, std::uint32_t epoch);

  Stream& stream_;
  PictureSteps steps_;
  std::int64_t largest_ = 0;  // values of a picture at any step
  int maps_ = 0;
  std::int64_t count_ = 0;  // of pictures now
  float* now_ = nullptr;    // null: still the source
  float* other_ = nullptr;
  Array<augmentation::Step> on_device_;
  Array<float> quantiles_;
  Array<augmentation::Map> map_;
  Array<double> drawn_;
  Array<std::uint8_t> given_;
  Array<float> buffers_[2];
  Array<float> parts_;    // sums of contrast
  Array<float> offsets_;  // of contrast, a number a picture
};

// With which samples others are mixed, and what share they keep.
void draw_mixture(Stream& stream, const MixedSamples& mixed, std::uint64_t seed, std::uint32_t epoch,
                  const std::int64_t* samples, std::int64_t count, std::int64_t of_all,
                  std::int64_t* partners, double* shares);

// The last pass: mixed with others where there are some, normalized, and converted.
struct FinishedPictures {
  const float* pictures;
  std::int64_t stride;
  const float* others;  // null: nothing is mixed
  const double* shares;
  std::int64_t rows;
  std::int64_t values;
  const double* mean;  // null: grey levels
  const double* scale;
  void* out;
  DType dtype;
};
void finish_pictures(Stream& stream, const FinishedPictures& pictures);
// Keeps pictures while others are made in their place.
void keep_pictures(Stream& stream, const float* pictures, float* kept, std::int64_t values);

}  // namespace ravine::cuda
