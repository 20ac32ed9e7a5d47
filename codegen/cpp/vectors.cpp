#include <algorithm>

#include "codegen/cpp/expressions.h"
#include "codegen/cpp/types.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::Type;

const VectorReduce* as_sum_reduce(const Expr& e) {
  const VectorReduce* r = e.as<VectorReduce>();
  return r != nullptr && r->op == VectorReduce::Add ? r : nullptr;
}

namespace {

Type carrier(const Type& t) { return t.is_float() && t.bits() == 16 ? Type(Type::UInt, 16, t.lanes()) : t; }

int bytes_of(const Expr& e) { return e.type().bytes() * e.type().lanes(); }

// The vector that a shuffle repeats, by its own flag or by a plain list of lanes; undefined for any other shuffle.
Expr repeated_vector(const Shuffle* op) {
  if (op->vectors.size() != 1) return Expr();
  int lanes = op->vectors[0].type().lanes(), n = static_cast<int>(op->indices.size());
  if (lanes < 2 || n <= lanes || n % lanes != 0) return Expr();
  for (int i = 0; i < n; ++i) {
    if (op->indices[i] != i % lanes) return Expr();
  }
  return op->vectors[0];
}

}  // namespace

const Load* repeated_load(const Expr& operand) {
  const Shuffle* shuffle = operand.as<Shuffle>();
  const Expr repeated = shuffle != nullptr ? repeated_vector(shuffle) : Expr();
  const Load* load = repeated.defined() ? repeated.as<Load>() : nullptr;
  if (load == nullptr || load->type.bytes() * load->type.lanes() != 4 || !is_const_one(load->predicate)) return nullptr;
  const Ramp* ramp = load->index.as<Ramp>();
  return ramp != nullptr && is_const_one(ramp->stride) ? load : nullptr;
}

Text Expressions::broadcast(const Broadcast* op) {
  Type t = op->type, inner = op->value.type();
  if (inner.is_vector()) {
    std::vector<int> lanes;
    for (int i = 0; i < t.lanes(); ++i)
      lanes.push_back(i % inner.lanes());
    return print(Shuffle::make({op->value}, lanes));
  }
  if (inner.is_bool()) {
    // As a comparison, which has the target's type of mask.
    Type i32 = Halide::Int(32, t.lanes());
    Expr number = Select::make(op->value, make_one(Halide::Int(32)), make_zero(Halide::Int(32)));
    return print(EQ::make(Broadcast::make(number, t.lanes()), make_one(i32)));
  }
  std::string text = value(op->value);
  // The parameter of splat has the type already.
  for (const char* prefix : {"i8(", "u8(", "i16(", "u16("}) {
    if (is_const(op->value) && text.starts_with(prefix))
      text = text.substr(std::string(prefix).size(), text.find(')') - std::string(prefix).size());
  }
  return {"splat<" + type(t) + ">(" + text + ")"};
}

// Lanes of a load that is no vector type of ours (96 bytes for every third one): only those elements are read.
std::optional<Text> Expressions::elements_of_load(const Shuffle* op) {
  const Load* source = op->vectors.size() == 1 ? op->vectors[0].as<Load>() : nullptr;
  if (source == nullptr) return std::nullopt;
  int lanes = source->type.lanes();
  if ((lanes & (lanes - 1)) == 0) return std::nullopt;
  const Ramp* ramp = source->index.as<Ramp>();
  if (ramp == nullptr || !is_const_one(ramp->stride) || !is_const_one(source->predicate)) return std::nullopt;
  bool even_steps = op->indices.size() > 1;
  int step = even_steps ? op->indices[1] - op->indices[0] : 0;
  std::string list;
  for (size_t i = 0; i < op->indices.size(); ++i) {
    list += ", " + std::to_string(op->indices[i]);
    even_steps = even_steps && (i == 0 || op->indices[i] - op->indices[i - 1] == step);
  }
  if (even_steps) {
    return Text{"load_strided<" + type(op->type) + ">(" + address(source->name, ramp->base + op->indices[0]) + ", " +
                std::to_string(step) + ")"};
  }
  return Text{"load_lanes<" + type(op->type) + list + ">(" + address(source->name, ramp->base) + ")"};
}

