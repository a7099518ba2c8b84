#include "backend/cuda/pictures.h"

#include <algorithm>
#include <utility>

#include "backend/cuda/picture_values.h"
#include "rules/augmentation/draws.h"
#include "rules/augmentation/sample.h"

namespace ravine::cuda {
namespace {

using augmentation::Key;
using augmentation::Kind;
using augmentation::Map;
using augmentation::Step;

// A thread takes a picture: draws for all of its steps, and composes maps of neighbours that move pixels.
struct DrawSteps {
  const Step* steps;
  int count;
  int maps;  // of a picture
  std::uint64_t seed;
  std::uint32_t epoch;
  const std::int64_t* samples;
  Map* map;
  std::uint8_t* given;
  double* drawn;

  RAVINE_HOST_DEVICE void operator()(std::int64_t picture) const {
    Key key{seed, epoch, static_cast<std::uint32_t>(samples[picture]), 0};
    Map* next = map + picture * maps;
    for (int i = 0; i < count;) {
      const Step& step = steps[i];
      if (step.group_end > 0) {
        Map composed;
        for (int k = step.group_end - 1; k >= i; --k) {
          double numbers[augmentation::most_drawn];
          key.place = steps[k].place;
          if (draw_step(steps[k], key, numbers)) composed.add(steps[k], numbers);
        }
        *next++ = composed;
        i = step.group_end;
        continue;
      }
      const std::int64_t at = picture * count + i;
      key.place = step.place;
      given[at] = draw_step(step, key, drawn + at * augmentation::most_drawn) ? 1 : 0;
      ++i;
    }
  }
};

// A thread takes a pixel of the result, with all of its channels.
template <typename Value>
struct MovePixels {
  const Value* source;
  std::int64_t source_stride;
  const std::int64_t* samples;  // where pictures lie in the source; null: in their order
  augmentation::Picture<Value> picture;
  const Map* map;
  int maps;
  int out_height;
  int out_width;
  float* out;
  std::int64_t out_stride;

  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t pixels = std::int64_t{out_height} * out_width;
    const std::int64_t pixel = column_of(i, pixels);
    const std::int64_t number = (i - pixel) / pixels;
    augmentation::Picture<Value> own = picture;
    own.values = source + (samples == nullptr ? number : samples[number]) * source_stride;
    own.sample(map[number * maps], static_cast<int>(pixel / out_width), static_cast<int>(pixel % out_width),
               out + number * out_stride + pixel * picture.channels);
  }
};

struct ToLevels {
  const std::uint8_t* source;
  const std::int64_t* samples;
  std::int64_t values;
  float* out;
  std::int64_t stride;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t value = column_of(i, values);
    const std::int64_t picture = (i - value) / values;
    out[picture * stride + value] = source[samples[picture] * values + value];
  }
};

struct DrawMixture {
  Key key;  // but for the sample
  double alpha;
  double probability;
  std::uint32_t of_all;
  const std::int64_t* samples;
  std::int64_t* partners;
  double* shares;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    Key own = key;
    own.sample = static_cast<std::uint32_t>(samples[i]);
    partners[i] = draw_partner(own, of_all);
    shares[i] = draw_share(own, probability, alpha);
  }
};

template <typename T>
struct Finish {
  FinishedPictures from;
  T* out;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t value = column_of(i, from.values);
    const std::int64_t row = (i - value) / from.values;
    float level = from.pictures[row * from.stride + value];
    if (from.others != nullptr && from.shares[row] < 1.0) {
      const auto share = static_cast<float>(from.shares[row]);
      level = share * level + (1.0f - share) * from.others[row * from.stride + value];
    }
    out[i] = from.mean == nullptr ? static_cast<T>(level)
                                  : static_cast<T>((level - from.mean[value]) * from.scale[value]);
  }
};

struct KeepLevels {
  const float* from;
  float* to;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const { to[i] = from[i]; }
};

bool has(const PictureSteps& steps, Kind kind) {
  return std::any_of(steps.steps.begin(), steps.steps.end(),
                     [&](const Step& step) { return step.kind == kind; });
}

int count_maps(const PictureSteps& steps) {
  int maps = 0;
  for (std::size_t i = 0; i < steps.steps.size();) {
    const int end = steps.steps[i].group_end;
    maps += end > 0 ? 1 : 0;
    i = end > 0 ? static_cast<std::size_t>(end) : i + 1;
  }
  return maps;
}

std::int64_t largest_picture(const PictureSteps& steps) {
  std::int64_t pixels = std::int64_t{steps.height} * steps.width;
  for (const Step& step : steps.steps) {
    pixels = std::max(pixels, std::int64_t{step.out_height} * step.out_width);
  }
  return pixels * steps.channels;
}

std::int64_t parts_of(std::int64_t values) { return (values + values_of_part - 1) / values_of_part; }

}  // namespace

std::int64_t PictureMaker::bytes_of_picture(const PictureSteps& steps) {
  const std::int64_t of_step = 1 + augmentation::most_drawn * static_cast<std::int64_t>(sizeof(double));
  return 2 * largest_picture(steps) * static_cast<std::int64_t>(sizeof(float)) +
         count_maps(steps) * static_cast<std::int64_t>(sizeof(Map)) +
         static_cast<std::int64_t>(steps.steps.size()) * of_step;
}

