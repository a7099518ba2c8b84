# cython: language_level=3
"""A step of an augmentation as the native code sees it, and what is drawn for it."""

from libc.stdint cimport uint32_t

from ravine.data.augmentation._philox cimport Key

cdef enum Kind:  # in the order of KINDS in pipeline.py
    TRANSLATION
    SCALING
    ROTATION
    STRETCH
    SHEAR
    LENS_DISTORTION
    HORIZONTAL_FLIP
    RANDOM_CROP
    RANDOM_RESIZED_CROP
    FIXED_CROP
    BRIGHTNESS
    CONTRAST
    PCA_COLOUR
    GAUSSIAN_NOISE
    CUTOUT

cdef enum:
    SETTINGS = 9
    DRAWN = 4

cdef struct Step:
    int kind
    int group_end     # of geometric steps: behind the last that is part of the same map
    int border
    uint32_t place    # in the list of settings: part of the key
    int height        # of the picture before the step, and after it
    int width
    int out_height
    int out_width
    double fill
    double probability
    double setting[SETTINGS]

# Draws what the step needs; true where the picture gets it. A crop has a window in any case.
cdef bint draw_step(const Step* step, const Key* key, double* drawn) noexcept nogil

# The share of a sample itself in its mixture, ~ Beta(alpha, alpha), and the number of the other sample.
cdef double draw_share(const Key* key, double probability, double alpha) noexcept nogil
cdef uint32_t draw_partner(const Key* key, uint32_t samples) noexcept nogil
