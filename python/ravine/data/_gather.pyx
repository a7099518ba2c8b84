# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# distutils: define_macros = NPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION
"""Native passes over in-memory samples: gather rows, scale columns, column statistics.

Every function works on whole C-contiguous arrays, releases the GIL and allocates nothing. Arrays are taken as
NumPy objects rather than as memoryviews because acquiring a buffer costs more than copying a small batch.
"""

cimport numpy as cnp
from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy
from ravine.data._rows cimport prefetch_row, scale_bytes

cnp.import_array()

# Below this many bytes starting threads costs more than it saves.
cdef enum:
    PARALLEL_BYTES = 262144
    COLUMN_BLOCK = 64
    AHEAD_BYTES = 8192  # of rows that are fetched before they are copied
    FETCHED_BYTES = 1024  # of a row: beyond them the processor sees for itself where it goes on

ctypedef fused source_value:
    uint8_t
    float
    double

ctypedef fused output_value:
    float
    double


cdef int require_array(cnp.ndarray array, str name, bint writable) except -1:
    if not (cnp.PyArray_ISCARRAY(array) if writable else cnp.PyArray_ISCARRAY_RO(array)):
        raise ValueError(f"{name} must be a C-contiguous, aligned{' and writable' if writable else ''} array")
    return 0


cdef int require_rows(cnp.ndarray source, cnp.ndarray out, Py_ssize_t rows) except -1:
    cdef int axis
    cdef int dimensions = cnp.PyArray_NDIM(source)
    cdef bint fits = dimensions > 0 and cnp.PyArray_NDIM(out) == dimensions
    if fits:
        fits = cnp.PyArray_DIM(out, 0) == rows
        for axis in range(1, dimensions):
            fits = fits and cnp.PyArray_DIM(out, axis) == cnp.PyArray_DIM(source, axis)
    if not fits:
        raise ValueError(
            f"out has shape {(<object>out).shape}, expected ({rows}, *{(<object>source).shape[1:]})"
        )
    return 0


cdef int require_columns(cnp.ndarray array, str name, Py_ssize_t columns) except -1:
    require_array(array, name, False)
    if cnp.PyArray_TYPE(array) != cnp.NPY_FLOAT64 or cnp.PyArray_SIZE(array) != columns:
        raise ValueError(f"{name} must hold {columns} float64 values, one a column")
    return 0


cdef Py_ssize_t require_indices(cnp.ndarray indices) except -1:
    """Their number."""
    require_array(indices, "indices", False)
    if cnp.PyArray_TYPE(indices) != cnp.NPY_INT64 or cnp.PyArray_NDIM(indices) != 1:
        raise ValueError("indices must be one-dimensional int64")
    return cnp.PyArray_DIM(indices, 0)


cdef Py_ssize_t columns_of(cnp.ndarray array) noexcept:
    cdef Py_ssize_t columns = 1
    cdef int axis
    for axis in range(1, cnp.PyArray_NDIM(array)):
        columns *= cnp.PyArray_DIM(array, axis)
    return columns


cdef Py_ssize_t first_outside(const int64_t* indices, Py_ssize_t count, int64_t limit) noexcept nogil:
    """The first position whose index is outside [0, limit), or -1."""
    cdef Py_ssize_t i
    for i in range(count):
        if indices[i] < 0 or indices[i] >= limit:
            return i
    return -1


cdef inline Py_ssize_t rows_ahead(Py_ssize_t row_bytes) noexcept nogil:
    """How many rows before its turn a row is fetched."""
    return 1 + AHEAD_BYTES // (row_bytes + 1)


