#include "codegen/native/driver.h"

#include <llvm/Bitcode/BitcodeWriter.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Target/TargetOptions.h>
#include <llvm/TargetParser/Host.h>

#include <algorithm>
#include <mutex>

#include "codegen/native/gpu_globals.h"
#include "codegen/native/gpu_tables.h"
#include "schedule/device.h"

namespace qlathe {
namespace {

int64_t scratch_stride(const Program& program, const std::vector<NativeKernel>& kernels) {
  int64_t most = 0;
  for (const NativeKernel& kernel : kernels)
    most = std::max(most, kernel.scratch_bytes);
  return (most + program.arena_alignment - 1) / program.arena_alignment * program.arena_alignment;
}

/// Builds the module: one task function per call that may be split, and the entry point.
class DriverModule {
 public:
  DriverModule(llvm::LLVMContext& context, const Program& program, const std::vector<NativeKernel>& kernels,
               const DriverOptions& options)
      : program_(program),
        kernels_(kernels),
        options_(options),
        context_(context),
        module_(std::make_unique<llvm::Module>(options.prefix, context)),
        b_(context),
        ptr_(llvm::PointerType::getUnqual(context)),
        i32_(llvm::Type::getInt32Ty(context)),
        i64_(llvm::Type::getInt64Ty(context)),
        void_(llvm::Type::getVoidTy(context)) {}

  std::unique_ptr<llvm::Module> build() {
    if (has_device(*program_.target)) {
      build_typed_run(build_device_run());
      if (program_.state_bytes > 0) build_reset();
      build_device_ends();
      return std::move(module_);
    }
    for (size_t i = 0; i < program_.constants.size(); i++)
      constants_.push_back(constant_pointer(i));
    for (const NativeKernel& kernel : kernels_)
      kernel_functions_.push_back(declare(kernel));
    llvm::Function* run = build_run();
    if (options_.constants == ConstantLinkage::kEmbedded) {
      build_typed_run(run);
      if (program_.state_bytes > 0) build_reset();
    }
    return std::move(module_);
  }

 private:
  llvm::Constant* constant_pointer(size_t index) {
    const PackedConstant& constant = program_.constants[index];
    if (options_.constants == ConstantLinkage::kSymbol) {
      const int64_t offset = options_.offsets[index];
      QL_CHECK(offset % kConstantAlignment == 0, constant.name);
      llvm::Constant* block =
          module_->getOrInsertGlobal(options_.prefix + "_constants", llvm::Type::getInt8Ty(context_));
      return llvm::ConstantExpr::getInBoundsGetElementPtr(llvm::Type::getInt8Ty(context_), block,
                                                          llvm::ConstantInt::get(i64_, static_cast<uint64_t>(offset)));
    }
    const llvm::StringRef bytes(reinterpret_cast<const char*>(constant.bytes.data()), constant.bytes.size());
    llvm::Constant* data = llvm::ConstantDataArray::getString(context_, bytes, false);
    auto* global = new llvm::GlobalVariable(*module_, data->getType(), true, llvm::GlobalValue::PrivateLinkage, data,
                                            constant.name);
    global->setAlignment(llvm::Align(kConstantAlignment));
    return global;
  }

  llvm::FunctionCallee declare(const NativeKernel& kernel) {
    std::vector<llvm::Type*> types(static_cast<size_t>(kernel.pointers), ptr_);
    if (kernel.scratch_bytes > 0) types.push_back(ptr_);
    types.insert(types.end(), 2, i32_);
    return module_->getOrInsertFunction(kernel.symbol, llvm::FunctionType::get(i32_, types, false));
  }

  llvm::Value* at(llvm::Value* base, int64_t offset) {
    return offset == 0
               ? base
               : b_.CreateConstInBoundsGEP1_64(llvm::Type::getInt8Ty(context_), base, static_cast<uint64_t>(offset));
  }
  llvm::Value* element(llvm::Value* array, int index) {
    return b_.CreateLoad(ptr_, b_.CreateConstInBoundsGEP1_32(ptr_, array, static_cast<unsigned>(index)));
  }

  /// Calls kernel `call.kernel` for rows [begin, end). `base` gives the pointer a buffer lives in.
  template <class Base>
  void call_kernel(const ProgramCall& call, llvm::Value* begin, llvm::Value* end, llvm::Value* scratch,
                   const Base& base) {
    const NativeKernel& kernel = kernels_[static_cast<size_t>(call.kernel)];
    QL_CHECK(static_cast<int>(call.buffers.size()) == kernel.pointers, call.description);
    std::vector<llvm::Value*> arguments;
    for (size_t i = 0; i < call.buffers.size(); i++)
      arguments.push_back(base(i));
    if (kernel.scratch_bytes > 0) arguments.push_back(scratch);
    arguments.push_back(begin);
    arguments.push_back(end);
    b_.CreateCall(kernel_functions_[static_cast<size_t>(call.kernel)], arguments);
  }

