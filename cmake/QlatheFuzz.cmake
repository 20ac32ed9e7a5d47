# Fuzz targets: a .cpp file that defines LLVMFuzzerTestOneInput. With QLATHE_FUZZ (clang, ./dev fuzz) each becomes a libFuzzer
# program; otherwise it is a test that replays its corpus (tests/fuzz/corpus/<target>) and seeded mutations of it.
option(QLATHE_FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)

add_custom_target(qlathe-fuzzers)
set(QLATHE_FUZZ_LIST "${PROJECT_BINARY_DIR}/fuzz-targets.txt")
file(WRITE "${QLATHE_FUZZ_LIST}" "")

if(QLATHE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "QLATHE_FUZZ needs clang++: use the preset 'fuzz' (./dev fuzz)")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

# qlathe_fuzz_target(<target> SOURCES file... DEPENDS target... [SECONDS n]): declared in tests/fuzz/CMakeLists.txt.
function(qlathe_fuzz_target target)
  cmake_parse_arguments(ARG "" "SECONDS" "SOURCES;DEPENDS" ${ARGN})
  if(NOT ARG_SECONDS)
    set(ARG_SECONDS 5)
  endif()
  add_executable(${target} ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE qlathe_flags ${ARG_DEPENDS})
  add_dependencies(qlathe-fuzzers ${target})
  file(APPEND "${QLATHE_FUZZ_LIST}" "${target}\n")
  if(QLATHE_FUZZ)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp")
    add_test(NAME fuzz.${target} COMMAND ${target} "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${target}" ${ARG_SECONDS})
  endif()
endfunction()
