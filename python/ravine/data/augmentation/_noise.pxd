# cython: language_level=3
"""Steps that replace pixels: noise and cutout."""

from ravine.data.augmentation._philox cimport Key

cdef enum:
    QUANTILES = 65536

# Adds deviation times a normal number to each value: one of the 2^16 quantiles, by 16 random bits each.
cdef void add_noise(
    float* values, Py_ssize_t count, const Key* key, float deviation, const float* quantiles
) noexcept nogil
cdef void cut_out(
    float* values, int height, int width, int channels, int centre_y, int centre_x, int size, float fill
) noexcept nogil
