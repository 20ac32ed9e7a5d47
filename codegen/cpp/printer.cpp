#include "codegen/cpp/printer.h"

#include <algorithm>
#include <map>

#include "codegen/cpp/expressions.h"
#include "codegen/cpp/types.h"
#include "codegen/cpp/wrap.h"
#include "codegen/halide/lowered.h"
#include "codegen/halide/register_arrays.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::Type;

namespace {

// The element type of what a pointer points at, from its first use; whether the buffer is read.
class Uses : public IRVisitor {
 public:
  explicit Uses(const std::string& name) : name_(name) {}
  Type type;
  bool loaded = false, used = false;

 private:
  using IRVisitor::visit;
  const std::string& name_;

  void visit(const Load* op) override {
    if (op->name == name_) {
      type = op->type.element_of();
      loaded = used = true;
    }
    IRVisitor::visit(op);
  }
  void visit(const Store* op) override {
    if (op->name == name_) {
      if (!used) type = op->value.type().element_of();
      used = true;
    }
    IRVisitor::visit(op);
  }
  void visit(const Variable* op) override { used = used || op->name == name_; }
};

Uses uses_of(const std::string& name, const Stmt& body) {
  Uses uses(name);
  body.accept(&uses);
  return uses;
}

class KernelPrinter {
 public:
  KernelPrinter(const LoweredKernel& kernel, const PrintOptions& options)
      : kernel_(kernel.impl()), options_(options), expressions_(names_, options.scalar_only) {}

  std::string print() {
    std::string parameters;
    std::vector<std::string> unused;
    for (const KernelParameter& p : kernel_.parameters) {
      std::string name = names_.declare(p.name);
      parameters += (parameters.empty() ? "" : ", ") + parameter_type(p) + name;
      Uses uses = uses_of(p.name, kernel_.body);
      if (!uses.used) unused.push_back(name);
      if (p.role == ParameterRole::kInput || p.role == ParameterRole::kOutput) {
        BufferInfo info;
        info.type = uses.type;
        info.bytes = p.bytes;
        info.loaded = uses.loaded;
        names_.buffers[p.name] = info;
      }
    }
    line("QL_KERNEL void " + kernel_.name + "(" + parameters + ") {");
    ++depth_;
    names_.open_block();
    for (const std::string& name : unused)
      line("static_cast<void>(" + name + ");");
    statement(kernel_.body);
    names_.close_block();
    --depth_;
    line("}");
    return std::move(text_);
  }

 private:
  const LoweredKernel::Impl& kernel_;
  const PrintOptions& options_;
  Names names_;
  Expressions expressions_;
  std::string text_;
  int depth_ = 0;

  std::string parameter_type(const KernelParameter& p) {
    std::string restrict = kernel_.in_place ? "* " : "* QL_RESTRICT ";
    const std::string& element = p.type;
    switch (p.role) {
      case ParameterRole::kInput:
        return "const " + element + restrict;
      case ParameterRole::kOutput:
        return element + restrict;
      case ParameterRole::kScratch:
        return "u8* QL_RESTRICT ";
      default:
        return "int ";
    }
  }

  void line(const std::string& text) {
    std::string indent;
    for (int i = 0; i < depth_; ++i)
      indent += options_.indent;
    text_ += wrap_code(text, indent);
  }

  // A line whose expressions may have left declarations to print before it.
  void line_after_declarations(const std::string& text) {
    for (const std::string& declaration : expressions_.take_declarations())
      line(declaration);
    line(text);
  }

  void block(const Stmt& body) {
    ++depth_;
    names_.open_block();
    statement(body);
    names_.close_block();
    --depth_;
  }

  void loop(const For* op) {
    std::string min = expressions_.value(simplify(op->min));
    std::string end = expressions_.value(simplify(op->min + op->extent));
    for (const std::string& declaration : expressions_.take_declarations())
      line(declaration);
    if (op->for_type == ForType::Unrolled) line("QL_UNROLL");
    names_.open_block();
    std::string name = names_.declare(op->name);
    Names::Loop info;
    info.depth = static_cast<int>(names_.loops.size());
    auto min_value = as_const_int(op->min), extent = as_const_int(op->extent);
    if (min_value) info.min = *min_value;
    if (min_value && extent) info.max = *min_value + *extent - 1;
    if (op->min.as<Variable>() != nullptr && op->min.as<Variable>()->name == "row_begin") {
      info.min = 0;
      info.max = kernel_.row_extent - 1;
    }
    auto shadowed = names_.loops.find(op->name);
    QL_CHECK(shadowed == names_.loops.end(), "loop variable bound twice: " + op->name);
    names_.loops[op->name] = info;
    line("for (int " + name + " = " + min + "; " + name + " < " + end + "; " + name + "++) {");
    block(op->body);
    line("}");
    names_.loops.erase(op->name);
    names_.undeclare(op->name);
    names_.close_block();
  }

