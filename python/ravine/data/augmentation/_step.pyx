# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""From a key to the random parameters of a step.

Of a step's four words of call 0 the first decides whether a picture gets it; further calls follow where more
numbers are needed.
"""

from libc.math cimport cos, exp, log, sin, sqrt
from libc.stdint cimport uint32_t

from ravine.data.augmentation._philox cimport Key, Words, below, between, draw, uniform

cdef enum:
    NUMBERS = 1  # the first call of those that follow

cdef double TWO_PI = 6.283185307179586


cdef double normal(uint32_t first, uint32_t second, bint other) noexcept nogil:
    """One of the two independent normal numbers of G. E. P. Box and M. E. Muller (1958)."""
    cdef double angle = TWO_PI * uniform(second)
    return sqrt(-2.0 * log(uniform(first))) * (sin(angle) if other else cos(angle))


cdef double log_between(uint32_t word, double low, double high) noexcept nogil:
    return exp(between(word, log(low), log(high)))


cdef void draw_window(const Step* step, const Words* words, bint given, double* drawn) noexcept nogil:
    """Height and width that the picture is resized to, and where the window begins in it: y, x."""
    cdef int padding = 0
    cdef int height = step.height
    cdef int width = step.width
    cdef int short_side = min(height, width)
    cdef int low, high, length
    if step.kind == RANDOM_CROP:
        padding = <int>step.setting[0]
    else:
        low = <int>step.setting[0]
        high = <int>step.setting[1]
        length = low + <int>below(words.word[3], high - low + 1) if given else (low + high) // 2
        height = (2 * length * height + short_side) // (2 * short_side)
        width = (2 * length * width + short_side) // (2 * short_side)
    drawn[0] = height
    drawn[1] = width
    if given:
        drawn[2] = <int>below(words.word[1], height + 2 * padding - step.out_height + 1) - padding
        drawn[3] = <int>below(words.word[2], width + 2 * padding - step.out_width + 1) - padding
    else:
        drawn[2] = (height + 2 * padding - step.out_height) // 2 - padding
        drawn[3] = (width + 2 * padding - step.out_width) // 2 - padding


cdef bint draw_step(const Step* step, const Key* key, double* drawn) noexcept nogil:
    cdef Words words = draw(key, 0)
    cdef Words more
    cdef const double* setting = <const double*>step.setting
    cdef bint given = uniform(words.word[0]) < step.probability
    cdef int i
    for i in range(DRAWN):
        drawn[i] = 0.0
    if step.kind == RANDOM_CROP or step.kind == RANDOM_RESIZED_CROP:
        draw_window(step, &words, given, drawn)
    elif step.kind == FIXED_CROP:
        for i in range(DRAWN):
            drawn[i] = setting[i]
    elif not given:
        return False
    elif step.kind == TRANSLATION or step.kind == SHEAR:
        drawn[0] = between(words.word[1], -setting[0], setting[0])
        drawn[1] = between(words.word[2], -setting[1], setting[1])
    elif step.kind == SCALING:
        drawn[0] = log_between(words.word[1], setting[0], setting[1])
        drawn[1] = drawn[0]
    elif step.kind == STRETCH:
        drawn[0] = log_between(words.word[1], setting[0], setting[1])
        drawn[1] = log_between(words.word[2], setting[0], setting[1])
    elif step.kind == ROTATION:
        drawn[0] = between(words.word[1], -setting[0], setting[0])
    elif step.kind == LENS_DISTORTION:
        drawn[0] = between(words.word[1], setting[0], setting[1])
    elif step.kind == BRIGHTNESS or step.kind == CONTRAST:
        drawn[0] = between(words.word[1], 1.0 - setting[0], 1.0 + setting[0])
    elif step.kind == PCA_COLOUR:
        more = draw(key, NUMBERS)
        drawn[0] = normal(more.word[0], more.word[1], False)
        drawn[1] = normal(more.word[0], more.word[1], True)
        drawn[2] = normal(more.word[2], more.word[3], False)
    elif step.kind == CUTOUT:
        drawn[0] = below(words.word[1], step.height)
        drawn[1] = below(words.word[2], step.width)
    return True


cdef double joehnk(const Key* key, double alpha) noexcept nogil:
    """Beta(alpha, alpha) for alpha <= 1: x / (x + y) with x = u^(1/alpha), y = v^(1/alpha), if x + y <= 1.

    Source: M. D. Joehnk (1964), in L. Devroye, "Non-uniform random variate generation", chapter 9.
    """
    cdef uint32_t call = NUMBERS
    cdef Words words
    cdef double x, y, largest
    cdef int pair
    while True:
        words = draw(key, call)
        for pair in range(2):
            x = log(uniform(words.word[2 * pair])) / alpha
            y = log(uniform(words.word[2 * pair + 1])) / alpha
            if exp(x) + exp(y) <= 1.0:
                largest = x if x > y else y  # the quotient, where both powers underflow
                return exp(x - largest) / (exp(x - largest) + exp(y - largest))
        call += 1


cdef double gamma_number(const Key* key, double alpha, uint32_t which) noexcept nogil:
    """Gamma(alpha, 1) for alpha > 1, one of two independent ones.

    Source: G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 2000.
    """
    cdef double d = alpha - 1.0 / 3.0
    cdef double c = 1.0 / sqrt(9.0 * d)
    cdef uint32_t call = NUMBERS + which
    cdef Words words
    cdef double x, v
    while True:
        words = draw(key, call)
        x = normal(words.word[0], words.word[1], False)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and log(uniform(words.word[2])) < 0.5 * x * x + d - d * v + d * log(v):
            return d * v
        call += 2


cdef double draw_share(const Key* key, double probability, double alpha) noexcept nogil:
    cdef double own
    if uniform(draw(key, 0).word[0]) >= probability:
        return 1.0
    if alpha <= 1.0:
        return joehnk(key, alpha)
    own = gamma_number(key, alpha, 0)
    return own / (own + gamma_number(key, alpha, 1))


cdef uint32_t draw_partner(const Key* key, uint32_t samples) noexcept nogil:
    return below(draw(key, 0).word[1], samples)