Text Expressions::shuffle(const Shuffle* op) {
  Type t = op->type;
  if (op->is_extract_element()) {
    int lane = op->indices[0];
    for (const Expr& v : op->vectors) {
      if (lane < v.type().lanes()) {
        if (v.type().is_scalar()) return print(v);
        return {"extract(" + value(v) + ", " + std::to_string(lane) + ")"};
      }
      lane -= v.type().lanes();
    }
  }
  if (t.is_bool()) throw CannotPrint("a shuffle of bool");
  if (Expr repeated = repeated_vector(op); repeated.defined() && (bytes_of(repeated) == 4 || bytes_of(repeated) == 2)) {
    const bool four = bytes_of(repeated) == 4;
    const Load* source = repeated.as<Load>();
    const Ramp* ramp = source != nullptr ? source->index.as<Ramp>() : nullptr;
    if (ramp != nullptr && is_const_one(ramp->stride) && is_const_one(source->predicate) &&
        names_.buffers.at(source->name).lanes == 0) {
      return {(four ? "splat4<" : "splat2<") + type(t) + ">(" + address(source->name, ramp->base) + ")"};
    }
    std::string words = type(Halide::Int(four ? 32 : 16, t.lanes() * t.bytes() / (four ? 4 : 2)));
    return {"bits_as<" + type(t) + ">(splat<" + words + ">(bits_as<" + (four ? "i32" : "i16") + ">(" + value(repeated) +
            ")))"};
  }
  if (auto elements = elements_of_load(op)) return *elements;
  std::vector<Expr> vectors = op->vectors;
  std::vector<int> indices = op->indices;
  if (op->is_concat() && vectors.size() == 2 && vectors[0].type().is_vector()) return {call("concat", vectors)};
  if (op->is_interleave() && vectors.size() == 2 && vectors[0].type().is_vector()) {
    type(t);
    return {call("interleave", vectors)};
  }
  // All vectors joined into at most two: concatenations in pairs.
  for (const Expr& v : vectors) {
    if (v.type() != vectors[0].type()) throw CannotPrint("a shuffle of vectors of different lanes");
  }
  if (vectors[0].type().is_scalar())
    throw CannotPrint("a vector made of " + std::to_string(vectors.size()) + " scalars");
  while (vectors.size() > 2) {
    if (vectors.size() % 2 != 0) vectors.push_back(vectors.back());
    std::vector<Expr> pairs;
    for (size_t i = 0; i < vectors.size(); i += 2)
      pairs.push_back(Shuffle::make_concat({vectors[i], vectors[i + 1]}));
    vectors = pairs;
  }
  std::string list;
  bool identity = true;
  for (size_t i = 0; i < indices.size(); ++i) {
    list += ", " + std::to_string(indices[i]);
    identity = identity && indices[i] == static_cast<int>(i);
  }
  if (identity && vectors.size() == 2) return {call("concat", vectors)};
  if (vectors.size() == 1) {
    const Expr& v = vectors[0];
    // The vector is named once.
    if (v.as<Variable>() == nullptr) {
      std::string name = names_.fresh("v");
      declarations_.push_back("const " + type(v.type()) + " " + name + " = " + value(v) + ";");
      return {"shuffle<" + type(t) + list + ">(" + name + ", " + name + ")"};
    }
    vectors.push_back(v);
  }
  return {"shuffle<" + type(t) + list + ">(" + value(vectors[0]) + ", " + value(vectors[1]) + ")"};
}

