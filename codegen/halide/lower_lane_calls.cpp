#include "codegen/halide/lower_lane_calls.h"

#include "schedule/lane_calls.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

class LowerLaneCalls : public IRMutator {
 public:
  explicit LowerLaneCalls(bool avx512) : avx512_(avx512) {}

 private:
  using IRMutator::visit;
  bool avx512_;

  static Expr zip(const Expr& a, const Expr& b, bool high, int bytes) {
    const int total = a.type().lanes(), half = kLaneBytes / 2;
    std::vector<int> lanes;
    for (int group = 0; group < total; group += kLaneBytes) {
      for (int i = 0; i < half; i += bytes) {
        for (int operand = 0; operand < 2; operand++) {
          for (int byte = 0; byte < bytes; byte++)
            lanes.push_back(operand * total + group + (high ? half : 0) + i + byte);
        }
      }
    }
    return Shuffle::make({a, b}, lanes);
  }

  // The groups [first, first + count) of a and b in turn, saturated to half the bits.
  static Expr join(const Expr& a, const Expr& b, int first, int count, const Halide::Type& element) {
    const int lanes = kLaneBytes / a.type().bytes();
    std::vector<Expr> groups;
    for (int g = first; g < first + count; g++) {
      for (const Expr& v : {a, b})
        groups.push_back(v.type().lanes() == lanes ? v : Shuffle::make_slice(v, g * lanes, 1, lanes));
    }
    return Halide::saturating_cast(element.with_lanes(2 * lanes * count), Shuffle::make_concat(groups));
  }

  // In this form, by halves made of groups, LLVM finds the packs of whole registers; made of one shuffle it does not.
  static Expr pack(const std::vector<Expr>& v, const Expr& z, const Halide::Type& element) {
    const int groups = v[0].type().lanes() * v[0].type().bytes() / kLaneBytes, parts = groups > 1 ? 2 : 1;
    std::vector<Expr> halves;
    for (int part = 0; part < parts; part++) {
      const int count = groups / parts;
      const auto words = [&](size_t first) {
        const Expr sum = join(v[first], v[first + 1], part * count, count, Halide::Int(16));
        if (is_const_zero(z)) return sum;
        return sum + Broadcast::make(Halide::cast<int16_t>(z), sum.type().lanes());
      };
      halves.push_back(join(words(0), words(2), 0, count, element));
    }
    return parts == 1 ? halves[0] : Shuffle::make_concat(halves);
  }

  Expr visit(const Call* op) override {
    if (op->call_type != Call::PureExtern) return IRMutator::visit(op);
    for (const bool high : {false, true}) {
      for (const int bytes : {1, 2}) {
        if (op->name == std::string(high ? "zip_hi" : "zip_lo") + std::to_string(bytes))
          return zip(mutate(op->args[0]), mutate(op->args[1]), high, bytes);
      }
    }
    if (op->name != "pack4" && op->name != "narrow4") return IRMutator::visit(op);
    std::vector<Expr> vectors;
    for (size_t i = 0; i < 4; i++)
      vectors.push_back(mutate(op->args[i]));
    const Expr packed = pack(vectors, op->args[4], op->type.element_of());
    if (op->name == "pack4") return packed;
    // Group g of the packed bytes holds four of each operand: back into the operands' order.
    const Halide::Type i32 = Halide::Int(32, op->type.lanes() / 4);
    const int groups = i32.lanes() / 4;
    std::vector<int> order;
    for (int operand = 0; operand < 4; operand++) {
      for (int g = 0; g < groups; g++)
        order.push_back(4 * g + operand);
    }
    return Reinterpret::make(op->type, Shuffle::make({Reinterpret::make(i32, packed)}, order));
  }

  // Rounding and converting is one instruction, which LLVM finds in this call alone. The call is scalar until LLVM
  // joins it again, which is certain for one register only.
  Expr visit(const Cast* op) override {
    const Call* round = Call::as_intrinsic(op->value, {Call::round});
    if (!avx512_ || round == nullptr || op->type != Halide::Int(32, 16) || round->type != Halide::Float(32, 16)) {
      return IRMutator::visit(op);
    }
    return Call::make(op->type, "llvm.lrint.i32.f32", {mutate(round->args[0])}, Call::PureExtern);
  }
};

}  // namespace

Stmt lower_lane_calls(const Stmt& body, const Halide::Target& target) {
  using Target = Halide::Target;
  const bool avx512 = target.features_any_of({Target::AVX512_Skylake, Target::AVX512_Cannonlake, Target::AVX512_Zen4,
                                              Target::AVX512_Zen5, Target::AVX512_SapphireRapids});
  return LowerLaneCalls(avx512).mutate(body);
}

}  // namespace qlathe