  /// void task(ptr* buffers, i32 begin, i32 end, i32 worker): buffers[n] is the start of the scratch slices.
  llvm::Function* build_task(const ProgramCall& call, size_t index) {
    auto* type = llvm::FunctionType::get(void_, {ptr_, i32_, i32_, i32_}, false);
    auto* task = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage,
                                        options_.prefix + "_task_" + std::to_string(index), *module_);
    b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", task));
    llvm::Value* buffers = task->getArg(0);
    llvm::Value* scratch = nullptr;
    if (kernels_[static_cast<size_t>(call.kernel)].scratch_bytes > 0) {
      llvm::Value* worker = b_.CreateSExt(task->getArg(3), i64_);
      llvm::Value* offset =
          b_.CreateMul(worker, llvm::ConstantInt::get(i64_, static_cast<uint64_t>(scratch_stride(program_, kernels_))));
      scratch = b_.CreateInBoundsGEP(llvm::Type::getInt8Ty(context_),
                                     element(buffers, static_cast<int>(call.buffers.size())), offset);
    }
    call_kernel(call, task->getArg(1), task->getArg(2), scratch,
                [&](size_t i) { return element(buffers, static_cast<int>(i)); });
    b_.CreateRetVoid();
    return task;
  }

  static bool splits(const ProgramCall& call) { return call.rows >= 2 * std::max(call.min_rows_per_task, 1); }

  llvm::Function* build_run() {
    std::vector<llvm::Function*> tasks(program_.calls.size(), nullptr);
    for (size_t i = 0; i < program_.calls.size(); i++) {
      if (splits(program_.calls[i])) tasks[i] = build_task(program_.calls[i], i);
    }
    auto* type = llvm::FunctionType::get(i32_, {ptr_, ptr_, ptr_, ptr_, ptr_}, false);
    auto* run =
        llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, options_.prefix + "_run_arrays", *module_);
    auto* entry = llvm::BasicBlock::Create(context_, "entry", run);
    b_.SetInsertPoint(entry);
    llvm::Value *inputs = run->getArg(0), *outputs = run->getArg(1), *arena = run->getArg(2), *state = run->getArg(3),
                *parallel = run->getArg(4);
    std::vector<llvm::Value*> in, out;
    for (size_t i = 0; i < program_.inputs.size(); i++)
      in.push_back(element(inputs, static_cast<int>(i)));
    for (size_t i = 0; i < program_.outputs.size(); i++)
      out.push_back(element(outputs, static_cast<int>(i)));
    const auto pointer = [&](const BufferRef& ref) -> llvm::Value* {
      const auto index = static_cast<size_t>(ref.index);
      switch (ref.space) {
        case BufferRef::Space::kInput:
          return at(in[index], ref.offset);
        case BufferRef::Space::kOutput:
          return at(out[index], ref.offset);
        case BufferRef::Space::kConstant:
          return at(constants_[index], ref.offset);
        case BufferRef::Space::kArena:
          return at(arena, ref.offset);
        case BufferRef::Space::kState:
          return at(state, ref.offset);
      }
      return nullptr;
    };
    size_t most = 0;
    for (const ProgramCall& call : program_.calls)
      most = std::max(most, call.buffers.size());
    llvm::Value* packed = b_.CreateAlloca(ptr_, llvm::ConstantInt::get(i32_, most + 1));
    llvm::Value* serial = b_.CreateIsNull(parallel);
    for (size_t i = 0; i < program_.calls.size(); i++) {
      const ProgramCall& call = program_.calls[i];
      llvm::Value* zero = llvm::ConstantInt::get(i32_, 0);
      llvm::Value* rows = llvm::ConstantInt::get(i32_, static_cast<uint64_t>(call.rows));
      llvm::BasicBlock* after = nullptr;
      if (tasks[i] != nullptr) {
        auto* split = llvm::BasicBlock::Create(context_, "split", run);
        auto* whole = llvm::BasicBlock::Create(context_, "whole", run);
        after = llvm::BasicBlock::Create(context_, "next", run);
        b_.CreateCondBr(serial, whole, split);
        b_.SetInsertPoint(split);
        for (size_t k = 0; k <= call.buffers.size(); k++) {
          llvm::Value* value = k < call.buffers.size() ? pointer(call.buffers[k]) : at(arena, program_.arena_bytes);
          b_.CreateStore(value, b_.CreateConstInBoundsGEP1_32(ptr_, packed, static_cast<unsigned>(k)));
        }
        llvm::Value* context = element(parallel, 0);
        llvm::Value* hook = element(parallel, 1);
        auto* hook_type = llvm::FunctionType::get(void_, {ptr_, ptr_, ptr_, i32_, i32_}, false);
        b_.CreateCall(hook_type, hook,
                      {context, tasks[i], packed, rows,
                       llvm::ConstantInt::get(i32_, static_cast<uint64_t>(call.min_rows_per_task))});
        b_.CreateBr(after);
        b_.SetInsertPoint(whole);
      }
      call_kernel(call, zero, rows, at(arena, program_.arena_bytes),
                  [&](size_t k) { return pointer(call.buffers[k]); });
      if (after != nullptr) {
        b_.CreateBr(after);
        b_.SetInsertPoint(after);
      }
    }
    b_.CreateRet(llvm::ConstantInt::get(i32_, 0));
    return run;
  }

