#pragma once

#include <Halide.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "frontend/ir/result.h"
#include "schedule/kernel.h"

/// Passes of lower_kernel over a lowered statement, in the order in which they run.
namespace qlathe {

using Halide::Internal::Stmt;

/// Drops what a kernel with raw pointers has no use for: the lets that read halide_buffer_t, ProducerConsumer, Atomic
/// nodes without a mutex, `likely` tags and promises about bounds.
Stmt remove_buffer_structs(const Stmt& body);

/// Makes the row loop run over the variables row_begin and row_end. `functions` are the names of the outputs. A kernel
/// without a row loop is wrapped in one of extent 1.
Result<Stmt> restrict_row_loop(const Stmt& body, const std::set<std::string>& functions, const std::string& row_loop,
                               int32_t row_extent);

/// Replaces every let of an integer that is affine in loop variables, and of a mask of indices, by its value: lowering
/// hoists dozens of them, and both LLVM and the C++ compilers hoist again what pays.
Stmt inline_affine_lets(const Stmt& body);

/// Moves a condition that is the whole body of a loop and does not change in it out of the loop. Halide's own pass
/// leaves conditions that load, and g++ keeps them too: a loop that almost never runs then costs as much as if it did.
Stmt hoist_invariant_conditions(const Stmt& body);

/// Replaces casts to and from bfloat16 by integer code (round half to even, NaN stays NaN): Halide's own turns some
/// NaNs into zero, and the instruction of AVX512-BF16 flushes denormals.
Stmt lower_bfloat_casts(const Stmt& body);

/// Joins stores of 16 saturated bytes (schedule/lane_calls.h) that neighbouring iterations make into narrowings of four
/// vectors at once; what is left becomes an ordinary saturating cast.
Stmt merge_narrowing_stores(const Stmt& body);

/// Splits a store of three interleaved vectors (pictures of three channels) into stores of as many lanes as each has:
/// emitted C++ has no vectors of 48.
Stmt split_interleaved_stores(const Stmt& body);

/// Marks loops (ForType::Unrolled) whose variable selects an element of a register array (register_arrays.h), and those
/// that the schedule names.
Stmt mark_unrolled_loops(const Stmt& body, const std::vector<KernelPipeline::UnrolledLoop>& named);

/// Turns allocations above max_stack_bytes, other than register arrays, into slices of the parameter `scratch`.
/// Slices never overlap, because LLVM is told that buffers of different names do not alias.
Result<Stmt> move_allocations_to_scratch(const Stmt& body, int32_t max_stack_bytes, int64_t* scratch_bytes);

/// Renames every binding to a name that depends on the statement alone, is a C++ identifier that the runtime does not
/// use, and is unique in its scope. `parameters` maps the names of the arguments to their new names.
Stmt canonicalize_names(const Stmt& body, const std::vector<std::pair<std::string, std::string>>& parameters);

/// The readable identifier in a Halide name: "acc.s1.r4$w.ky" -> "ky", "t37" -> "t", "x.rebased" -> "x".
std::string base_name(const std::string& halide_name);

/// Whether a name means something in emitted C++ (keyword, type or function of the runtime).
bool is_reserved_name(const std::string& name);

/// Refuses what neither output can express: parallel and GPU loops, calls that need Halide's runtime, leftover
/// references to halide_buffer_t, allocations without a constant size.
Status check_lowered(const Stmt& body, const std::set<std::string>& arguments);

}  // namespace qlathe