namespace {

struct Product {
  Expr a, b;
};

// The two factors of a product whose operands have `bits` bits before they are widened to 32.
std::optional<Product> product_of(Expr e, int bits) {
  while (const Cast* c = e.as<Cast>()) {
    if (!c->value.type().is_int_or_uint() || !c->type.can_represent(c->value.type())) break;
    if (c->value.type().bits() <= bits) return std::nullopt;
    e = c->value;
  }
  if (const Call* call = Call::as_intrinsic(e, {Call::widening_mul})) {
    Product p{call->args[0], call->args[1]};
    if (p.a.type().bits() == bits && p.b.type().bits() == bits) return p;
    return std::nullopt;
  }
  const Mul* mul = e.as<Mul>();
  if (mul == nullptr || mul->type.bits() != 32) return std::nullopt;
  auto narrow = [&](Expr x) -> Expr {
    while (const Cast* c = x.as<Cast>()) {
      if (!c->value.type().is_int_or_uint() || c->value.type().is_bool()) return Expr();
      x = c->value;
      if (x.type().bits() == bits) return x;
    }
    return Expr();
  };
  Product p{narrow(mul->a), narrow(mul->b)};
  if (!p.a.defined() || !p.b.defined()) return std::nullopt;
  return p;
}

}  // namespace

std::set<const Load*> loads_by_lane(const std::string& array, const Stmt& body) {
  class Find : public IRVisitor {
   public:
    explicit Find(const std::string& array) : array_(array) {}
    std::set<const Load*> loads;

   private:
    using IRVisitor::visit;
    const std::string& array_;
    void visit(const VectorReduce* op) override {
      IRVisitor::visit(op);
      const bool sum = op->op == VectorReduce::Add && op->type.element_of() == Halide::Int(32);
      if (!sum || op->value.type().lanes() != 4 * op->type.lanes()) return;
      const auto product = product_of(op->value, 8);
      if (!product) return;
      for (const Expr& operand : {product->a, product->b}) {
        const Load* load = repeated_load(operand);
        if (load != nullptr && load->name == array_) loads.insert(load);
      }
    }
  };
  Find find(array);
  body.accept(&find);
  return find.loads;
}

Text Expressions::dot(const VectorReduce* op, const Expr& initial, bool* matched) {
  *matched = false;
  Type t = op->type;
  if (t.element_of() != Halide::Int(32)) return {};
  int factor = op->value.type().lanes() / t.lanes();
  for (auto [name, width, bits] : {std::tuple("dot4", 4, 8), std::tuple("dot2", 2, 8), std::tuple("dot2", 2, 16)}) {
    if (factor % width != 0 || (width == 2 && bits == 8 && factor != 2)) continue;
    auto product = product_of(op->value, bits);
    if (!product) continue;
    Type a = product->a.type(), b = product->b.type();
    if (bits == 16 && (a.is_uint() || b.is_uint())) continue;
    if (a.is_int() && b.is_uint()) std::swap(product->a, product->b);  // unsigned first
    *matched = true;
    Type accumulator = t.with_lanes(op->value.type().lanes() / width);
    bool direct = factor == width;
    std::string start = direct && initial.defined() ? value(initial)
                        : accumulator.is_scalar()   ? "0"
                                                    : "splat<" + type(accumulator) + ">(0)";
    if (accumulator.is_scalar() && start == "0") start = "i32(0)";
    if (direct && width == 4) {
      // 4 bytes of a vector in a register for all lanes.
      for (const auto& [all, lane] : {std::pair(product->a, product->b), std::pair(product->b, product->a)}) {
        const Load* load = repeated_load(lane);
        if (load == nullptr || names_.buffers.at(load->name).lanes <= 4) continue;
        const BufferInfo& info = names_.buffers.at(load->name);
        const auto place = vector_lane(names_.cpp(load->name), info, load->index.as<Ramp>()->base);
        if (!place) throw CannotPrint("an access of '" + load->name + "' across its vectors");
        return {"dot4_lane(" + start + ", " + value(all) + ", " + place->vector + ", " + place->lane + ")"};
      }
    }
    std::string text = std::string(name) + "(" + start + ", " + value(product->a) + ", " + value(product->b) + ")";
    if (direct) return {text};
    text = "reduce_add<" + type(t) + ">(" + text + ")";
    if (!initial.defined()) return {text};
    return {print(initial).at(Text::kSum) + " + " + text, Text::kSum};
  }
  return {};
}