  /// run_arrays for a device: the driver in the archive does the work.
  llvm::Function* build_device_run() {
    const GpuTables tables(program_, kernels_);
    llvm::Constant* table = add_gpu_program(*module_, tables.program());
    auto* run = llvm::Function::Create(llvm::FunctionType::get(i32_, {ptr_, ptr_, ptr_, ptr_, ptr_}, false),
                                       llvm::GlobalValue::ExternalLinkage, options_.prefix + "_run_arrays", *module_);
    b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", run));
    const llvm::FunctionCallee run_in = module_->getOrInsertFunction(
        "qlathe_gpu_run_in", llvm::FunctionType::get(i32_, {ptr_, ptr_, ptr_, ptr_, ptr_}, false));
    b_.CreateRet(b_.CreateCall(run_in, {table, run->getArg(2), run->getArg(0), run->getArg(1), run->getArg(3)}));
    return run;
  }

  /// <prefix>_error and <prefix>_close.
  void build_device_ends() {
    for (const bool closes : {false, true}) {
      auto* type = llvm::FunctionType::get(closes ? void_ : ptr_, {ptr_}, false);
      auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                              options_.prefix + (closes ? "_close" : "_error"), *module_);
      b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", function));
      llvm::Value* result =
          b_.CreateCall(module_->getOrInsertFunction(closes ? "qlathe_gpu_close_in" : "qlathe_gpu_error_in", type),
                        {function->getArg(0)});
      if (closes)
        b_.CreateRetVoid();
      else
        b_.CreateRet(result);
    }
  }

  /// <prefix>_run: pointers one by one, checked, then handed on as arrays.
  void build_typed_run(llvm::Function* arrays) {
    const size_t inputs = program_.inputs.size(), outputs = program_.outputs.size();
    const bool has_state = program_.state_bytes > 0;
    const std::vector<llvm::Type*> types(inputs + outputs + (has_state ? 2 : 1), ptr_);
    auto* run = llvm::Function::Create(llvm::FunctionType::get(i32_, types, false), llvm::GlobalValue::ExternalLinkage,
                                       options_.prefix + "_run", *module_);
    auto* entry = llvm::BasicBlock::Create(context_, "entry", run);
    auto* bad = llvm::BasicBlock::Create(context_, "bad", run);
    auto* good = llvm::BasicBlock::Create(context_, "good", run);
    b_.SetInsertPoint(entry);
    llvm::Value* arena = run->getArg(static_cast<unsigned>(types.size() - 1));
    const bool needs_arena = arena_bytes(program_, kernels_) > 0;
    llvm::Value* wrong = b_.getFalse();
    for (size_t i = 0; i < types.size() - (needs_arena ? 0 : 1); i++) {
      wrong = b_.CreateOr(wrong, b_.CreateIsNull(run->getArg(static_cast<unsigned>(i))));
    }
    if (needs_arena) {
      const auto mask = static_cast<uint64_t>(program_.arena_alignment - 1);
      llvm::Value* low = b_.CreateAnd(b_.CreatePtrToInt(arena, i64_), llvm::ConstantInt::get(i64_, mask));
      wrong = b_.CreateOr(wrong, b_.CreateICmpNE(low, llvm::ConstantInt::get(i64_, 0)));
    }
    const auto pack = [&](size_t first, size_t count) {
      llvm::Value* array = b_.CreateAlloca(ptr_, llvm::ConstantInt::get(i32_, std::max<size_t>(count, 1)));
      for (size_t i = 0; i < count; i++) {
        b_.CreateStore(run->getArg(static_cast<unsigned>(first + i)),
                       b_.CreateConstInBoundsGEP1_32(ptr_, array, static_cast<unsigned>(i)));
      }
      return array;
    };
    llvm::Value* in = pack(0, inputs);
    llvm::Value* out = pack(inputs, outputs);
    b_.CreateCondBr(wrong, bad, good);
    b_.SetInsertPoint(bad);
    b_.CreateRet(llvm::ConstantInt::get(i32_, 1));
    b_.SetInsertPoint(good);
    llvm::Value* null = llvm::ConstantPointerNull::get(ptr_);
    llvm::Value* state =
        has_state ? static_cast<llvm::Value*>(run->getArg(static_cast<unsigned>(inputs + outputs))) : null;
    b_.CreateRet(b_.CreateCall(arrays, {in, out, arena, state, null}));
  }

  void build_reset() {
    auto* reset = llvm::Function::Create(llvm::FunctionType::get(void_, {ptr_}, false),
                                         llvm::GlobalValue::ExternalLinkage, options_.prefix + "_reset", *module_);
    b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", reset));
    for (const ProgramState& s : program_.states) {
      const llvm::StringRef bytes(reinterpret_cast<const char*>(s.initial.data()), s.initial.size());
      llvm::Constant* data = llvm::ConstantDataArray::getString(context_, bytes, false);
      auto* initial =
          new llvm::GlobalVariable(*module_, data->getType(), true, llvm::GlobalValue::PrivateLinkage, data, s.name);
      b_.CreateMemCpy(at(reset->getArg(0), s.offset), llvm::MaybeAlign(1), initial, llvm::MaybeAlign(1),
                      s.initial.size());
    }
    b_.CreateRetVoid();
  }

  const Program& program_;
  const std::vector<NativeKernel>& kernels_;
  const DriverOptions& options_;
  llvm::LLVMContext& context_;
  std::unique_ptr<llvm::Module> module_;
  llvm::IRBuilder<> b_;
  llvm::PointerType* ptr_;
  llvm::Type *i32_, *i64_, *void_;
  std::vector<llvm::Constant*> constants_;
  std::vector<llvm::FunctionCallee> kernel_functions_;
};