cdef void convert_rows(
    const source_value* source, const int64_t* indices, output_value* out,
    Py_ssize_t columns, Py_ssize_t begin, Py_ssize_t end,
) noexcept nogil:
    cdef Py_ssize_t row, column
    cdef const source_value* source_row
    cdef output_value* out_row
    cdef Py_ssize_t row_bytes = columns * <Py_ssize_t>sizeof(source_value)
    cdef Py_ssize_t ahead = rows_ahead(row_bytes)
    for row in range(begin, end):
        if row + ahead < end:
            prefetch_row(
                <const char*>(source + indices[row + ahead] * columns), min(row_bytes, FETCHED_BYTES)
            )
        source_row = source + indices[row] * columns
        out_row = out + row * columns
        for column in range(columns):
            out_row[column] = <output_value>source_row[column]


cdef void gather_range(
    const char* source, int source_type, const int64_t* indices, char* out, int out_type,
    Py_ssize_t columns, Py_ssize_t row_bytes, Py_ssize_t begin, Py_ssize_t end,
) noexcept nogil:
    """Rows [begin, end) of out; the pair of types was checked by gather_rows."""
    cdef Py_ssize_t row
    cdef Py_ssize_t ahead = rows_ahead(row_bytes)
    if source_type == out_type:
        for row in range(begin, end):
            if row + ahead < end:
                prefetch_row(source + indices[row + ahead] * row_bytes, min(row_bytes, FETCHED_BYTES))
            memcpy(out + row * row_bytes, source + indices[row] * row_bytes, row_bytes)
    elif source_type == cnp.NPY_UINT8 and out_type == cnp.NPY_FLOAT32:
        convert_rows(<const uint8_t*>source, indices, <float*>out, columns, begin, end)
    elif source_type == cnp.NPY_UINT8:
        convert_rows(<const uint8_t*>source, indices, <double*>out, columns, begin, end)
    elif source_type == cnp.NPY_FLOAT32:
        convert_rows(<const float*>source, indices, <double*>out, columns, begin, end)
    else:
        convert_rows(<const double*>source, indices, <float*>out, columns, begin, end)


cdef bint converts(int source_type, int out_type) noexcept:
    if source_type == cnp.NPY_UINT8 or source_type == cnp.NPY_FLOAT32 or source_type == cnp.NPY_FLOAT64:
        return out_type == cnp.NPY_FLOAT32 or out_type == cnp.NPY_FLOAT64
    return False


def gather_rows(
    cnp.ndarray source not None, cnp.ndarray indices not None, cnp.ndarray out not None, int threads=1
):
    """out[i] = source[indices[i]], with uint8, float32 and float64 converted to the floating type of out.

    Args:
        source: [samples, *shape], C-contiguous.
        indices: int64 [rows], each in [0, samples).
        out: [rows, *shape], C-contiguous, of the type of source or float32 or float64.
        threads: the most threads to use; small copies use one.

    Raises:
        IndexError: an index is outside the source; nothing was copied.
        ValueError: types or shapes do not fit.

    Example:
        >>> out = np.empty((2, 3), np.float32)
        >>> gather_rows(np.arange(12, dtype=np.uint8).reshape(4, 3), np.array([3, 0]), out)
    """
    cdef int source_type = cnp.PyArray_TYPE(source)
    cdef int out_type = cnp.PyArray_TYPE(out)
    require_array(source, "source", False)
    require_array(out, "out", True)
    cdef Py_ssize_t rows = require_indices(indices)
    require_rows(source, out, rows)
    if source_type == out_type:
        if cnp.PyArray_ITEMSIZE(source) != cnp.PyArray_ITEMSIZE(out) or source_type == cnp.NPY_OBJECT:
            raise ValueError("source and out must hold plain numbers of one size")
    elif not converts(source_type, out_type):
        raise ValueError(f"cannot gather {(<object>source).dtype} into {(<object>out).dtype}")

    cdef Py_ssize_t columns = columns_of(source)
    cdef Py_ssize_t row_bytes = columns * cnp.PyArray_ITEMSIZE(source)
    cdef Py_ssize_t samples = cnp.PyArray_DIM(source, 0)
    cdef const char* source_data = cnp.PyArray_BYTES(source)
    cdef const int64_t* index_data = <const int64_t*>cnp.PyArray_DATA(indices)
    cdef char* out_data = cnp.PyArray_BYTES(out)
    cdef Py_ssize_t outside, part
    with nogil:
        outside = first_outside(index_data, rows, samples)
        if outside < 0:
            if threads <= 1 or rows * row_bytes < PARALLEL_BYTES:
                gather_range(
                    source_data, source_type, index_data, out_data, out_type, columns, row_bytes, 0, rows
                )
            else:
                for part in prange(threads, num_threads=threads, schedule="static"):
                    gather_range(
                        source_data, source_type, index_data, out_data, out_type, columns, row_bytes,
                        rows * part // threads, rows * (part + 1) // threads,
                    )
    if outside >= 0:
        raise IndexError(f"indices[{outside}] is {index_data[outside]}, outside the {samples} samples")


