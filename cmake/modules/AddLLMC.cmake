# Wrappers that give every llmc target the same options (LLMCOptions) and toolchain.
# MLIR and LLVM come as their two shared libraries only: a static archive beside
# them would bring a second copy of every TypeID.

include(AddLLVM)
include(TableGen)
include(AddMLIR)

add_library(llmc_mlir INTERFACE)
target_include_directories(llmc_mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_compile_definitions(llmc_mlir INTERFACE ${LLVM_DEFINITIONS_LIST})
target_compile_options(llmc_mlir INTERFACE
  $<$<NOT:$<BOOL:${LLVM_ENABLE_RTTI}>>:-fno-rtti>
  $<$<NOT:$<BOOL:${LLVM_ENABLE_EH}>>:-fno-exceptions>)
target_link_libraries(llmc_mlir INTERFACE MLIR LLVM)

# Parsing MLIR's headers is most of a source file's compile time (3.5 of 4 s). A file
# must still include what it uses: LLMC_PRECOMPILED_HEADERS=OFF builds without them.
option(LLMC_PRECOMPILED_HEADERS "Precompile MLIR's headers" ON)
set(LLMC_PRECOMPILED
  <map> <string> <vector>
  <llvm/ADT/DenseMap.h> <llvm/ADT/DenseSet.h> <llvm/ADT/MapVector.h> <llvm/ADT/SetVector.h>
  <llvm/ADT/StringMap.h> <llvm/ADT/TypeSwitch.h> <llvm/Support/FormatVariadic.h>
  <mlir/Dialect/Func/IR/FuncOps.h> <mlir/IR/Builders.h> <mlir/IR/BuiltinOps.h>
  <mlir/IR/Matchers.h> <mlir/IR/PatternMatch.h> <mlir/Pass/Pass.h>
  <llmc/Dialect/LLM/IR/Dims.h> <llmc/Dialect/LLM/IR/LLMOps.h>)

# add_llmc_library(NAME sources... [DEPENDS targets...] [LINK libraries...] [PRECOMPILE headers...])
# A static library of the compiler. One that links the llm dialect precompiles its headers,
# and those of PRECOMPILE.
function(add_llmc_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK;PRECOMPILE" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC llmc_options llmc_mlir ${ARG_LINK})
  list(LENGTH ARG_UNPARSED_ARGUMENTS count)
  if(LLMC_PRECOMPILED_HEADERS AND count GREATER 2 AND "${ARG_LINK}" MATCHES "LLMC[DRACES]")
    target_precompile_headers(${name} PRIVATE ${LLMC_PRECOMPILED} ${ARG_PRECOMPILE})
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# add_llmc_tool(NAME sources... [LINK libraries...])
function(add_llmc_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE llmc_options ${ARG_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# add_llmc_unittest(NAME sources... [LINK libraries...])
function(add_llmc_unittest name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE llmc_options ${ARG_LINK} GTest::gtest GTest::gtest_main)
  list(LENGTH ARG_UNPARSED_ARGUMENTS count)
  if(LLMC_PRECOMPILED_HEADERS AND count GREATER 2 AND "${ARG_LINK}" MATCHES "LLMC(Reference|ImportONNX|Analysis)")
    target_precompile_headers(${name} PRIVATE ${LLMC_PRECOMPILED} <gtest/gtest.h>)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  # LLVM's allocators poison what they have not handed out; the packaged library, which
  # is not instrumented, does not unpoison it again.
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "ASAN_OPTIONS=allow_user_poisoning=0")
endfunction()
