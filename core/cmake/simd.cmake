# Run-time dispatch. Each file of backend/cpu/simd/ is compiled once for every level, with RAVINE_SIMD naming the level
# (and the namespace its code lives in); the rest of the library sees RAVINE_HAS_AVX2 and RAVINE_HAS_AVX512.
function(ravine_add_simd_levels target)
  file(GLOB simd_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/backend/cpu/simd/*.cpp")
  if(NOT simd_sources)
    return()
  endif()
  ravine_add_simd_level(${target} baseline ${RAVINE_BASELINE_FLAGS})
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    ravine_add_simd_level(${target} avx2 -march=x86-64-v3)
    ravine_add_simd_level(${target} avx512 -march=x86-64-v4 -mprefer-vector-width=512)
    target_compile_definitions(${target} PUBLIC RAVINE_HAS_AVX2=1 RAVINE_HAS_AVX512=1)
  endif()
endfunction()

function(ravine_add_simd_level target level)
  set(objects ravine_simd_${level})
  add_library(${objects} OBJECT ${simd_sources})
  target_include_directories(${objects} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(${objects} PRIVATE ravine_options OpenMP::OpenMP_CXX)
  target_compile_options(${objects} PRIVATE ${ARGN})
  target_compile_definitions(${objects} PRIVATE RAVINE_SIMD=${level})
  if(level STREQUAL "baseline")
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
    return()
  endif()

  # An inline function of a shared header is compiled at every level under one name, and the linker keeps any of them:
  # code for AVX-512 could then be called on a processor without it. So such functions are made local to their level.
  set(isolated "${CMAKE_CURRENT_BINARY_DIR}/simd_${level}.o")
  add_custom_command(
    OUTPUT "${isolated}"
    COMMAND "${CMAKE_COMMAND}" "-DOBJECTS=$<JOIN:$<TARGET_OBJECTS:${objects}>,|>" "-DOUTPUT=${isolated}"
            "-DLEVEL=${level}" "-DLINKER=${CMAKE_LINKER}" "-DNM=${CMAKE_NM}" "-DOBJCOPY=${CMAKE_OBJCOPY}"
            -P "${CMAKE_CURRENT_SOURCE_DIR}/cmake/isolate_inline_functions.cmake"
    DEPENDS ${objects} $<TARGET_OBJECTS:${objects}> "${CMAKE_CURRENT_SOURCE_DIR}/cmake/isolate_inline_functions.cmake"
    COMMENT "Isolating the inline functions of ${level}"
    COMMAND_EXPAND_LISTS VERBATIM)
  set_source_files_properties("${isolated}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  target_sources(${target} PRIVATE "${isolated}")
endfunction()