cdef void scale_range(
    const source_value* source, const int64_t* indices, const double* mean, const double* inverse_deviation,
    output_value* out, Py_ssize_t columns, Py_ssize_t begin, Py_ssize_t end,
) noexcept nogil:
    cdef Py_ssize_t row, column
    cdef const source_value* source_row
    cdef output_value* out_row
    cdef Py_ssize_t row_bytes = columns * <Py_ssize_t>sizeof(source_value)
    cdef Py_ssize_t ahead = rows_ahead(row_bytes)
    for row in range(begin, end):
        if indices != NULL and row + ahead < end:
            prefetch_row(
                <const char*>(source + indices[row + ahead] * columns), min(row_bytes, FETCHED_BYTES)
            )
        source_row = source + (row if indices == NULL else indices[row]) * columns
        out_row = out + row * columns
        if source_value is uint8_t and output_value is float:
            scale_bytes(source_row, mean, inverse_deviation, out_row, columns)
        else:
            for column in range(columns):
                out_row[column] = <output_value>(
                    (source_row[column] - mean[column]) * inverse_deviation[column]
                )


cdef void scale_parts(
    const source_value* source, const int64_t* indices, const double* mean, const double* inverse_deviation,
    output_value* out, Py_ssize_t rows, Py_ssize_t columns, int threads,
) noexcept nogil:
    cdef Py_ssize_t part
    if threads <= 1 or rows * columns * <Py_ssize_t>sizeof(output_value) < PARALLEL_BYTES:
        scale_range(source, indices, mean, inverse_deviation, out, columns, 0, rows)
    else:
        for part in prange(threads, num_threads=threads, schedule="static"):
            scale_range(
                source, indices, mean, inverse_deviation, out, columns,
                rows * part // threads, rows * (part + 1) // threads,
            )


cdef void scale_typed(
    const char* data, int source_type, const int64_t* indices, const double* mean, const double* scale,
    char* output, int out_type, Py_ssize_t rows, Py_ssize_t columns, int threads,
) noexcept nogil:
    """The pair of types was checked by the caller; without indices rows keep their order."""
    if out_type == cnp.NPY_FLOAT32:
        if source_type == cnp.NPY_UINT8:
            scale_parts(<const uint8_t*>data, indices, mean, scale, <float*>output, rows, columns, threads)
        elif source_type == cnp.NPY_FLOAT32:
            scale_parts(<const float*>data, indices, mean, scale, <float*>output, rows, columns, threads)
        else:
            scale_parts(<const double*>data, indices, mean, scale, <float*>output, rows, columns, threads)
    else:
        if source_type == cnp.NPY_UINT8:
            scale_parts(<const uint8_t*>data, indices, mean, scale, <double*>output, rows, columns, threads)
        elif source_type == cnp.NPY_FLOAT32:
            scale_parts(<const float*>data, indices, mean, scale, <double*>output, rows, columns, threads)
        else:
            scale_parts(<const double*>data, indices, mean, scale, <double*>output, rows, columns, threads)


