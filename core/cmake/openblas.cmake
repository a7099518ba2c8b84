# Target ravine_openblas: float64 products, and float32 ones in a build without oneDNN. Required.
# Hints RAVINE_OPENBLAS_INCLUDE and RAVINE_OPENBLAS_LIBRARY name the wheel scipy-openblas32, whose symbols
# carry the prefix scipy_ (RAVINE_OPENBLAS_SCIPY=1); without them any OpenBLAS of the system serves.
add_library(ravine_openblas INTERFACE)

if(RAVINE_OPENBLAS_LIBRARY)
  target_include_directories(ravine_openblas SYSTEM INTERFACE "${RAVINE_OPENBLAS_INCLUDE}")
  target_link_libraries(ravine_openblas INTERFACE "${RAVINE_OPENBLAS_LIBRARY}")
  if(RAVINE_OPENBLAS_LIBRARY MATCHES "libscipy_openblas")
    target_compile_definitions(ravine_openblas INTERFACE RAVINE_OPENBLAS_SCIPY=1)
  endif()
  message(STATUS "OpenBLAS: ${RAVINE_OPENBLAS_LIBRARY}")
else()
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(ravine_system_openblas QUIET openblas)
  endif()
  find_path(RAVINE_SYSTEM_OPENBLAS_INCLUDE cblas.h
    HINTS ${ravine_system_openblas_INCLUDE_DIRS} PATH_SUFFIXES openblas openblas-pthread)
  find_library(RAVINE_SYSTEM_OPENBLAS_LIBRARY openblas HINTS ${ravine_system_openblas_LIBRARY_DIRS})
  if(NOT RAVINE_SYSTEM_OPENBLAS_INCLUDE OR NOT RAVINE_SYSTEM_OPENBLAS_LIBRARY)
    message(FATAL_ERROR "OpenBLAS not found: install the wheel scipy-openblas32 and set RAVINE_OPENBLAS_INCLUDE "
      "and RAVINE_OPENBLAS_LIBRARY, or install your system's package (Debian: libopenblas-dev)")
  endif()
  target_include_directories(ravine_openblas SYSTEM INTERFACE "${RAVINE_SYSTEM_OPENBLAS_INCLUDE}")
  target_link_libraries(ravine_openblas INTERFACE "${RAVINE_SYSTEM_OPENBLAS_LIBRARY}")
  message(STATUS "OpenBLAS: ${RAVINE_SYSTEM_OPENBLAS_LIBRARY}")
endif()
