#include "backend/cuda/gather.h"

#include "backend/cuda/launch.h"

namespace ravine::cuda {
namespace {

template <int words>
struct alignas(4 * words) Piece {
  std::uint32_t word[words];
};

// A thread takes a piece of a row: as wide a one as divides the row.
template <typename Unit>
struct GatherBytes {
  const Unit* source;
  const std::int64_t* indices;
  std::int64_t units;  // of a row
  Unit* out;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t unit = column_of(i, units);
    out[i] = source[indices[(i - unit) / units] * units + unit];
  }
};

template <typename Stored, typename T>
struct GatherScaled {
  const Stored* source;
  const std::int64_t* indices;
  std::int64_t columns;
  const double* mean;
  const double* scale;
  T* out;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t column = column_of(i, columns);
    const Stored value = source[indices[(i - column) / columns] * columns + column];
    out[i] = mean == nullptr ? static_cast<T>(value)
                             : static_cast<T>((static_cast<double>(value) - mean[column]) * scale[column]);
  }
};

template <typename T>
struct MixLabels {
  const std::int32_t* labels;
  const std::int64_t* partners;
  const double* own;
  std::int32_t* second_labels;
  T* shares;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    second_labels[i] = labels[partners[i]];
    shares[i] = static_cast<T>(own[i]);
  }
};

template <typename T>
struct MixValues {
  const T* values;
  const std::int64_t* partners;
  const double* own;
  std::int64_t columns;
  T* targets;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t column = column_of(i, columns);
    const std::int64_t row = (i - column) / columns;
    const T share = static_cast<T>(own[row]);
    const T mine = targets[i] * share;
    targets[i] = mine + (T(1) - share) * values[partners[row] * columns + column];
  }
};

template <typename T, typename Stored>
void gather_from(Stream& stream, const ScaledRows& rows) {
  for_each(stream, rows.rows * rows.columns,
           GatherScaled<Stored, T>{static_cast<const Stored*>(rows.source), rows.indices, rows.columns,
                                   rows.mean, rows.scale, static_cast<T*>(rows.out)});
}

template <typename T>
void gather_to(Stream& stream, const ScaledRows& rows) {
  switch (rows.stored) {
    case DType::uint8:
      return gather_from<T, std::uint8_t>(stream, rows);
    case DType::float64:
      return gather_from<T, double>(stream, rows);
    default:
      return gather_from<T, float>(stream, rows);
  }
}

template <typename Unit>
void gather_units(Stream& stream, const void* source, const std::int64_t* indices, std::int64_t rows,
                  std::int64_t row_bytes, void* out) {
  const std::int64_t units = row_bytes / static_cast<std::int64_t>(sizeof(Unit));
  for_each(stream, rows * units,
           GatherBytes<Unit>{static_cast<const Unit*>(source), indices, units, static_cast<Unit*>(out)});
}

}  // namespace

void gather_bytes(Stream& stream, const void* source, const std::int64_t* indices, std::int64_t rows,
                  std::int64_t row_bytes, void* out) {
  const auto with = [&]<typename Unit>(Unit) {
    gather_units<Unit>(stream, source, indices, rows, row_bytes, out);
  };
  if (row_bytes % 16 == 0) return with(Piece<4>{});
  if (row_bytes % 8 == 0) return with(Piece<2>{});
  if (row_bytes % 4 == 0) return with(Piece<1>{});
  with(std::uint8_t{});
}

void gather_scaled(Stream& stream, const ScaledRows& rows) {
  rows.dtype == DType::float64 ? gather_to<double>(stream, rows) : gather_to<float>(stream, rows);
}

void mix_labels(Stream& stream, const MixedTargets& mixed, std::int32_t* second_labels, void* shares,
                DType dtype) {
  const auto with = [&]<typename T>(T* to) {
    for_each(stream, mixed.rows,
             MixLabels<T>{static_cast<const std::int32_t*>(mixed.source), mixed.partners, mixed.shares,
                          second_labels, to});
  };
  dtype == DType::float64 ? with(static_cast<double*>(shares)) : with(static_cast<float*>(shares));
}

void mix_values(Stream& stream, const MixedTargets& mixed, void* targets, DType dtype) {
  const auto with = [&]<typename T>(T* to) {
    for_each(
        stream, mixed.rows * mixed.columns,
        MixValues<T>{static_cast<const T*>(mixed.source), mixed.partners, mixed.shares, mixed.columns, to});
  };
  dtype == DType::float64 ? with(static_cast<double*>(targets)) : with(static_cast<float*>(targets));
}

}  // namespace ravine::cuda