Text Expressions::vector_reduce(const VectorReduce* op, const Expr& initial) {
  Type t = op->type;
  if (t.is_bool()) throw CannotPrint("a reduction of bool");
  if (op->op == VectorReduce::Add) {
    bool matched = false;
    Text text = dot(op, initial, &matched);
    if (matched) return text;
  }
  if (t.is_float() && (op->op == VectorReduce::Add || op->op == VectorReduce::Mul)) {
    throw CannotPrint("a sum of float lanes without a stated order");
  }
  const char* name = op->op == VectorReduce::Add   ? "reduce_add"
                     : op->op == VectorReduce::Mul ? "reduce_mul"
                     : op->op == VectorReduce::Min ? "reduce_min"
                     : op->op == VectorReduce::Max ? "reduce_max"
                                                   : nullptr;
  if (name == nullptr) throw CannotPrint("a reduction of vectors of kind " + std::to_string(op->op));
  std::string text = std::string(name) + "<" + type(t) + ">(" + value(op->value) + ")";
  if (!initial.defined()) return {text};
  if (t.bits() < 32) return {"wrap_add(" + value(initial) + ", " + text + ")"};
  return {print(initial).at(Text::kSum) + " + " + text, Text::kSum};
}

// Without casts to wider types.
Expr without_widening(Expr e) {
  const Cast* c = e.as<Cast>();
  while (c != nullptr && c->type.is_int_or_uint() && !c->value.type().is_bool() &&
         c->type.can_represent(c->value.type())) {
    e = c->value;
    c = e.as<Cast>();
  }
  return e;
}

// The ramp in a comparison's side, which lowering may have narrowed to bytes where its values fit.
const Ramp* ramp_of(const Expr& e) {
  if (const Ramp* ramp = e.as<Ramp>()) return ramp;
  const Cast* c = e.as<Cast>();
  const Ramp* ramp = c != nullptr ? c->value.as<Ramp>() : nullptr;
  if (ramp == nullptr || !as_const_int(ramp->base) || !is_const_one(ramp->stride)) return nullptr;
  int64_t first = *as_const_int(ramp->base), last = first + ramp->lanes - 1;
  return c->type.can_represent(first) && c->type.can_represent(last) ? ramp : nullptr;
}

std::optional<std::string> Expressions::leading_lanes(const Expr& predicate) {
  Expr e = simplify(lower_intrinsics(predicate));
  const LE* le = e.as<LE>();
  const LT* lt = e.as<LT>();
  if (le == nullptr && lt == nullptr) return std::nullopt;
  const Ramp* ramp = ramp_of(le != nullptr ? le->a : lt->a);
  const Broadcast* limit = (le != nullptr ? le->b : lt->b).as<Broadcast>();
  if (ramp == nullptr || limit == nullptr || !is_const_one(ramp->stride)) return std::nullopt;
  Expr count = simplify(Halide::cast<int32_t>(limit->value) - ramp->base + (le != nullptr ? 1 : 0));
  return is_affine(count) ? affine(count, 1) : value(count);
}

std::string Expressions::gather_index(const BufferInfo& info, const Expr& index, bool* is_table) {
  // A table of 256 bytes by an unsigned byte, or by a signed one plus 128.
  *is_table = false;
  if (info.bytes == 256 && info.type.bits() == 8) {
    Expr narrow = without_widening(index);
    if (narrow.type().is_uint() && narrow.type().bits() == 8) {
      *is_table = true;
      return value(narrow);
    }
    Expr sum = lower_intrinsics(index);
    if (const Add* add = sum.as<Add>()) {
      bool constant_first = is_const(add->a, 128);
      narrow = without_widening(constant_first ? add->b : add->a);
      if (narrow.type().is_int() && narrow.type().bits() == 8 && is_const(constant_first ? add->a : add->b, 128)) {
        *is_table = true;
        std::string bytes = type(narrow.type().with_code(Type::UInt));
        return "bits_as<" + bytes + ">(" + value(narrow) + ") ^ splat<" + bytes + ">(128)";
      }
    }
  }
  return value(index);
}

