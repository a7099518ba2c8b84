# The CUDA backend, a shared library that ravine_core opens when a device is asked for (target ravine_cuda). Built where
# nvcc is; it needs the toolkit's runtime alone, and finds cuBLASLt when it runs.
if(NOT RAVINE_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "RAVINE_CUDA is '${RAVINE_CUDA}'; expected AUTO, ON or OFF")
endif()

if(NOT RAVINE_CUDA STREQUAL "OFF")
  set(CMAKE_CUDA_ARCHITECTURES "75-real;80-real;90-real;100-real;100-virtual" CACHE STRING "what kernels are compiled for")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    find_package(CUDAToolkit 13 QUIET)
  endif()
endif()

if(NOT CUDAToolkit_FOUND)
  if(RAVINE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "RAVINE_CUDA=ON, but nvcc of CUDA 13 was not found: put it on PATH, or name it in CUDACXX")
  endif()
  message(STATUS "CUDA: none")
  return()
endif()
message(STATUS "CUDA: ${CMAKE_CUDA_COMPILER} for ${CMAKE_CUDA_ARCHITECTURES}")

# What both sides of the border between core and library are compiled from.
file(GLOB interface CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/base/*.h" "${CMAKE_CURRENT_SOURCE_DIR}/backend/*.h"
  "${CMAKE_CURRENT_SOURCE_DIR}/rules/penalty.h" "${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda/interface.h")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${interface})
set(hashes "")
foreach(header IN LISTS interface)
  file(SHA256 "${header}" hash)
  string(APPEND hashes "${hash}")
endforeach()
string(SHA256 interface_hash "${hashes}")
set(RAVINE_CUDA_INTERFACE "${interface_hash}" CACHE INTERNAL "of which build the library is")

# What the library holds besides kernels, for it shares no symbols with the core; cached, as projects beside this one ask.
file(GLOB shared CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/base/*.cpp"
  "${CMAKE_CURRENT_SOURCE_DIR}/backend/program.cpp" "${CMAKE_CURRENT_SOURCE_DIR}/backend/measured_by.cpp")
file(GLOB kernels CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda/*.cpp"
  "${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda/*.cu")
set(RAVINE_CUDA_SHARED "${shared}" CACHE INTERNAL "sources of the core in the CUDA library")
set(RAVINE_CUDA_SOURCES "${kernels}" CACHE INTERNAL "its own for a device and for the twin")

function(ravine_finish_cuda_library target)
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/..")
  target_compile_definitions(${target} PRIVATE "RAVINE_CUDA_INTERFACE=\"${RAVINE_CUDA_INTERFACE}\"")
  target_compile_features(${target} PRIVATE cxx_std_20)
  set(exports "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/cuda_exports.map")
  target_link_options(${target} PRIVATE -Wl,--no-undefined "-Wl,--version-script=${exports}")
  set_target_properties(${target} PROPERTIES LINK_DEPENDS "${exports}"
    CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()

function(ravine_add_cuda_library)
  file(GLOB device CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda/device/*.cpp")
  find_path(RAVINE_CUBLASLT_INCLUDE cublasLt.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  if(NOT RAVINE_CUBLASLT_INCLUDE)
    list(FILTER device EXCLUDE REGEX "/check_cublaslt\\.cpp$")
  endif()
  add_library(ravine_cuda SHARED ${RAVINE_CUDA_SOURCES} ${RAVINE_CUDA_SHARED} ${device})
  target_compile_features(ravine_cuda PRIVATE cuda_std_20)
  ravine_finish_cuda_library(ravine_cuda)
  # What nvcc makes of a source for the host gives warnings that are not ours; the twin's compiler sees the source itself.
  target_compile_options(ravine_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic>
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr>)
  if(RAVINE_WERROR)
    target_compile_options(ravine_cuda PRIVATE
      $<$<COMPILE_LANGUAGE:CXX>:-Werror> $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings>)
  endif()
  target_link_libraries(ravine_cuda PRIVATE CUDA::cudart_static)
  set_target_properties(ravine_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static)
  if(RAVINE_CUBLASLT_INCLUDE)
    target_include_directories(ravine_cuda SYSTEM PRIVATE "${RAVINE_CUBLASLT_INCLUDE}")
  endif()
endfunction()

# The same sources for the host, where tests run kernels line by line: a project of tests adds it, in a directory of its
# own, since there the sources are C++.
function(ravine_add_cuda_twin)
  file(GLOB twin CONFIGURE_DEPENDS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../backend/cuda/twin/*.cpp")
  set_source_files_properties(${RAVINE_CUDA_SOURCES} PROPERTIES LANGUAGE CXX)
  add_library(ravine_cuda_twin SHARED ${RAVINE_CUDA_SOURCES} ${RAVINE_CUDA_SHARED} ${twin})
  ravine_finish_cuda_library(ravine_cuda_twin)
  target_link_libraries(ravine_cuda_twin PRIVATE ravine_options)
endfunction()