  // "i32x16 acc[4][4];" for a register array of vectors, "alignas(64) u8 rows[640];" for any other.
  void allocation(const Allocate* op) {
    BufferInfo info;
    info.type = op->type;
    info.loaded = true;
    std::string name = names_.declare(op->name);
    auto array = find_register_array(op);
    int64_t elements = op->extents.empty() ? 1 : Allocate::constant_allocation_size(op->extents, op->name);
    if (array && (array->uniform || is_read_by_lane(op, *array))) {
      info.lanes = array->lanes;
      split_dimensions(op, *array, &info);
      std::string declaration = cpp_storage_or_vector(op->type.with_lanes(array->lanes)) + " " + name;
      for (int extent : info.extents)
        declaration += "[" + std::to_string(extent) + "]";
      line(declaration + ";");
    } else {
      std::string type = cpp_storage_type(op->type);
      line("alignas(64) " + type + " " + name + "[" + std::to_string(elements + op->padding) + "];");
    }
    names_.buffers[op->name] = info;
    statement(op->body);
    names_.buffers.erase(op->name);
    names_.undeclare(op->name);
  }

  static std::string cpp_storage_or_vector(const Type& t) {
    return t.is_scalar() ? cpp_storage_type(t) : t.is_bool() ? throw CannotPrint("an array of masks") : cpp_type(t);
  }

  // Whether all that is not a whole vector is 4 bytes for all lanes of a dot product.
  static bool is_read_by_lane(const Allocate* op, const RegisterArray& array) {
    class Narrow : public IRVisitor {
     public:
      Narrow(const std::string& name, int lanes, std::set<const Load*> by_lane)
          : name_(name), lanes_(lanes), by_lane_(std::move(by_lane)) {}
      bool other = false;

     private:
      using IRVisitor::visit;
      const std::string& name_;
      int lanes_;
      std::set<const Load*> by_lane_;
      void visit(const Load* load) override {
        if (load->name == name_ && load->type.lanes() != lanes_ && by_lane_.count(load) == 0) other = true;
        IRVisitor::visit(load);
      }
      void visit(const Store* store) override {
        if (store->name == name_ && store->value.type().lanes() != lanes_) other = true;
        IRVisitor::visit(store);
      }
    };
    if (op->type.bits() != 8 || array.lanes % 4 != 0) return false;
    Narrow narrow(op->name, array.lanes, loads_by_lane(op->name, op->body));
    op->body.accept(&narrow);
    return !narrow.other;
  }

  // The allocation's own dimensions where every access follows them, else one flat dimension.
  void split_dimensions(const Allocate* op, const RegisterArray& array, BufferInfo* info) {
    std::vector<int> extents;
    std::vector<int64_t> strides;
    int64_t stride = 1;
    for (const Expr& e : op->extents) {
      int64_t extent = *as_const_int(e);
      int64_t vectors = stride % array.lanes == 0              ? extent
                        : (stride * extent) % array.lanes == 0 ? stride * extent / array.lanes
                                                               : 0;
      int64_t vector_stride = std::max<int64_t>(1, stride / array.lanes);
      stride *= extent;
      if (stride < array.lanes) continue;  // dimensions inside one vector
      if (vectors == 0) break;
      if (vectors > 1) {
        extents.insert(extents.begin(), static_cast<int>(vectors));
        strides.insert(strides.begin(), vector_stride);
      }
    }
    info->extents = extents;
    info->strides = strides;
    int64_t product = 1;
    for (int extent : extents)
      product *= extent;
    if (extents.empty() || product != array.vectors || !accesses_follow(op, *info)) {
      info->extents = {array.vectors};
      info->strides = {1};
    }
  }

  bool accesses_follow(const Allocate* op, const BufferInfo& info);

