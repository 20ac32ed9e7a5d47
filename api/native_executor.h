#pragma once
#include <memory>

#include "frontend/ir/executor.h"

namespace qlathe {

/// Runs any graph of the front-end as native code of this machine. `cache`: keeps kernels in the default object cache.
std::unique_ptr<Executor> native_executor(bool cache);
/// Runs it by the scalar reference.
std::unique_ptr<Executor> reference_executor();

}  // namespace qlathe
