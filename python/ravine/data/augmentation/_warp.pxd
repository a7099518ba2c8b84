# cython: language_level=3
"""Geometric steps: composed to one map from an output pixel to a point of the source, sampled once."""

from libc.stdint cimport uint8_t

from ravine.data.augmentation._step cimport Step

cdef enum Border:  # in the order of BORDERS in pipeline.py
    CONSTANT
    EDGE
    REFLECT

cdef enum:
    MOST_LENSES = 4

# Affine maps with the distortions of lenses between them: x = a[0] x' + a[1] y' + a[2],
# y = a[3] x' + a[4] y' + a[5]; behind affine map i, but for the last, comes lens i.
cdef struct Map:
    int lenses
    double affine[MOST_LENSES + 1][6]
    double lens[MOST_LENSES]
    double centre_x[MOST_LENSES]
    double centre_y[MOST_LENSES]
    double inverse_square[MOST_LENSES]  # of the distance from the centre to a corner

ctypedef fused source_value:
    uint8_t
    float

cdef void begin_map(Map* map) noexcept nogil
# The map of what came so far, taken behind this step: steps are added from the last to the first.
cdef void add_step(Map* map, const Step* step, const double* drawn) noexcept nogil
# Out is [out_height, out_width, channels], in grey levels.
cdef void apply_map(
    const Map* map, const source_value* source, int height, int width, int channels, int border, float fill,
    float* out, int out_height, int out_width,
) noexcept nogil
