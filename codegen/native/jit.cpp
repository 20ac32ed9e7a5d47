#include "codegen/native/jit.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/Support/TargetSelect.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "codegen/native/gpu_tables.h"
#include "schedule/device.h"

namespace qlathe {

struct JitProgram::Session {
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

struct JitProgram::Device {
  Device(const Program& program, std::vector<NativeKernel> given)
      : kernels(std::move(given)), tables(program, kernels) {}
  ~Device() { qlathe_gpu_close(model); }

  std::vector<NativeKernel> kernels;
  GpuTables tables;
  qlathe_gpu_model* model = nullptr;
};

JitProgram::JitProgram() : constants_(nullptr, std::free) {}
JitProgram::~JitProgram() = default;

namespace {

constexpr size_t kLargePage = size_t{2} << 20;

Status from_llvm(llvm::Error error) { return Status::internal("LLVM ORC: " + llvm::toString(std::move(error))); }

Status add_object(llvm::orc::LLJIT& jit, const std::vector<uint8_t>& object, const std::string& name) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  if (llvm::Error error = jit.addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(bytes, name)))
    return from_llvm(std::move(error));
  return {};
}

}  // namespace

qlathe_gpu_model* JitProgram::device() const { return device_ == nullptr ? nullptr : device_->model; }

Status JitProgram::load_on_device(Program program, std::vector<NativeKernel> kernels) {
  program_ = std::move(program);
  device_ = std::make_unique<Device>(program_, std::move(kernels));
  qlathe_gpu_error error;
  if (qlathe_gpu_open(&device_->tables.program(), &device_->model, &error) != 0) {
    return Status::user({"", "", "--target " + program_.target->name}, error.text,
                        "use --target host, or --target " + program_.target->name + ",host to fall back by itself");
  }
  for (PackedConstant& constant : program_.constants)
    std::vector<uint8_t>().swap(constant.bytes);  // they are on the device now
  return {};
}

Result<std::shared_ptr<const JitProgram>> JitProgram::load(Program program, std::vector<NativeKernel> kernels,
                                                           ObjectCache* cache) {
  if (has_device(*program.target)) {
    std::shared_ptr<JitProgram> on_device(new JitProgram);
    QL_RETURN_IF_ERROR(on_device->load_on_device(std::move(program), std::move(kernels)));
    return std::shared_ptr<const JitProgram>(std::move(on_device));
  }
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  std::shared_ptr<JitProgram> out(new JitProgram);
  out->arena_bytes_ = program.arena_bytes;
  out->scratch_bytes_ = qlathe::arena_bytes(program, kernels, 1) - program.arena_bytes;

  DriverOptions options{"model", "", ConstantLinkage::kSymbol, {}};
  const auto round_up = [](size_t bytes) { return (bytes / kConstantAlignment + 1) * kConstantAlignment; };
  size_t total = kConstantAlignment;
  for (const PackedConstant& constant : program.constants)
    total += round_up(constant.bytes.size());
  // Weights that kernels stream again and again: on large pages their lines spread over the second cache, and the
  // addresses of few pages are enough.
  const bool large = total >= kLargePage / 4;
  if (large) total = (total + kLargePage - 1) / kLargePage * kLargePage;
  out->constants_.reset(std::aligned_alloc(large ? kLargePage : kConstantAlignment, total));
  QL_CHECK(out->constants_ != nullptr, std::to_string(total) + " bytes of constants");
#if defined(MADV_HUGEPAGE)
  if (large) (void)madvise(out->constants_.get(), total, MADV_HUGEPAGE);
#endif
  auto* const block = static_cast<uint8_t*>(out->constants_.get());
  auto* at = block;
  for (PackedConstant& constant : program.constants) {
    std::copy(constant.bytes.begin(), constant.bytes.end(), at);
    options.offsets.push_back(at - block);
    at += round_up(constant.bytes.size());
    std::vector<uint8_t>().swap(constant.bytes);
  }

  QL_ASSIGN(const std::vector<uint8_t> driver, compile_driver(program, kernels, options, cache));
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit) return from_llvm(jit.takeError());
  llvm::orc::SymbolMap constants;
  constants[(*jit)->mangleAndIntern("model_constants")] = {llvm::orc::ExecutorAddr::fromPtr(block),
                                                           llvm::JITSymbolFlags::Exported};
  if (llvm::Error error = (*jit)->getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(constants)))) {
    return from_llvm(std::move(error));
  }
  for (const NativeKernel& kernel : kernels)
    QL_RETURN_IF_ERROR(add_object(**jit, kernel.object, kernel.symbol));
  QL_RETURN_IF_ERROR(add_object(**jit, driver, "driver"));
  auto symbol = (*jit)->lookup("model_run_arrays");
  if (!symbol) return from_llvm(symbol.takeError());

  out->run_ = symbol->toPtr<RunFunction>();
  out->program_ = std::move(program);
  out->session_ = std::make_unique<Session>();
  out->session_->jit = std::move(*jit);
  return std::shared_ptr<const JitProgram>(std::move(out));
}

}  // namespace qlathe
