# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Gaussian noise and cutout, in place on a picture of float32 grey levels."""

from libc.stdint cimport uint32_t

from ravine.data.augmentation._philox cimport Key, Words, draw

cdef enum:
    PER_CALL = 8  # values whose 16 bits one call of Philox gives


cdef inline float grey_level(float value) noexcept nogil:
    value = value if value > 0.0 else 0.0
    return value if value < 255.0 else 255.0


cdef void add_noise(
    float* values, Py_ssize_t count, const Key* key, float deviation, const float* quantiles
) noexcept nogil:
    cdef Py_ssize_t begin = 0
    cdef Py_ssize_t i
    cdef uint32_t call = 1  # call 0 is the step's own
    cdef Words words
    cdef uint32_t bits
    while begin < count:
        words = draw(key, call)
        for i in range(min(<Py_ssize_t>PER_CALL, count - begin)):
            bits = words.word[i // 2]
            bits = bits >> 16 if i % 2 else bits & 0xFFFF
            values[begin + i] = grey_level(values[begin + i] + deviation * quantiles[bits])
        begin += PER_CALL
        call += 1


cdef void cut_out(
    float* values, int height, int width, int channels, int centre_y, int centre_x, int size, float fill
) noexcept nogil:
    cdef int top = centre_y - size // 2
    cdef int left = centre_x - size // 2
    cdef int y
    cdef Py_ssize_t i
    for y in range(max(0, top), min(height, top + size)):
        for i in range(
            (<Py_ssize_t>y * width + max(0, left)) * channels,
            (<Py_ssize_t>y * width + min(width, left + size)) * channels,
        ):
            values[i] = fill
