# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Philox4x32-10 as the augmentation draws from it."""


def philox_words(counter: tuple, key: tuple) -> tuple:
    """Four random words of Philox4x32-10, as `ravine._core.philox`.

    Args:
        counter: four numbers below 2^32.
        key: two numbers below 2^32.

    Example:
        >>> philox_words((0, 0, 0, 0), (0, 0)) == (0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)
        True
    """
    cdef Words words = philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1])
    return words.word[0], words.word[1], words.word[2], words.word[3]
