# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# distutils: define_macros = NPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION
"""The steps of an augmentation over many pictures: each picture through all steps while it is in cache."""

cimport numpy as cnp
from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

from ravine.data.augmentation._colour cimport add_colour, brighten, change_contrast
from ravine.data.augmentation._noise cimport QUANTILES, add_noise, cut_out
from ravine.data.augmentation._philox cimport Key
from ravine.data.augmentation._step cimport (
    BRIGHTNESS, CONTRAST, CUTOUT, DRAWN, GAUSSIAN_NOISE, PCA_COLOUR, SETTINGS, Step, draw_partner, draw_share,
    draw_step,
)
from ravine.data.augmentation._warp cimport Map, add_step, apply_map, begin_map

import numpy as np

cnp.import_array()

cdef enum:
    MOST_STEPS = 64
    PICTURES = 3  # work space of a thread: two that steps go to and fro between, one to mix with

cdef int64_t LARGEST_SAMPLE = 0xFFFFFFFF  # a key has 32 bits for it

ctypedef fused output_value:
    uint8_t
    float
    double


cdef struct Work:
    # Everything that the pictures of a call share.
    const Step* steps
    int count
    uint64_t seed
    uint32_t epoch
    const float* quantiles
    int height          # of the source
    int width
    int channels
    Py_ssize_t values   # of a picture of the result
    Py_ssize_t largest  # of the picture at any step


cdef struct Batch:
    const uint8_t* source
    const int64_t* indices  # the samples, by which is drawn, and where they lie in the source
    const int64_t* rows
    const int64_t* partners
    const int64_t* partner_rows
    const double* shares    # of a sample in its mixture; NULL: nothing is mixed
    const double* mean      # NULL: not normalized
    const double* scale


