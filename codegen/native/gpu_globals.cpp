#include "codegen/native/gpu_globals.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/DerivedTypes.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/Module.h>

#include <vector>

namespace qlathe {
namespace {

/// Fields in the order of the C structs: a struct of LLVM has C's layout.
class Globals {
 public:
  explicit Globals(llvm::Module& module) : module_(module), context_(module.getContext()) {}

  llvm::Constant* program(const qlathe_gpu_program& p) {
    return global(fields({text(p.api), number(p.kernel_count), number(p.call_count), number(p.constant_count),
                          number(p.input_count), number(p.output_count), number(p.state_count),
                          array(p.kernels, p.kernel_count, [&](const auto& x) { return kernel(x); }),
                          array(p.calls, p.call_count, [&](const auto& x) { return call(x); }),
                          array(p.constants, p.constant_count, [&](const auto& x) { return bytes(x); }),
                          array(p.input_bytes, p.input_count, [&](int64_t x) { return number(x); }),
                          array(p.output_bytes, p.output_count, [&](int64_t x) { return number(x); }),
                          array(p.states, p.state_count, [&](const auto& x) { return bytes(x); }),
                          number(p.arena_bytes), number(p.state_bytes)}));
  }

 private:
  llvm::Constant* number(int32_t x) { return llvm::ConstantInt::getSigned(llvm::Type::getInt32Ty(context_), x); }
  llvm::Constant* number(int64_t x) { return llvm::ConstantInt::getSigned(llvm::Type::getInt64Ty(context_), x); }
  llvm::Constant* fields(const std::vector<llvm::Constant*>& values) {
    return llvm::ConstantStruct::getAnon(context_, values);
  }
  llvm::Constant* global(llvm::Constant* value) {
    auto* out = new llvm::GlobalVariable(module_, value->getType(), true, llvm::GlobalValue::PrivateLinkage, value,
                                         "device_table");
    out->setAlignment(llvm::Align(8));
    return out;
  }
  llvm::Constant* data(const void* from, size_t size, bool ends_with_zero) {
    const llvm::StringRef view(static_cast<const char*>(from), size);
    return global(llvm::ConstantDataArray::getString(context_, view, ends_with_zero));
  }
  llvm::Constant* text(const char* from) { return data(from, llvm::StringRef(from).size(), true); }

  template <class T, class Make>
  llvm::Constant* array(const T* from, int32_t count, const Make& make) {
    if (count == 0) return llvm::ConstantPointerNull::get(llvm::PointerType::getUnqual(context_));
    std::vector<llvm::Constant*> values;
    for (int32_t i = 0; i < count; i++)
      values.push_back(make(from[i]));
    return global(llvm::ConstantArray::get(llvm::ArrayType::get(values[0]->getType(), values.size()), values));
  }

  llvm::Constant* launch(const qlathe_gpu_launch& x) {
    return fields({text(x.entry), number(x.blocks), number(x.threads), number(x.argument_count),
                   array(x.arguments, x.argument_count, [&](int32_t a) { return number(a); })});
  }
  llvm::Constant* kernel(const qlathe_gpu_kernel& x) {
    return fields({text(x.name), text(x.source), number(x.pointer_count),
                   array(x.element_bytes, x.pointer_count, [&](int32_t e) { return number(e); }),
                   number(x.launch_count),
                   array(x.launches, x.launch_count, [&](const auto& l) { return launch(l); })});
  }
  llvm::Constant* buffer(const qlathe_gpu_buffer& x) {
    return fields({number(x.space), number(x.index), number(x.offset), number(x.bytes)});
  }
  llvm::Constant* call(const qlathe_gpu_call& x) {
    return fields({number(x.kernel), number(x.buffer_count),
                   array(x.buffers, x.buffer_count, [&](const auto& b) { return buffer(b); })});
  }
  llvm::Constant* bytes(const qlathe_gpu_bytes& x) {
    llvm::Constant* content = x.bytes == 0 ? llvm::ConstantPointerNull::get(llvm::PointerType::getUnqual(context_))
                                           : data(x.data, static_cast<size_t>(x.bytes), false);
    return fields({content, number(x.bytes), number(x.offset)});
  }

  llvm::Module& module_;
  llvm::LLVMContext& context_;
};

}  // namespace

llvm::Constant* add_gpu_program(llvm::Module& module, const qlathe_gpu_program& program) {
  return Globals(module).program(program);
}

}  // namespace qlathe