PictureMaker::PictureMaker(Stream& stream, const PictureSteps& steps, const std::vector<float>& quantiles,
                           std::int64_t most)
    : stream_(stream), steps_(steps), largest_(largest_picture(steps)), maps_(count_maps(steps)) {
  const auto pictures = static_cast<std::size_t>(most);
  if (!steps.steps.empty()) on_device_ = array_of(stream, steps.steps);
  if (has(steps, Kind::gaussian_noise)) quantiles_ = array_of(stream, quantiles);
  map_ = Array<Map>(stream, pictures * static_cast<std::size_t>(maps_));
  drawn_ = Array<double>(stream, pictures * steps.steps.size() * augmentation::most_drawn);
  given_ = Array<std::uint8_t>(stream, pictures * steps.steps.size());
  for (auto& buffer : buffers_) buffer = Array<float>(stream, pictures * static_cast<std::size_t>(largest_));
  if (!has(steps, Kind::contrast)) return;
  parts_ = Array<float>(stream, pictures * static_cast<std::size_t>(parts_of(largest_)) * lanes_of_mean);
  offsets_ = Array<float>(stream, pictures);
}

const float* PictureMaker::make(const std::uint8_t* source, const std::int64_t* samples, std::int64_t count,
                                std::uint32_t epoch) {
  count_ = count;
  now_ = nullptr;
  other_ = buffers_[0].data();
  const std::vector<Step>& steps = steps_.steps;
  const auto to_levels = [&](std::int64_t values) {
    for_each(stream_, count * values, ToLevels{source, samples, values, other_, largest_});
    now_ = std::exchange(other_, buffers_[1].data());
  };
  if (!steps.empty()) {
    for_each(stream_, count,
             DrawSteps{on_device_.data(), static_cast<int>(steps.size()), maps_, steps_.seed, epoch, samples,
                       map_.data(), given_.data(), drawn_.data()});
  }
  int map = 0;
  for (std::size_t i = 0; i < steps.size();) {
    if (steps[i].group_end > 0) {
      move(i, map++, source, samples);
      i = static_cast<std::size_t>(steps[i].group_end);
      continue;
    }
    if (now_ == nullptr) to_levels(std::int64_t{steps[i].height} * steps[i].width * steps_.channels);
    change(i++, samples, epoch);
  }
  if (now_ == nullptr) to_levels(steps_.values());
  return now_;
}

void PictureMaker::move(std::size_t first, int map, const std::uint8_t* source, const std::int64_t* samples) {
  const Step& step = steps_.steps[first];
  const Step& last = steps_.steps[static_cast<std::size_t>(step.group_end) - 1];
  const std::int64_t pixels = count_ * last.out_height * last.out_width;
  const auto with = [&]<typename Value>(const Value* from, std::int64_t stride, const std::int64_t* places) {
    const augmentation::Picture<Value> picture{nullptr,         step.height, step.width,
                                               steps_.channels, step.border, static_cast<float>(step.fill)};
    for_each(stream_, pixels,
             MovePixels<Value>{from, stride, places, picture, map_.data() + map, maps_, last.out_height,
                               last.out_width, other_, largest_});
  };
  if (now_ == nullptr) {
    with(source, std::int64_t{step.height} * step.width * steps_.channels, samples);
    now_ = std::exchange(other_, buffers_[1].data());
  } else {
    with(static_cast<const float*>(now_), largest_, nullptr);
    std::swap(now_, other_);
  }
}

void PictureMaker::change(std::size_t index, const std::int64_t* samples, std::uint32_t epoch) {
  const Step& step = steps_.steps[index];
  const std::int64_t values = std::int64_t{step.height} * step.width * steps_.channels;
  const DrawnStep drawn{given_.data() + index, drawn_.data() + index * augmentation::most_drawn,
                        static_cast<int>(steps_.steps.size())};
  const Pictures pictures{now_, largest_, values};
  switch (step.kind) {
    case Kind::brightness:
      return for_each(stream_, count_ * values, Brighten{drawn, pictures});
    case Kind::contrast: {
      const std::int64_t parts = parts_of(values);
      for_each(stream_, count_ * parts * lanes_of_mean, AddLanes{drawn, pictures, parts, parts_.data()});
      for_each(stream_, count_,
               FindContrast{drawn, pictures, parts, steps_.channels, parts_.data(), offsets_.data()});
      return for_each(stream_, count_ * values, ChangeContrast{drawn, pictures, offsets_.data()});
    }
    case Kind::pca_colour:
      return for_each(stream_, count_ * values, AddColour{drawn, pictures, on_device_.data() + index});
    case Kind::gaussian_noise: {
      const std::int64_t calls = (values + AddNoise::of_call - 1) / AddNoise::of_call;
      return for_each(stream_, count_ * calls,
                      AddNoise{drawn, pictures, calls, samples, Key{steps_.seed, epoch, 0, step.place},
                               static_cast<float>(step.setting[0]), quantiles_.data()});
    }
    case Kind::cutout:
      return for_each(stream_, count_ * values,
                      CutOut{drawn, pictures, step.width, steps_.channels, static_cast<int>(step.setting[0]),
                             static_cast<float>(step.fill)});
    default:
      return;
  }
}

void draw_mixture(Stream& stream, const MixedSamples& mixed, std::uint64_t seed, std::uint32_t epoch,
                  const std::int64_t* samples, std::int64_t count, std::int64_t of_all,
                  std::int64_t* partners, double* shares) {
  for_each(stream, count,
           DrawMixture{Key{seed, epoch, 0, mixed.place}, mixed.alpha, mixed.probability,
                       static_cast<std::uint32_t>(of_all), samples, partners, shares});
}

void finish_pictures(Stream& stream, const FinishedPictures& pictures) {
  const auto with = [&]<typename T>(T* out) {
    for_each(stream, pictures.rows * pictures.values, Finish<T>{pictures, out});
  };
  pictures.dtype == DType::float64 ? with(static_cast<double*>(pictures.out))
                                   : with(static_cast<float*>(pictures.out));
}

void keep_pictures(Stream& stream, const float* pictures, float* kept, std::int64_t values) {
  for_each(stream, values, KeepLevels{pictures, kept});
}

}  // namespace ravine::cuda
