# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# distutils: define_macros = NPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION
"""Native loops over the classes of samples that are to be put in order."""

cimport numpy as cnp
import numpy as np
from libc.stdint cimport int32_t, int64_t, uint64_t

cnp.import_array()


cdef void change(int64_t* tree, Py_ssize_t classes, Py_ssize_t place, int64_t by) noexcept nogil:
    """Adds to the number of a class in a tree of sums (P. Fenwick, 1994)."""
    place += 1
    while place <= classes:
        tree[place] += by
        place += place & -place


cdef Py_ssize_t find(const int64_t* tree, Py_ssize_t classes, int64_t number) noexcept nogil:
    """The class that holds the `number`-th of all, counted from 0."""
    cdef Py_ssize_t place = 0
    cdef Py_ssize_t step = 1
    while 2 * step <= classes:
        step *= 2
    while step > 0:
        if place + step <= classes and tree[place + step] <= number:
            place += step
            number -= tree[place]
        step //= 2
    return place


cdef void mix(
    int64_t* left, int64_t* tree, int64_t* equal, Py_ssize_t classes, int64_t most, const uint64_t* draws,
    int32_t* out, Py_ssize_t count,
) noexcept nogil:
    cdef Py_ssize_t i, chosen
    cdef Py_ssize_t last = -1
    cdef int64_t total
    for i in range(count):
        total = count - i
        while equal[most] == 0:
            most -= 1
        if 2 * most > total:
            # From here on this class has every other place; it is not the last one's.
            chosen = 0
            while left[chosen] != most:
                chosen += 1
        else:
            if last >= 0:
                change(tree, classes, last, -left[last])
                total -= left[last]
            chosen = find(tree, classes, <int64_t>(((draws[i] >> 32) * <uint64_t>total) >> 32))
            if last >= 0:
                change(tree, classes, last, left[last])
        change(tree, classes, chosen, -1)
        equal[left[chosen]] -= 1
        left[chosen] -= 1
        equal[left[chosen]] += 1
        out[i] = <int32_t>chosen
        last = chosen


def mixed_classes(cnp.ndarray counts not None, cnp.ndarray draws not None):
    """The class at each place of a random order in which no two neighbours have the same.

    One place after the other: a class that must have every other place from here on, or else one that is not
    the last one's, each with a probability in proportion to how many of it are left.

    Args:
        counts: int64 [classes]: how many places each class has, none more than half of them, rounded up.
        draws: uint64 [places]: 64 random bits for each place; of these the upper 32 say which class.

    Returns:
        int32 [places].

    Raises:
        ValueError: types, or a class has more than half of the places.

    Example:
        >>> mixed_classes(np.array([2, 1]), np.zeros(3, np.uint64))
        array([0, 1, 0], dtype=int32)
    """
    if counts.dtype != np.int64 or draws.dtype != np.uint64 or counts.ndim != 1 or draws.ndim != 1:
        raise ValueError("counts must be int64 [classes] and draws uint64 [places]")
    cdef Py_ssize_t classes = cnp.PyArray_DIM(counts, 0)
    cdef Py_ssize_t count = cnp.PyArray_DIM(draws, 0)
    if classes == 0 or counts.min() < 0 or counts.sum() != count or counts.max() > (count + 1) // 2:
        raise ValueError("counts must add up to the places, and none be more than half of them")
    cdef cnp.ndarray left = np.array(counts, np.int64)
    cdef cnp.ndarray tree = np.zeros(classes + 1, np.int64)
    cdef cnp.ndarray equal = np.bincount(left).astype(np.int64)
    cdef cnp.ndarray bits = np.ascontiguousarray(draws)
    cdef cnp.ndarray out = np.empty(count, np.int32)
    cdef int64_t* left_data = <int64_t*>cnp.PyArray_DATA(left)
    cdef int64_t* tree_data = <int64_t*>cnp.PyArray_DATA(tree)
    cdef int64_t* equal_data = <int64_t*>cnp.PyArray_DATA(equal)
    cdef const uint64_t* draw_data = <const uint64_t*>cnp.PyArray_DATA(bits)
    cdef int32_t* out_data = <int32_t*>cnp.PyArray_DATA(out)
    cdef int64_t most = left.max()
    cdef Py_ssize_t i
    with nogil:
        for i in range(classes):
            change(tree_data, classes, i, left_data[i])
        mix(left_data, tree_data, equal_data, classes, most, draw_data, out_data, count)
    return out