cdef int scale_rows(
    cnp.ndarray source, cnp.ndarray indices, cnp.ndarray mean, cnp.ndarray inverse_deviation, cnp.ndarray out,
    int threads,
) except -1:
    """Checks and calls scale_typed; indices may be None."""
    cdef int source_type = cnp.PyArray_TYPE(source)
    cdef int out_type = cnp.PyArray_TYPE(out)
    cdef Py_ssize_t samples = cnp.PyArray_DIM(source, 0) if cnp.PyArray_NDIM(source) > 0 else 0
    cdef Py_ssize_t rows = samples
    cdef Py_ssize_t columns = columns_of(source)
    cdef Py_ssize_t outside = -1
    cdef const int64_t* places = NULL
    require_array(source, "source", False)
    require_array(out, "out", True)
    if indices is not None:
        rows = require_indices(indices)
        places = <const int64_t*>cnp.PyArray_DATA(indices)
    require_rows(source, out, rows)
    require_columns(mean, "mean", columns)
    require_columns(inverse_deviation, "inverse_deviation", columns)
    if not converts(source_type, out_type):
        raise ValueError(f"cannot scale {(<object>source).dtype} into {(<object>out).dtype}")

    cdef const char* data = cnp.PyArray_BYTES(source)
    cdef const double* means = <const double*>cnp.PyArray_DATA(mean)
    cdef const double* inverses = <const double*>cnp.PyArray_DATA(inverse_deviation)
    cdef char* output = cnp.PyArray_BYTES(out)
    with nogil:
        if places != NULL:
            outside = first_outside(places, rows, samples)
        if outside < 0:
            scale_typed(data, source_type, places, means, inverses, output, out_type, rows, columns, threads)
    if outside >= 0:
        raise IndexError(f"indices[{outside}] is {places[outside]}, outside the {samples} samples")
    return 0


def scale_columns(
    cnp.ndarray source not None, cnp.ndarray mean not None, cnp.ndarray inverse_deviation not None,
    cnp.ndarray out not None, int threads=1,
):
    """out = (source - mean) * inverse_deviation for each column, computed in float64 in one pass.

    Args:
        source: uint8, float32 or float64 [rows, *shape], C-contiguous.
        mean: float64, one value for each element of a row.
        inverse_deviation: the same.
        out: float32 or float64, the shape of source.
        threads: the most threads to use; small arrays use one.

    Raises:
        ValueError: types or shapes do not fit.

    Example:
        >>> out = np.empty((1, 2), np.float32)
        >>> scale_columns(np.array([[1.0, 2.0]]), np.array([1.0, 0.0]), np.array([1.0, 0.5]), out)
    """
    scale_rows(source, None, mean, inverse_deviation, out, threads)


def gather_scaled(
    cnp.ndarray source not None, cnp.ndarray indices not None, cnp.ndarray mean not None,
    cnp.ndarray inverse_deviation not None, cnp.ndarray out not None, int threads=1,
):
    """out[i] = (source[indices[i]] - mean) * inverse_deviation: the bits of `scale_columns`, row by row.

    Args:
        source, mean, inverse_deviation: as `scale_columns`.
        indices: int64 [rows], each in [0, samples).
        out: float32 or float64 [rows, *shape].
        threads: the most threads to use; small copies use one.

    Raises:
        IndexError: an index is outside the source; nothing was written.
        ValueError: types or shapes do not fit.

    Example:
        >>> out = np.empty((1, 2), np.float32)
        >>> gather_scaled(np.eye(2), np.array([1]), np.array([1.0, 0.0]), np.array([1.0, 0.5]), out)
    """
    scale_rows(source, indices, mean, inverse_deviation, out, threads)


