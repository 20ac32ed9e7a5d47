# Every dependency is found here; docs/dependencies.md says why each is needed.
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
include(GoogleTest)
find_package(benchmark REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)

pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
find_package(cxxopts REQUIRED)

# Halide's C++ SDK travels inside its Python package (./dev setup installs it under .deps).
if(NOT Halide_DIR)
  # The wheel uses lib64, where CMake does not look on Debian.
  file(GLOB sdk "${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/halide/lib64/cmake")
  set(Halide_DIR "${sdk}/Halide")
  set(HalideHelpers_DIR "${sdk}/HalideHelpers")
endif()
# Its Python bindings are of no use here, and looking for them only warns that Python's headers are missing.
set(CMAKE_DISABLE_FIND_PACKAGE_Halide_Python TRUE)
find_package(Halide 21 REQUIRED COMPONENTS shared CONFIG)

# LLVM 19 (ORC) is linked as one shared library and seen by codegen/native alone.
find_package(LLVM 19.1 REQUIRED CONFIG HINTS /usr/lib/llvm-19)
add_library(qlathe_llvm INTERFACE)
target_include_directories(qlathe_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_libraries(qlathe_llvm INTERFACE LLVM)

# ONNX's schema travels inside its Python package; protobuf's compiler makes C++ of it.
find_package(Protobuf REQUIRED)
if(NOT QLATHE_ONNX_PROTO)
  file(GLOB QLATHE_ONNX_PROTO "${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/onnx/onnx.proto")
endif()
if(NOT QLATHE_ONNX_PROTO)
  message(FATAL_ERROR "onnx.proto is missing: run ./dev setup, or set QLATHE_ONNX_PROTO to the file of the onnx Python package")
endif()
set(onnx_out "${PROJECT_BINARY_DIR}/onnx_schema")
file(MAKE_DIRECTORY "${onnx_out}")
# Copied, so that the generated file does not depend on where the package lies.
add_custom_command(
  OUTPUT "${onnx_out}/onnx.pb.cc" "${onnx_out}/onnx.pb.h"
  COMMAND ${CMAKE_COMMAND} -E copy "${QLATHE_ONNX_PROTO}" "${onnx_out}/onnx.proto"
  COMMAND protobuf::protoc --proto_path=${onnx_out} --cpp_out=${onnx_out} onnx.proto
  DEPENDS "${QLATHE_ONNX_PROTO}" protobuf::protoc VERBATIM)
add_library(qlathe_onnx_schema STATIC "${onnx_out}/onnx.pb.cc")
target_include_directories(qlathe_onnx_schema SYSTEM PUBLIC "${onnx_out}")
target_link_libraries(qlathe_onnx_schema PUBLIC protobuf::libprotobuf)

# TFLite's tables: our own schema, made C++ by flatbuffers' compiler.
find_package(FlatBuffers REQUIRED CONFIG)
find_program(QLATHE_FLATC flatc REQUIRED)
set(tflite_out "${PROJECT_BINARY_DIR}/tflite_schema")
file(MAKE_DIRECTORY "${tflite_out}")
add_custom_command(
  OUTPUT "${tflite_out}/tflite_schema_generated.h"
  COMMAND "${QLATHE_FLATC}" --cpp --scoped-enums --gen-object-api -o "${tflite_out}" "${PROJECT_SOURCE_DIR}/frontend/formats/tflite/tflite_schema.fbs"
  DEPENDS "${PROJECT_SOURCE_DIR}/frontend/formats/tflite/tflite_schema.fbs" VERBATIM)
add_custom_target(qlathe_tflite_schema_header DEPENDS "${tflite_out}/tflite_schema_generated.h")
add_library(qlathe_tflite_schema INTERFACE)
add_dependencies(qlathe_tflite_schema qlathe_tflite_schema_header)
target_include_directories(qlathe_tflite_schema SYSTEM INTERFACE "${tflite_out}")
target_link_libraries(qlathe_tflite_schema INTERFACE flatbuffers::flatbuffers)