cdef void to_floats(const uint8_t* source, float* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = source[i]


cdef float* make_picture(
    const Work* work, const uint8_t* source, uint32_t sample, float* space
) noexcept nogil:
    """The picture of a sample after all steps; it lies in one of the two buffers of the space."""
    cdef double[MOST_STEPS][DRAWN] drawn
    cdef bint[MOST_STEPS] given
    cdef Key key
    cdef Map map
    cdef float* now = NULL  # NULL: still the source
    cdef float* other = space
    cdef const Step* step
    cdef const Step* last
    cdef int i, k
    cdef Py_ssize_t pixels
    key.seed, key.epoch, key.sample = work.seed, work.epoch, sample
    i = 0
    while i < work.count:
        step = &work.steps[i]
        key.place = step.place
        given[i] = draw_step(step, &key, drawn[i])
        if step.group_end > 0:
            for k in range(i + 1, step.group_end):
                key.place = work.steps[k].place
                given[k] = draw_step(&work.steps[k], &key, drawn[k])
            begin_map(&map)
            for k in range(step.group_end - 1, i - 1, -1):
                if given[k]:
                    add_step(&map, &work.steps[k], drawn[k])
            last = &work.steps[step.group_end - 1]
            if now == NULL:
                apply_map(
                    &map, source, step.height, step.width, work.channels, step.border, <float>step.fill,
                    other, last.out_height, last.out_width,
                )
                now, other = other, other + work.largest
            else:
                apply_map(
                    &map, now, step.height, step.width, work.channels, step.border, <float>step.fill,
                    other, last.out_height, last.out_width,
                )
                now, other = other, now
            i = step.group_end
            continue
        i += 1
        if not given[i - 1]:
            continue
        pixels = <Py_ssize_t>step.height * step.width
        if now == NULL:
            to_floats(source, other, pixels * work.channels)
            now, other = other, other + work.largest
        if step.kind == BRIGHTNESS:
            brighten(now, pixels * work.channels, <float>drawn[i - 1][0])
        elif step.kind == CONTRAST:
            change_contrast(now, pixels, work.channels, <float>drawn[i - 1][0])
        elif step.kind == PCA_COLOUR:
            add_colour(now, pixels, step.setting, drawn[i - 1])
        elif step.kind == GAUSSIAN_NOISE:
            add_noise(now, pixels * work.channels, &key, <float>step.setting[0], work.quantiles)
        elif step.kind == CUTOUT:
            cut_out(
                now, step.height, step.width, work.channels, <int>drawn[i - 1][0], <int>drawn[i - 1][1],
                <int>step.setting[0], <float>step.fill,
            )
    if now == NULL:
        to_floats(source, other, work.values)
        now = other
    return now


cdef void mix(float* picture, const float* other, Py_ssize_t count, float share) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        picture[i] = share * picture[i] + (<float>1.0 - share) * other[i]


cdef void finish(
    const float* picture, const double* mean, const double* scale, output_value* out, Py_ssize_t count
) noexcept nogil:
    """The last pass: normalized, and converted; bytes are rounded and have no mean."""
    cdef Py_ssize_t i
    if output_value is uint8_t:
        for i in range(count):
            out[i] = <uint8_t>(picture[i] + <float>0.5)
    elif mean == NULL:
        for i in range(count):
            out[i] = picture[i]
    else:
        for i in range(count):
            out[i] = <output_value>((picture[i] - mean[i]) * scale[i])


cdef void make_rows(
    const Work* work, const Batch* batch, output_value* out, float* space, Py_ssize_t begin, Py_ssize_t end
) noexcept nogil:
    cdef Py_ssize_t row
    cdef Py_ssize_t source_values = <Py_ssize_t>work.height * work.width * work.channels
    cdef float* picture
    cdef float* kept = space + 2 * work.largest
    for row in range(begin, end):
        picture = make_picture(
            work, batch.source + batch.rows[row] * source_values, <uint32_t>batch.indices[row], space
        )
        if batch.shares != NULL and batch.shares[row] < 1.0:
            copy_floats(picture, kept, work.values)
            picture = make_picture(
                work, batch.source + batch.partner_rows[row] * source_values, <uint32_t>batch.partners[row],
                space,
            )
            mix(kept, picture, work.values, <float>batch.shares[row])
            picture = kept
        finish(picture, batch.mean, batch.scale, out + row * work.values, work.values)


cdef void copy_floats(const float* source, float* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = source[i]


cdef void make_parts(
    const Work* work, const Batch* batch, output_value* out, float* space, Py_ssize_t rows, int threads
) noexcept nogil:
    cdef Py_ssize_t part
    if threads <= 1:
        make_rows(work, batch, out, space, 0, rows)
    else:
        for part in prange(threads, num_threads=threads, schedule="static"):
            make_rows(
                work, batch, out, space + part * PICTURES * work.largest,
                rows * part // threads, rows * (part + 1) // threads,
            )


cdef class Pipeline:
    """Steps with the sizes of their pictures, ready to run.

    Args:
        steps: of each (kind, group_end, border, place, height, width, out_height, out_width, fill,
            probability, settings), as `ravine.data.augmentation.pipeline` makes them.
        seed: of the run.
        height, width, channels: of the source.
        quantiles: float32 [65536] of the normal distribution.
    """

    cdef Step* steps
    cdef Work work
    cdef object quantiles
    cdef readonly tuple input_shape
    cdef readonly tuple output_shape

    def __cinit__(
        self, steps: list, seed: int, height: int, width: int, channels: int, cnp.ndarray quantiles not None
    ):
        cdef int i, k
        if len(steps) > MOST_STEPS:
            raise ValueError(f"there are {len(steps)} steps, at most {MOST_STEPS}")
        if cnp.PyArray_TYPE(quantiles) != cnp.NPY_FLOAT32 or cnp.PyArray_SIZE(quantiles) != QUANTILES:
            raise ValueError(f"quantiles must be float32 [{QUANTILES}]")
        self.steps = <Step*>calloc(max(1, len(steps)), sizeof(Step))
        if self.steps == NULL:
            raise MemoryError
        cdef Py_ssize_t largest = <Py_ssize_t>height * width
        cdef Step* step
        self.input_shape = (height, width, channels)
        self.work.height, self.work.width, self.work.channels = height, width, channels
        for i in range(len(steps)):
            step = &self.steps[i]
            (
                step.kind, step.group_end, step.border, step.place, step.height, step.width, step.out_height,
                step.out_width, step.fill, step.probability, settings,
            ) = steps[i]
            if step.height != height or step.width != width or len(settings) > SETTINGS:
                raise ValueError(f"step {i} does not fit the one before it")
            for k in range(len(settings)):
                step.setting[k] = settings[k]
            height, width = step.out_height, step.out_width
            largest = max(largest, <Py_ssize_t>height * width)
        self.output_shape = (height, width, channels)
        self.quantiles = quantiles
        self.work.steps, self.work.count, self.work.seed = self.steps, len(steps), seed
        self.work.quantiles = <const float*>cnp.PyArray_DATA(quantiles)
        self.work.values = <Py_ssize_t>height * width * channels
        self.work.largest = largest * channels

    def __dealloc__(self):
        free(self.steps)

    def apply(
        self, cnp.ndarray source not None, cnp.ndarray indices not None, epoch: int,
        cnp.ndarray out not None, *, rows=None, mean=None, scale=None, partners=None, partner_rows=None,
        shares=None, threads: int = 1,
    ):
        """out[i] = (picture(indices[i]) - mean) * scale, in one pass over each picture.

        Args:
            source: uint8 [stored, height, width, channels], C-contiguous.
            indices: int64 [count], the samples; with seed and epoch they decide what is drawn.
            epoch: counted from 0.
            out: float32, float64, or uint8 (rounded, not normalized) [count, *output_shape], C-contiguous.
            rows: int64 [count], where the samples lie in the source; None: at their indices.
            mean, scale: float64, one number for each value of a picture of the result.
            partners, partner_rows, shares: int64, int64 and float64 [count]: sample i is mixed, shares[i] of
                it and the rest of the sample partners[i].
            threads: the most threads to use; the result is the same bits for any number.

        Raises:
            IndexError: a row is outside the source.
            ValueError: types or shapes do not fit.
        """
        cdef Work work = self.work
        cdef Batch batch
        cdef Py_ssize_t count = cnp.PyArray_SIZE(indices)
        cdef int64_t stored
        check(source, "source", cnp.NPY_UINT8, None, False)
        shape = (<object>source).shape
        if shape[1:] != self.input_shape:
            raise ValueError(f"source has shape {shape}, expected (samples, *{self.input_shape})")
        stored = shape[0]
        if not 0 <= epoch < 2**32:
            raise ValueError(f"epoch is {epoch}, expected 0 to 2^32 - 1")
        work.epoch = epoch
        check(out, "out", -1, (count, *self.output_shape), True)
        batch.source = <const uint8_t*>cnp.PyArray_DATA(source)
        batch.indices = places(indices, "indices", count, LARGEST_SAMPLE)
        if rows is None:
            batch.rows = places(indices, "indices", count, stored)
        else:
            batch.rows = places(rows, "rows", count, stored)
        batch.partners, batch.partner_rows, batch.shares = NULL, NULL, NULL
        if shares is not None:
            batch.partners = places(partners, "partners", count, LARGEST_SAMPLE)
            batch.partner_rows = places(
                partners if partner_rows is None else partner_rows, "partner_rows", count, stored
            )
            batch.shares = numbers(shares, "shares", (count,))
        batch.mean, batch.scale = NULL, NULL
        if mean is not None:
            batch.mean = numbers(mean, "mean", self.output_shape)
            batch.scale = numbers(scale, "scale", self.output_shape)
        cdef void* out_data = cnp.PyArray_DATA(out)
        cdef int out_type = cnp.PyArray_TYPE(out)
        if out_type == cnp.NPY_UINT8 and mean is not None:
            raise ValueError("bytes are not normalized; give a floating out")
        if out_type not in (cnp.NPY_UINT8, cnp.NPY_FLOAT32, cnp.NPY_FLOAT64):
            raise ValueError(f"out is {(<object>out).dtype}, expected uint8, float32 or float64")
        cdef int workers = max(1, min(threads, count))
        cdef float* space = <float*>malloc(workers * PICTURES * work.largest * sizeof(float))
        if space == NULL:
            raise MemoryError
        with nogil:
            if out_type == cnp.NPY_FLOAT32:
                make_parts(&work, &batch, <float*>out_data, space, count, workers)
            elif out_type == cnp.NPY_FLOAT64:
                make_parts(&work, &batch, <double*>out_data, space, count, workers)
            else:
                make_parts(&work, &batch, <uint8_t*>out_data, space, count, workers)
            free(space)

    def draws(self, cnp.ndarray indices not None, epoch: int) -> tuple:
        """Whether samples get each step, bool [rows, steps], and its numbers, float64 [rows, steps, 4].

        The numbers are, by kind: shares of width and height (translation), degrees (rotation, shear), factors
        (scaling, stretch, brightness, contrast), k (lens), height, width, y, x of a crop's window, three
        normal numbers (colour), the centre y, x (cutout).
        """
        check(indices, "indices", cnp.NPY_INT64, ((<object>indices).size,), False)
        rows = len(indices)
        given = np.zeros((rows, self.work.count), np.bool_)
        drawn = np.zeros((rows, self.work.count, DRAWN))
        cdef double[:, :, ::1] numbers = drawn
        cdef Key key
        cdef int i
        cdef Py_ssize_t row
        key.seed, key.epoch = self.work.seed, epoch
        for row in range(rows):
            key.sample = indices[row]
            for i in range(self.work.count):
                key.place = self.steps[i].place
                given[row, i] = draw_step(&self.steps[i], &key, &numbers[row, i, 0])
        return given, drawn


def mixtures(
    seed: int, epoch: int, cnp.ndarray indices not None, place: int, alpha: float, probability: float,
    samples: int,
) -> tuple:
    """Partners int64 [rows] and own shares float64 [rows] of samples, c ~ Beta(alpha, alpha).

    Args:
        seed: of the run.
        epoch: counted from 0.
        indices: int64 [rows].
        place: of the step in the list.
        alpha: positive.
        probability: with which a sample is mixed at all; others have the share 1.
        samples: how many there are; the partner is any of them.
    """
    check(indices, "indices", cnp.NPY_INT64, ((<object>indices).size,), False)
    cdef Py_ssize_t rows = len(indices)
    cdef Py_ssize_t row
    partners, shares = np.empty(rows, np.int64), np.empty(rows)
    cdef const int64_t* index_data = <const int64_t*>cnp.PyArray_DATA(indices)
    cdef int64_t[::1] partner_view = partners
    cdef double[::1] share_view = shares
    cdef double concentration = alpha
    cdef double chance = probability
    cdef uint32_t count = samples
    cdef Key key
    key.seed, key.epoch, key.place = seed, epoch, place
    with nogil:
        for row in range(rows):
            key.sample = <uint32_t>index_data[row]
            partner_view[row] = draw_partner(&key, count)
            share_view[row] = draw_share(&key, chance, concentration)
    return partners, shares


cdef int check(array, str name, int kind, shape, bint writable) except -1:
    if not isinstance(array, cnp.ndarray):
        raise ValueError(f"{name} must be an array")
    if not (cnp.PyArray_ISCARRAY(array) if writable else cnp.PyArray_ISCARRAY_RO(array)):
        raise ValueError(f"{name} must be a C-contiguous, aligned{' and writable' if writable else ''} array")
    if kind >= 0 and cnp.PyArray_TYPE(array) != kind:
        raise ValueError(f"{name} is {array.dtype}, expected {cnp.PyArray_DescrFromType(kind)}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    return 0


cdef const int64_t* places(array, str name, Py_ssize_t count, int64_t limit) except NULL:
    """The numbers of an int64 array [count], each in [0, limit)."""
    cdef const int64_t* data
    cdef Py_ssize_t i
    check(array, name, cnp.NPY_INT64, (count,), False)
    data = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>array)
    for i in range(count):
        if data[i] < 0 or data[i] >= limit:
            raise IndexError(f"{name}[{i}] is {data[i]}, outside the {limit} samples")
    return data


cdef const double* numbers(array, str name, shape) except NULL:
    check(array, name, cnp.NPY_FLOAT64, shape, False)
    return <const double*>cnp.PyArray_DATA(<cnp.ndarray>array)
