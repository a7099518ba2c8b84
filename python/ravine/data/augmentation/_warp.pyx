# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Affine and radial maps with bilinear sampling; maps by whole pixels are copies of rows."""

from libc.math cimport cos, floor, sin, tan
from libc.string cimport memcpy

from ravine.data.augmentation._step cimport (
    FIXED_CROP, HORIZONTAL_FLIP, LENS_DISTORTION, RANDOM_CROP, RANDOM_RESIZED_CROP, ROTATION, SCALING, SHEAR,
    STRETCH, TRANSLATION, Step,
)

cdef double RADIAN = 0.017453292519943295

cdef enum:
    OUTSIDE = -1


cdef void begin_map(Map* map) noexcept nogil:
    map.lenses = 0
    set_affine(map.affine[0], 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


cdef void set_affine(
    double* affine, double xx, double xy, double x, double yx, double yy, double y
) noexcept nogil:
    affine[0], affine[1], affine[2] = xx, xy, x
    affine[3], affine[4], affine[5] = yx, yy, y


cdef void then(double* first, double xx, double xy, double x, double yx, double yy, double y) noexcept nogil:
    """Takes points on by another affine map."""
    cdef int i
    cdef double across, down
    for i in range(3):
        across, down = first[i], first[i + 3]
        first[i] = xx * across + xy * down
        first[i + 3] = yx * across + yy * down
    first[2] += x
    first[5] += y


cdef void then_about(
    double* first, const Step* step, double xx, double xy, double yx, double yy
) noexcept nogil:
    """Takes points on by a linear map about the centre of the picture."""
    cdef double x = 0.5 * (step.width - 1)
    cdef double y = 0.5 * (step.height - 1)
    then(first, xx, xy, x - xx * x - xy * y, yx, yy, y - yx * x - yy * y)


cdef void add_step(Map* map, const Step* step, const double* drawn) noexcept nogil:
    # Each branch is the inverse of what the step does to a picture: from a point of the result to the source.
    cdef double* last = map.affine[map.lenses]
    cdef double cosine, sine, across, down, determinant
    if step.kind == TRANSLATION:
        then(last, 1.0, 0.0, -drawn[0] * step.width, 0.0, 1.0, -drawn[1] * step.height)
    elif step.kind == SCALING or step.kind == STRETCH:
        then_about(last, step, 1.0 / drawn[0], 0.0, 0.0, 1.0 / drawn[1])
    elif step.kind == ROTATION:
        cosine, sine = cos(RADIAN * drawn[0]), sin(RADIAN * drawn[0])
        then_about(last, step, cosine, -sine, sine, cosine)
    elif step.kind == SHEAR:
        across, down = tan(RADIAN * drawn[0]), tan(RADIAN * drawn[1])
        determinant = 1.0 - across * down
        then_about(
            last, step, 1.0 / determinant, -across / determinant, -down / determinant, 1.0 / determinant
        )
    elif step.kind == HORIZONTAL_FLIP:
        then(last, -1.0, 0.0, step.width - 1.0, 0.0, 1.0, 0.0)
    elif step.kind == RANDOM_CROP or step.kind == RANDOM_RESIZED_CROP or step.kind == FIXED_CROP:
        down, across = step.height / drawn[0], step.width / drawn[1]
        then(
            last, across, 0.0, (drawn[3] + 0.5) * across - 0.5, 0.0, down, (drawn[2] + 0.5) * down - 0.5
        )
    elif step.kind == LENS_DISTORTION and drawn[0] != 0.0:
        map.lens[map.lenses] = drawn[0]
        map.centre_x[map.lenses] = 0.5 * (step.width - 1)
        map.centre_y[map.lenses] = 0.5 * (step.height - 1)
        across, down = map.centre_x[map.lenses], map.centre_y[map.lenses]
        # A single pixel has no radius.
        map.inverse_square[map.lenses] = 1.0 / max(across * across + down * down, 0.25)
        map.lenses += 1
        set_affine(map.affine[map.lenses], 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


cdef int inside(int place, int size, int border) noexcept nogil:
    """The pixel that stands for one outside of [0, size), or OUTSIDE."""
    if 0 <= place < size:
        return place
    if border == CONSTANT:
        return OUTSIDE
    if border == EDGE:
        return 0 if place < 0 else size - 1
    place %= 2 * size
    if place < 0:
        place += 2 * size
    return place if place < size else 2 * size - 1 - place


cdef inline float at(
    const source_value* source, int y, int x, int width, int channels, int channel, float fill
) noexcept nogil:
    if y == OUTSIDE or x == OUTSIDE:
        return fill
    return source[(<Py_ssize_t>y * width + x) * channels + channel]


cdef inline int floored(double value) noexcept nogil:
    """The whole number below a value; floor() is a call where the processor is not known to have it."""
    cdef int truncated = <int>value
    return truncated - (truncated > value)


cdef inline void sample_inside(
    const source_value* corner, Py_ssize_t row, int channels, float right_part, float bottom_part, float* out
) noexcept nogil:
    """Bilinear between the pixel at `corner`, its right, its lower and its lower right neighbour."""
    cdef float above, below
    cdef int channel
    for channel in range(channels):
        above = corner[channel] + right_part * (<float>corner[channel + channels] - <float>corner[channel])
        below = corner[row + channel] + right_part * (
            <float>corner[row + channel + channels] - <float>corner[row + channel]
        )
        out[channel] = above + bottom_part * (below - above)


cdef void sample_border(
    const source_value* source, int height, int width, int channels, int border, float fill,
    double x, double y, float* out,
) noexcept nogil:
    """The same where not all four neighbours are pixels of the picture."""
    # Far outside all is border: keeps whole numbers within their range.
    x = min(max(x, -8388608.0), 8388607.0)
    y = min(max(y, -8388608.0), 8388607.0)
    cdef int left = floored(x)
    cdef int top = floored(y)
    cdef float right_part = <float>(x - left)
    cdef float bottom_part = <float>(y - top)
    cdef float above, below
    cdef int right = inside(left + 1, width, border)
    cdef int bottom = inside(top + 1, height, border)
    cdef int channel
    left, top = inside(left, width, border), inside(top, height, border)
    for channel in range(channels):
        above = at(source, top, left, width, channels, channel, fill)
        above += right_part * (at(source, top, right, width, channels, channel, fill) - above)
        below = at(source, bottom, left, width, channels, channel, fill)
        below += right_part * (at(source, bottom, right, width, channels, channel, fill) - below)
        out[channel] = above + bottom_part * (below - above)


cdef inline void sample(
    const source_value* source, int height, int width, int channels, int border, float fill,
    double x, double y, float* out,
) noexcept nogil:
    """The picture at a point."""
    cdef int left, top
    cdef Py_ssize_t row = <Py_ssize_t>width * channels
    if 0.0 <= x and x < width - 1 and 0.0 <= y and y < height - 1:
        left, top = <int>x, <int>y
        sample_inside(
            source + top * row + <Py_ssize_t>left * channels, row, channels,
            <float>(x - left), <float>(y - top), out,
        )
    else:
        sample_border(source, height, width, channels, border, fill, x, y, out)


cdef inline void through_lenses(const Map* map, double* x, double* y) noexcept nogil:
    cdef const double* affine
    cdef double across, down, factor
    cdef int i
    for i in range(map.lenses):
        across, down = x[0] - map.centre_x[i], y[0] - map.centre_y[i]
        factor = 1.0 + map.lens[i] * map.inverse_square[i] * (across * across + down * down)
        across, down = map.centre_x[i] + factor * across, map.centre_y[i] + factor * down
        affine = <const double*>map.affine[i + 1]
        x[0] = affine[0] * across + affine[1] * down + affine[2]
        y[0] = affine[3] * across + affine[4] * down + affine[5]


cdef inline void sample_all(
    const Map* map, const source_value* source, int height, int width, int channels, int border, float fill,
    float* out, int out_height, int out_width,
) noexcept nogil:
    cdef const double* affine = <const double*>map.affine[0]
    cdef double x, y, row_x, row_y
    cdef int row, column
    for row in range(out_height):
        row_x = affine[1] * row + affine[2]
        row_y = affine[4] * row + affine[5]
        for column in range(out_width):
            x = affine[0] * column + row_x
            y = affine[3] * column + row_y
            if map.lenses > 0:
                through_lenses(map, &x, &y)
            sample(source, height, width, channels, border, fill, x, y, out)
            out += channels


cdef void fill_with(float* out, Py_ssize_t count, float level) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = level


cdef void copy_pixels(
    const source_value* source, float* out, Py_ssize_t pixels, int channels, bint backwards
) noexcept nogil:
    """Pixels one behind the other, or with the source read backwards from the pixel at its pointer."""
    cdef Py_ssize_t i
    cdef int channel
    if not backwards:
        if source_value is float:
            memcpy(out, source, pixels * channels * sizeof(float))
        else:
            for i in range(pixels * channels):
                out[i] = source[i]
    elif channels == 3:
        for i in range(pixels):
            out[3 * i] = (source - 3 * i)[0]
            out[3 * i + 1] = (source - 3 * i)[1]
            out[3 * i + 2] = (source - 3 * i)[2]
    else:
        for i in range(pixels):
            for channel in range(channels):
                out[i * channels + channel] = (source - i * channels)[channel]


cdef void border_pixels(
    const source_value* row, int width, int channels, int border, float fill, bint mirrored, int first_x,
    float* out, int begin, int end,
) noexcept nogil:
    """Columns [begin, end) of a row that begins at `out`, beside the picture."""
    cdef int column, channel, x
    for column in range(begin, end):
        x = inside(first_x - column if mirrored else first_x + column, width, border)
        for channel in range(channels):
            out[column * channels + channel] = at(row, 0, x, width, channels, channel, fill)


cdef void copy_window(
    const source_value* source, int height, int width, int channels, int border, float fill,
    bint mirrored, int first_x, int first_y, float* out, int out_height, int out_width,
) noexcept nogil:
    """Rows of a map by whole pixels: column 0 shows first_x, the next one first_x + 1 (mirrored: - 1)."""
    cdef int begin = max(0, first_x - width + 1) if mirrored else max(0, -first_x)
    cdef int end = min(out_width, first_x + 1) if mirrored else min(out_width, width - first_x)
    cdef int row, x, y
    cdef const source_value* source_row
    begin = min(begin, out_width)
    end = max(begin, end)
    for row in range(out_height):
        y = inside(first_y + row, height, border)
        if y == OUTSIDE:
            fill_with(out, <Py_ssize_t>out_width * channels, fill)
        else:
            source_row = source + <Py_ssize_t>y * width * channels
            x = first_x - begin if mirrored else first_x + begin
            if end > begin:
                copy_pixels(
                    source_row + x * channels, out + <Py_ssize_t>begin * channels, end - begin, channels,
                    mirrored,
                )
            border_pixels(
                source_row, width, channels, border, fill, mirrored, first_x, out, 0, begin
            )
            border_pixels(
                source_row, width, channels, border, fill, mirrored, first_x, out, end, out_width
            )
        out += <Py_ssize_t>out_width * channels


cdef bint by_whole_pixels(const Map* map) noexcept nogil:
    cdef const double* affine = <const double*>map.affine[0]
    return (
        map.lenses == 0 and (affine[0] == 1.0 or affine[0] == -1.0) and affine[1] == 0.0
        and affine[3] == 0.0 and affine[4] == 1.0
        and affine[2] == floor(affine[2]) and affine[5] == floor(affine[5])
    )


cdef void apply_map(
    const Map* map, const source_value* source, int height, int width, int channels, int border, float fill,
    float* out, int out_height, int out_width,
) noexcept nogil:
    cdef const double* affine = <const double*>map.affine[0]
    if by_whole_pixels(map):
        copy_window(
            source, height, width, channels, border, fill, affine[0] < 0.0, <int>affine[2], <int>affine[5],
            out, out_height, out_width,
        )
    elif channels == 3:  # a constant, so that the loop over the channels is unrolled
        sample_all(map, source, height, width, 3, border, fill, out, out_height, out_width)
    elif channels == 1:
        sample_all(map, source, height, width, 1, border, fill, out, out_height, out_width)
    else:
        sample_all(map, source, height, width, channels, border, fill, out, out_height, out_width)
