# The CUDA backend, a shared library that ravine_core opens when a device is asked for (target ravine_cuda). Built where
# nvcc is; it needs the toolkit's runtime alone, and finds cuBLASLt, cuDNN and NCCL when it runs.
#   RAVINE_CUDA_HEADERS  folders of the headers of those three, besides the toolkit's
if(NOT RAVINE_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "RAVINE_CUDA is '${RAVINE_CUDA}'; expected AUTO, ON or OFF")
endif()

if(NOT RAVINE_CUDA STREQUAL "OFF")
  set(CMAKE_CUDA_ARCHITECTURES OFF CACHE STRING "what kernels are compiled for; OFF: Turing to Blackwell, and PTX")
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

# Two passes of the compiler's front end serve all: a pass for each architecture would take half as long again.
set(RAVINE_CUDA_CODE "")
if(NOT CMAKE_CUDA_ARCHITECTURES)
  foreach(pair 75,sm_75 80,sm_80 80,sm_90 80,sm_100 80,compute_80)
    string(REPLACE "," ",code=" pair "${pair}")
    list(APPEND RAVINE_CUDA_CODE "-gencode=arch=compute_${pair}")
  endforeach()
endif()
message(STATUS "CUDA: ${CMAKE_CUDA_COMPILER} for ${CMAKE_CUDA_ARCHITECTURES} ${RAVINE_CUDA_CODE}")

# What both sides of the border between core and library are compiled from.
file(GLOB interface CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/base/*.h" "${CMAKE_CURRENT_SOURCE_DIR}/backend/*.h"
  "${CMAKE_CURRENT_SOURCE_DIR}/communication/communicator.h" "${CMAKE_CURRENT_SOURCE_DIR}/rules/penalty.h"
  "${CMAKE_CURRENT_SOURCE_DIR}/rules/augmentation/step.h" "${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda/interface.h")
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
  list(FILTER device EXCLUDE REGEX "/check_[a-z_]+\\.cpp$")
  add_library(ravine_cuda SHARED ${RAVINE_CUDA_SOURCES} ${RAVINE_CUDA_SHARED} ${device})
  target_compile_features(ravine_cuda PRIVATE cuda_std_20)
  ravine_finish_cuda_library(ravine_cuda)
  # What is made of pictures and targets has the bits of the processor, which rounds after each product.
  set_source_files_properties("${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda/pictures.cu"
    "${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda/gather.cu" PROPERTIES COMPILE_OPTIONS --fmad=false)
  # What nvcc makes of a source for the host gives warnings that are not ours; the twin's compiler sees the source itself.
  target_compile_options(ravine_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic>
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr ${RAVINE_CUDA_CODE}>)
  if(RAVINE_WERROR)
    target_compile_options(ravine_cuda PRIVATE
      $<$<COMPILE_LANGUAGE:CXX>:-Werror> $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings>)
  endif()
  target_link_libraries(ravine_cuda PRIVATE CUDA::cudart_static)
  set_target_properties(ravine_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static)
  ravine_check_declarations(cublaslt cublasLt.h)
  ravine_check_declarations(cudnn cudnn.h)
  ravine_check_declarations(nccl nccl.h)
endfunction()

# What is opened at run time is declared by ourselves. Where the headers are, device/check_NAME.cpp compares with them.
function(ravine_check_declarations name header)
  set(source "${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda/device/check_${name}.cpp")
  if(NOT EXISTS "${source}")
    return()
  endif()
  find_path(RAVINE_HEADERS_OF_${name} ${header} HINTS ${CUDAToolkit_INCLUDE_DIRS} ${RAVINE_CUDA_HEADERS} NO_CACHE)
  set(RAVINE_CHECKED_${name} "${RAVINE_HEADERS_OF_${name}}" CACHE INTERNAL "folder of ${header}")
  if(NOT RAVINE_HEADERS_OF_${name})
    message(STATUS "CUDA: there is no ${header}, so what is declared of it is not checked")
    return()
  endif()
  add_library(ravine_check_${name} OBJECT "${source}")
  target_compile_features(ravine_check_${name} PRIVATE cxx_std_20)
  # The toolkit first: wheels bring parts of the same headers.
  target_include_directories(ravine_check_${name} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/..")
  target_include_directories(ravine_check_${name} SYSTEM PRIVATE
    ${CUDAToolkit_INCLUDE_DIRS} "${RAVINE_HEADERS_OF_${name}}")
  add_dependencies(ravine_cuda ravine_check_${name})
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
