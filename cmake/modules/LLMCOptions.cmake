# Language, warnings, includes and sanitizers of everything in this build.

# -Werror for every target, those of the stand-alone runtime project too.
set(CMAKE_COMPILE_WARNING_AS_ERROR ${LLMC_WERROR})

add_library(llmc_options INTERFACE)
target_compile_features(llmc_options INTERFACE cxx_std_20)
target_compile_options(llmc_options INTERFACE -Wall -Wextra -Wno-unused-parameter)
# GCC 12's flow analysis reports what cannot happen inside std::string, std::vector and
# std::optional (bugs 105651, 105329, 80635); clang and later GCC check the same code.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(llmc_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>
    -Wno-stringop-overflow -Wno-array-bounds -Wno-maybe-uninitialized)
endif()
target_include_directories(llmc_options INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include)
if(LLMC_SANITIZE)
  set(LLMC_SANITIZE_FLAGS -fsanitize=${LLMC_SANITIZE} -fno-omit-frame-pointer)
  if(LLMC_SANITIZE MATCHES "undefined")
    list(APPEND LLMC_SANITIZE_FLAGS -fno-sanitize-recover=undefined)
  endif()
  target_compile_options(llmc_options INTERFACE ${LLMC_SANITIZE_FLAGS})
  target_link_options(llmc_options INTERFACE ${LLMC_SANITIZE_FLAGS})
endif()
if(LLMC_FUZZ)
  target_compile_options(llmc_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
