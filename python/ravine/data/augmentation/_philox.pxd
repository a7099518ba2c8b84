# cython: language_level=3
"""Philox4x32-10 without the GIL: the same numbers as core/base/random.h.

The key is the seed; the counter is (call, sample, epoch, purpose << 24 | place). `place` is a step's place in
the list of an augmentation, `call` tells the numbers of one sample and step apart.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    AUGMENTATION = 4  # the purpose; 1 to 3 are those of core/base/random.h

cdef struct Words:
    uint32_t word[4]

cdef struct Key:
    uint64_t seed
    uint32_t epoch
    uint32_t sample
    uint32_t place

cdef inline Words philox(
    uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1
) noexcept nogil:
    cdef uint64_t left, right
    cdef Words words
    cdef int _turn
    for _turn in range(10):
        left = <uint64_t>0xD2511F53u * c0
        right = <uint64_t>0xCD9E8D57u * c2
        c0 = <uint32_t>(right >> 32) ^ c1 ^ k0
        c1 = <uint32_t>right
        c2 = <uint32_t>(left >> 32) ^ c3 ^ k1
        c3 = <uint32_t>left
        k0 += 0x9E3779B9u
        k1 += 0xBB67AE85u
    words.word[0] = c0
    words.word[1] = c1
    words.word[2] = c2
    words.word[3] = c3
    return words

cdef inline Words draw(const Key* key, uint32_t call) noexcept nogil:
    return philox(
        call, key.sample, key.epoch, (<uint32_t>AUGMENTATION << 24) | key.place,
        <uint32_t>key.seed, <uint32_t>(key.seed >> 32),
    )

cdef inline double uniform(uint32_t word) noexcept nogil:
    """In (0, 1): the middles of 2^32 cells."""
    return (word + 0.5) * (1.0 / 4294967296.0)

cdef inline double between(uint32_t word, double low, double high) noexcept nogil:
    return low + (high - low) * uniform(word)

cdef inline uint32_t below(uint32_t word, uint32_t count) noexcept nogil:
    """A whole number in [0, count); the bias is below count / 2^32."""
    return <uint32_t>((<uint64_t>word * count) >> 32)