  void pointer(const LetStmt* op) {
    // A slice of the scratch memory: scratch, or scratch plus a constant.
    int64_t offset = 0;
    if (op->value.as<Variable>() == nullptr) {
      const Reinterpret* outer = op->value.as<Reinterpret>();
      const Add* add = outer != nullptr ? outer->value.as<Add>() : nullptr;
      auto constant = add != nullptr ? as_const_uint(add->b) : std::nullopt;
      if (!constant) throw CannotPrint("a pointer other than a slice of the scratch memory");
      offset = static_cast<int64_t>(*constant);
    }
    BufferInfo info;
    info.type = uses_of(op->name, op->body).type;
    info.loaded = true;
    std::string type = cpp_storage_type(info.type), name = names_.declare(op->name);
    std::string place = offset == 0 ? "scratch" : "scratch + " + std::to_string(offset);
    line(type + "* const " + name + " = " + (type == "u8" ? place : "reinterpret_cast<" + type + "*>(" + place + ")") +
         ";");
    names_.buffers[op->name] = info;
    statement(op->body);
    names_.buffers.erase(op->name);
    names_.undeclare(op->name);
  }

  void statement(const Stmt& s) {
    if (!s.defined()) return;
    switch (s.node_type()) {
      case IRNodeType::Block:
        statement(s.as<Block>()->first);
        statement(s.as<Block>()->rest);
        return;
      case IRNodeType::For:
        return loop(s.as<For>());
      case IRNodeType::Allocate:
        return allocation(s.as<Allocate>());
      case IRNodeType::Free:
        return;
      case IRNodeType::Store:
        return line_after_declarations(expressions_.store(s.as<Store>()));
      case IRNodeType::LetStmt: {
        const LetStmt* op = s.as<LetStmt>();
        if (op->value.type().is_handle()) return pointer(op);
        std::string value = expressions_.value(op->value);
        for (const std::string& declaration : expressions_.take_declarations())
          line(declaration);
        std::string name = names_.declare(op->name);
        line("const " +
             (options_.scalar_only && op->value.type().is_vector() ? throw CannotPrint("a vector")
                                                                   : cpp_type(op->value.type())) +
             " " + name + " = " + value + ";");
        statement(op->body);
        names_.undeclare(op->name);
        return;
      }
      case IRNodeType::IfThenElse: {
        const IfThenElse* op = s.as<IfThenElse>();
        line_after_declarations("if (" + expressions_.value(op->condition) + ") {");
        block(op->then_case);
        if (op->else_case.defined()) {
          line("} else {");
          block(op->else_case);
        }
        line("}");
        return;
      }
      case IRNodeType::Evaluate:
        if (is_const(s.as<Evaluate>()->value)) return;
        throw CannotPrint("an evaluated expression");
      default:
        throw CannotPrint("a statement of kind " + std::to_string(static_cast<int>(s.node_type())));
    }
  }
};

// Visits the accesses of an array with the loops around them in scope.
class FollowsDimensions : public IRVisitor {
 public:
  FollowsDimensions(const std::string& name, const BufferInfo& info, const Names& names)
      : name_(name), info_(info), names_(names) {}
  bool follows = true;

 private:
  using IRVisitor::visit;
  const std::string& name_;
  const BufferInfo& info_;
  Names names_;

  void check(const Expr& index) {
    const Ramp* ramp = index.as<Ramp>();
    follows = follows && Expressions(names_, false)
                             .follows_dimensions(info_, ramp != nullptr ? ramp->base : index, index.type().lanes());
  }
  void visit(const Load* op) override {
    if (op->name == name_) check(op->index);
    IRVisitor::visit(op);
  }
  void visit(const Store* op) override {
    if (op->name == name_) check(op->index);
    IRVisitor::visit(op);
  }
  void visit(const For* op) override {
    auto min = as_const_int(op->min), extent = as_const_int(op->extent);
    Names::Loop loop;
    if (min && extent) {
      loop.min = *min;
      loop.max = *min + *extent - 1;
    }
    names_.loops[op->name] = loop;
    names_.declare(op->name);
    IRVisitor::visit(op);
    names_.undeclare(op->name);
    names_.loops.erase(op->name);
  }
};

bool KernelPrinter::accesses_follow(const Allocate* op, const BufferInfo& info) {
  FollowsDimensions check(op->name, info, names_);
  op->body.accept(&check);
  return check.follows;
}

}  // namespace

Result<std::string> print_kernel(const LoweredKernel& kernel, const PrintOptions& options) {
  try {
    return KernelPrinter(kernel, options).print();
  } catch (const CannotPrint& error) {
    return Status::internal("the C++ printer met " + std::string(error.what()) + " in kernel '" + kernel.name() + "'");
  } catch (const Halide::Error& error) {
    return Status::internal("printing kernel '" + kernel.name() + "': " + error.what());
  }
}

}  // namespace qlathe