cdef void block_statistics(
    const source_value* source, double* mean, double* variance,
    Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t begin, Py_ssize_t end,
) noexcept nogil:
    """Mean and population variance of columns [begin, end) by the corrected two-pass algorithm."""
    # Sums in local arrays: the compiler then knows that they are not part of source.
    cdef double[COLUMN_BLOCK] total
    cdef double[COLUMN_BLOCK] square
    cdef Py_ssize_t row, column
    cdef Py_ssize_t width = end - begin
    cdef const source_value* source_row
    cdef double difference
    for column in range(width):
        total[column] = 0.0
    for row in range(rows):
        source_row = source + row * columns + begin
        for column in range(width):
            total[column] += source_row[column]
    for column in range(width):
        mean[begin + column] = total[column] / rows
        total[column] = 0.0
        square[column] = 0.0
    for row in range(rows):
        source_row = source + row * columns + begin
        for column in range(width):
            difference = source_row[column] - mean[begin + column]
            total[column] += difference
            square[column] += difference * difference
    for column in range(width):
        variance[begin + column] = (square[column] - total[column] * total[column] / rows) / rows


cdef void statistics_parts(
    const source_value* source, double* mean, double* variance,
    Py_ssize_t rows, Py_ssize_t columns, int threads,
) noexcept nogil:
    # Threads share columns, never rows: the sums are the same bits for any number of threads.
    cdef Py_ssize_t blocks = (columns + COLUMN_BLOCK - 1) // COLUMN_BLOCK
    cdef Py_ssize_t block
    if threads <= 1 or rows * columns * <Py_ssize_t>sizeof(source_value) < PARALLEL_BYTES:
        for block in range(blocks):
            block_statistics(
                source, mean, variance, rows, columns,
                block * COLUMN_BLOCK, min((block + 1) * COLUMN_BLOCK, columns),
            )
    else:
        for block in prange(blocks, num_threads=threads, schedule="dynamic"):
            block_statistics(
                source, mean, variance, rows, columns,
                block * COLUMN_BLOCK, min((block + 1) * COLUMN_BLOCK, columns),
            )


def column_statistics(
    cnp.ndarray source not None, cnp.ndarray mean not None, cnp.ndarray variance not None, int threads=1
):
    """mean = sum(x)/n and variance = sum((x - mean)^2)/n of each column, in float64.

    Two passes with correction: Chan, Golub and LeVeque (1983), "Algorithms for computing the sample
    variance".

    Args:
        source: uint8, float32 or float64 [rows, *shape], C-contiguous, at least one row.
        mean: float64, one value for each element of a row, overwritten.
        variance: the same.
        threads: the most threads to use; the result is the same bits for any number.

    Raises:
        ValueError: types or shapes do not fit.

    Example:
        >>> mean, variance = np.empty(2), np.empty(2)
        >>> column_statistics(np.array([[1.0, 5.0], [3.0, 5.0]]), mean, variance)
    """
    cdef int source_type = cnp.PyArray_TYPE(source)
    cdef Py_ssize_t rows = cnp.PyArray_DIM(source, 0) if cnp.PyArray_NDIM(source) > 0 else 0
    cdef Py_ssize_t columns = columns_of(source)
    require_array(source, "source", False)
    require_columns(mean, "mean", columns)
    require_columns(variance, "variance", columns)
    require_array(mean, "mean", True)
    require_array(variance, "variance", True)
    if rows == 0:
        raise ValueError("source has no rows")
    if not converts(source_type, cnp.NPY_FLOAT64):
        raise ValueError(f"cannot take statistics of {(<object>source).dtype}")

    cdef const char* data = cnp.PyArray_BYTES(source)
    cdef double* means = <double*>cnp.PyArray_DATA(mean)
    cdef double* variances = <double*>cnp.PyArray_DATA(variance)
    with nogil:
        if source_type == cnp.NPY_UINT8:
            statistics_parts(<const uint8_t*>data, means, variances, rows, columns, threads)
        elif source_type == cnp.NPY_FLOAT32:
            statistics_parts(<const float*>data, means, variances, rows, columns, threads)
        else:
            statistics_parts(<const double*>data, means, variances, rows, columns, threads)
