# What every target of the project is compiled with.
add_library(ravine_options INTERFACE)
target_compile_features(ravine_options INTERFACE cxx_std_20)

# Not -ffast-math: NaN, Inf and the order of a sum keep their meaning, so the same seed gives the same bits.
target_compile_options(ravine_options INTERFACE
  -fno-math-errno -fno-trapping-math -ffp-contract=fast -Wall -Wextra -Wpedantic)
if(RAVINE_WERROR)
  target_compile_options(ravine_options INTERFACE -Werror)
endif()
if(RAVINE_SANITIZE)
  target_compile_options(ravine_options INTERFACE
    -fsanitize=${RAVINE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1)
  target_link_options(ravine_options INTERFACE -fsanitize=${RAVINE_SANITIZE})
endif()

# What every target of core/ is.
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(RAVINE_BASELINE_FLAGS -march=x86-64)
else()
  set(RAVINE_BASELINE_FLAGS "")
endif()