void initialize_llvm() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
  });
}

}  // namespace

int64_t arena_bytes(const Program& program, const std::vector<NativeKernel>& kernels, int32_t workers) {
  if (has_device(*program.target)) return kDeviceArenaBytes;
  return program.arena_bytes + scratch_stride(program, kernels) * workers;
}

Result<std::vector<uint8_t>> compile_driver(const Program& program, const std::vector<NativeKernel>& kernels,
                                            const DriverOptions& options, ObjectCache* cache) {
  initialize_llvm();
  const std::string triple = options.triple.empty() ? llvm::sys::getProcessTriple() : options.triple;
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (target == nullptr) return Status::internal("LLVM has no target " + triple + ": " + error);
  const std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, "", "", llvm::TargetOptions(), llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default));

  llvm::LLVMContext context;
  const std::unique_ptr<llvm::Module> module = DriverModule(context, program, kernels, options).build();
  module->setTargetTriple(triple);
  module->setDataLayout(machine->createDataLayout());
  module->setPICLevel(llvm::PICLevel::BigPIC);
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  if (llvm::verifyModule(*module, &stream)) return Status::internal("the driver is not valid LLVM IR: " + problems);

  std::string hash;
  if (cache != nullptr) {
    llvm::SmallVector<char, 0> bitcode;
    llvm::raw_svector_ostream stream_of_bitcode(bitcode);
    llvm::WriteBitcodeToFile(*module, stream_of_bitcode);
    hash = ObjectCache::hash("driver of LLVM " LLVM_VERSION_STRING "\n" + std::string(bitcode.data(), bitcode.size()));
    if (auto object = cache->load(hash)) return std::move(*object);
  }
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out(bytes);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, out, nullptr, llvm::CodeGenFileType::ObjectFile)) {
    return Status::internal("LLVM cannot write object files for " + triple);
  }
  passes.run(*module);
  std::vector<uint8_t> object(bytes.begin(), bytes.end());
  if (cache != nullptr) cache->store(hash, object);
  return object;
}

}  // namespace qlathe
