"""What is done with single rows, in C: as Cython has no word for it."""

from libc.stdint cimport uint8_t


cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__gnu_linux__)
    #define RAVINE_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
    #else
    #define RAVINE_CLONES
    #endif
    // Pixels are what is scaled while it is gathered: this loop is compiled for wider vectors too.
    RAVINE_CLONES static void ravine_scale_bytes(
        const unsigned char* source, const double* mean, const double* scale, float* out, Py_ssize_t count) {
      for (Py_ssize_t i = 0; i < count; ++i) out[i] = (float)((source[i] - mean[i]) * scale[i]);
    }

    // The next rows lie anywhere in memory: the processor cannot guess where.
    static inline void ravine_prefetch_row(const char* row, Py_ssize_t bytes) {
      for (Py_ssize_t at = 0; at < bytes; at += 64) __builtin_prefetch(row + at, 0, 2);
    }
    """
    void scale_bytes "ravine_scale_bytes"(
        const uint8_t* source, const double* mean, const double* scale, float* out, Py_ssize_t count
    ) noexcept nogil
    void prefetch_row "ravine_prefetch_row"(const char* row, Py_ssize_t bytes) noexcept nogil
