# cython: language_level=3
"""Steps that change the values of pixels: brightness, contrast, colour. Values stay within [0, 255]."""

cdef void brighten(float* values, Py_ssize_t count, float factor) noexcept nogil
cdef void change_contrast(float* values, Py_ssize_t pixels, int channels, float factor) noexcept nogil
# Adds axes (3 x 3, row by row) times the numbers to each pixel of three channels.
cdef void add_colour(
    float* values, Py_ssize_t pixels, const double* axes, const double* numbers
) noexcept nogil