Text Expressions::load(const Load* op) {
  const BufferInfo& info = names_.buffers.at(op->name);
  if (carrier(op->type.element_of()) != carrier(info.type)) {
    throw CannotPrint("a load from '" + op->name + "' as another type");
  }
  Type t = op->type;
  if (t.is_bool()) {
    Expr bytes = Load::make(Halide::UInt(8, t.lanes()), op->name, op->index, op->image, op->param,
                            const_true(t.lanes()), op->alignment);
    if (!is_const_one(op->predicate)) throw CannotPrint("a predicated load of bool");
    BufferInfo& own = names_.buffers.at(op->name);
    Type stored = own.type;
    own.type = Halide::UInt(8);
    Text text = print(NE::make(bytes, make_zero(bytes.type())));
    own.type = stored;
    return text;
  }
  const Ramp* ramp = op->index.as<Ramp>();
  bool dense = ramp != nullptr && is_const_one(ramp->stride);
  if (!is_const_one(op->predicate)) {
    if (t.is_scalar()) {
      Expr plain = Load::make(t, op->name, op->index, op->image, op->param, const_true(), op->alignment);
      return {print(op->predicate).at(Text::kOther + 1) + " ? " + value(plain) + " : " + value(make_zero(t)),
              Text::kOther};
    }
    if (!dense) throw CannotPrint("a load from '" + op->name + "' under a mask and not dense");
    auto count = leading_lanes(op->predicate);
    if (!count) {
      return {"load_masked<" + type(t) + ">(" + address(op->name, ramp->base) + ", " + value(op->predicate) + ")"};
    }
    return {"load_first<" + type(t) + ">(" + address(op->name, ramp->base) + ", " + *count + ")"};
  }
  if (info.lanes > 0) return {place(op->name, dense ? ramp->base : op->index)};
  if (t.is_scalar()) return {place(op->name, op->index)};
  std::string vector = type(t);
  if (dense) return {"load<" + vector + ">(" + address(op->name, ramp->base) + ")"};
  if (const Broadcast* b = op->index.as<Broadcast>())
    return {"splat<" + vector + ">(" + place(op->name, b->value) + ")"};
  if (ramp != nullptr && ramp->base.type().is_scalar()) {
    return {"load_strided<" + vector + ">(" + address(op->name, ramp->base) + ", " + affine(ramp->stride, 1) + ")"};
  }
  bool table = false;
  std::string index = gather_index(info, op->index, &table);
  return {std::string(table ? "lut<" : "gather<") + vector + ">(" + names_.cpp(op->name) + ", " + index + ")"};
}

std::string Expressions::store(const Store* op) {
  const BufferInfo& info = names_.buffers.at(op->name);
  Type t = op->value.type();
  if (carrier(t.element_of()) != carrier(info.type)) throw CannotPrint("a store to '" + op->name + "' as another type");
  Expr v = op->value;
  if (t.is_bool()) {
    t = Halide::UInt(8, t.lanes());
    v = Select::make(v, make_one(t), make_zero(t));
  }
  // What is stored and never read back cannot meet an addition.
  std::string text = info.loaded ? value(v) : print_factor(v).text;
  const Ramp* ramp = op->index.as<Ramp>();
  bool dense = ramp != nullptr && is_const_one(ramp->stride);
  const std::string end = ";";
  if (!is_const_one(op->predicate)) {
    if (t.is_scalar()) return "if (" + value(op->predicate) + ") " + place(op->name, op->index) + " = " + text + end;
    if (!dense) throw CannotPrint("a store to '" + op->name + "' under a mask and not dense");
    auto count = leading_lanes(op->predicate);
    if (!count) {
      return "store_masked(" + address(op->name, ramp->base) + ", " + value(op->predicate) + ", " + text + ")" + end;
    }
    return "store_first(" + address(op->name, ramp->base) + ", " + *count + ", " + text + ")" + end;
  }
  if (info.lanes > 0) return place(op->name, dense ? ramp->base : op->index) + " = " + text + end;
  if (t.is_scalar()) return place(op->name, op->index) + " = " + text + end;
  type(t);
  if (dense) return "store(" + address(op->name, ramp->base) + ", " + text + ")" + end;
  if (ramp != nullptr && ramp->base.type().is_scalar()) {
    return "store_strided(" + address(op->name, ramp->base) + ", " + affine(ramp->stride, 1) + ", " + text + ")" + end;
  }
  return "scatter(" + names_.cpp(op->name) + ", " + value(op->index) + ", " + text + ")" + end;
}

}  // namespace qlathe
