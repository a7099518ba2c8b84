# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Brightness, contrast and colour of a picture of float32 grey levels, in place."""

cdef enum:
    LANES = 12  # values summed side by side: a whole number of vectors and of pixels with 1 or 3 channels
    BLOCK = 3072  # values whose sums are float32 before they go on in float64; a multiple of LANES


cdef inline float grey_level(float value) noexcept nogil:
    value = value if value > 0.0 else 0.0
    return value if value < 255.0 else 255.0


cdef void brighten(float* values, Py_ssize_t count, float factor) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        values[i] = grey_level(values[i] * factor)


cdef void sum_of_lanes(const float* values, Py_ssize_t count, double* lanes) noexcept nogil:
    """Adds values to LANES sums, value i to sum i % LANES; `count` is a multiple of LANES."""
    cdef float[LANES] part
    cdef Py_ssize_t begin = 0
    cdef Py_ssize_t block, i, lane
    while begin < count:
        block = min(count - begin, <Py_ssize_t>BLOCK)
        for lane in range(LANES):
            part[lane] = 0.0
        for i in range(block // LANES):
            for lane in range(LANES):
                part[lane] += values[begin + i * LANES + lane]
        for lane in range(LANES):
            lanes[lane] += part[lane]
        begin += block


cdef double mean_grey(const float* values, Py_ssize_t pixels, int channels) noexcept nogil:
    cdef double[LANES] lanes
    cdef double red, green, blue
    cdef double total = 0.0
    cdef Py_ssize_t count = pixels * channels
    cdef Py_ssize_t whole = count - count % LANES
    cdef Py_ssize_t i, lane
    for lane in range(LANES):
        lanes[lane] = 0.0
    sum_of_lanes(values, whole, lanes)
    for i in range(whole, count):
        lanes[i % LANES] += values[i]
    if channels == 3:
        red = lanes[0] + lanes[3] + lanes[6] + lanes[9]
        green = lanes[1] + lanes[4] + lanes[7] + lanes[10]
        blue = lanes[2] + lanes[5] + lanes[8] + lanes[11]
        return (0.299 * red + 0.587 * green + 0.114 * blue) / pixels
    for lane in range(LANES):
        total += lanes[lane]
    return total / count


cdef void change_contrast(float* values, Py_ssize_t pixels, int channels, float factor) noexcept nogil:
    cdef float offset = <float>((1.0 - factor) * mean_grey(values, pixels, channels))
    cdef Py_ssize_t i
    for i in range(pixels * channels):
        values[i] = grey_level(values[i] * factor + offset)


cdef void add_colour(
    float* values, Py_ssize_t pixels, const double* axes, const double* numbers
) noexcept nogil:
    cdef float[3] offset
    cdef Py_ssize_t i
    cdef int channel
    for channel in range(3):
        offset[channel] = <float>(
            axes[3 * channel] * numbers[0] + axes[3 * channel + 1] * numbers[1]
            + axes[3 * channel + 2] * numbers[2]
        )
    for i in range(pixels):
        for channel in range(3):
            values[3 * i + channel] = grey_level(values[3 * i + channel] + offset[channel])
