#pragma once

/// A kernel as the lowering of an op hands it to codegen/halide: a Halide pipeline with a finished schedule, its
/// buffers with static shapes, and the loop that a caller may run in parts. Includes Halide.h: only .cpp files that
/// build pipelines, and codegen/halide, include this header.

#include <Halide.h>

#include <cstdint>
#include <string>
#include <vector>

namespace qlathe {

/// One dimension of a buffer, in elements. Dimension 0 is Halide's first (usually innermost, stride 1).
struct KernelDim {
  int32_t extent = 0;
  int32_t stride = 0;
  int32_t min = 0;  ///< coordinate of the element the pointer points at
};

/// Dimensions of a dense buffer, innermost first.
inline std::vector<KernelDim> dense_dims(const std::vector<int32_t>& extents) {
  std::vector<KernelDim> dims;
  int32_t stride = 1;
  for (int32_t extent : extents) {
    dims.push_back({extent, stride, 0});
    stride *= extent;
  }
  return dims;
}

/// The pointer of a buffer is the address of its element at the minimum of every dimension. `alignment` is what the
/// caller promises about that pointer, in bytes; strides give the rest. Vector accesses of any alignment are correct.
struct KernelInput {
  Halide::ImageParam param;  ///< its name is the name of the emitted parameter
  std::vector<KernelDim> dims;
  int32_t alignment = 1;
};

struct KernelOutput {
  Halide::Func func;  ///< its name is the name of the emitted parameter; not a tuple
  std::vector<KernelDim> dims;
  int32_t alignment = 1;
};

/// The schedule has serial and vectorized loops only: no unroll (`unrolled` and codegen/halide/register_arrays.h say
/// what compilers unroll), no parallel (the row loop below replaces it), no asynchronous or GPU loops. Names: give
/// every Func, Var and RVar a short name of its own (`Stage::rename` for reduction variables), for they are the names
/// in the emitted C++.
//
/// The emitted function is plain C:
///   int32_t name(const T* input..., T* output..., [void* scratch,] int32_t scalar..., int32_t row_begin, int32_t
///   row_end)
struct KernelPipeline {
  std::string name;  ///< a C identifier that means nothing in C++ or the runtime ("load", "min")
  std::vector<KernelInput> inputs;
  std::vector<KernelOutput> outputs;
  std::vector<Halide::Param<int32_t>> scalars;

  /// The loop of the outputs that becomes `for (row = row_begin; row < row_end; ...)`: the name of the Var (after
  /// splits and fuses) and its extent. Each iteration must be computable alone: everything else is computed at or
  /// inside it. Iterations may run in any order and at the same time, so their writes must be disjoint (no ShiftInwards
  /// in it). Empty: the kernel is one row, row_extent is 1, and it does its work when row_begin <= 0 < row_end.
  std::string row_loop;
  int32_t row_extent = 1;

  /// Short loops that compilers are to unroll beside those over register arrays: a Func and a variable of its update.
  /// Their extents are constant.
  struct UnrolledLoop {
    std::string func, var;
  };
  std::vector<UnrolledLoop> unrolled;

  /// A kernel whose instructions no schedule can state comes as a statement instead, over flat buffers by the names of
  /// `inputs` and `outputs`; the outputs' Funcs give names and types only. Its row loop is "<output>.s0.<row_loop>".
  Halide::Internal::Stmt body;

  /// The output may be the memory of an input of which each of its elements, computed once, reads the same one alone.
  bool in_place = false;

  /// Allocations above this many bytes become slices of the `scratch` parameter, which the caller gives each concurrent
  /// call for itself (LoweredKernel::scratch_bytes). Register arrays (accumulator tiles) always stay local.
  int32_t max_stack_bytes = 1024;
};

}  // namespace qlathe
