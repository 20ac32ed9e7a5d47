#include <optional>

#include "codegen/halide/statement_passes.h"
#include "schedule/lane_calls.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

const Call* as_saturated(const Expr& e) {
  const Call* call = e.as<Call>();
  return call != nullptr && call->call_type == Call::PureExtern && call->name == "saturated" ? call : nullptr;
}

/// A store of saturate(x), between limits, to 16 neighbouring bytes.
struct NarrowStore {
  const Store* store = nullptr;
  Stmt whole;          ///< the store with what it names first: an accumulator that is used twice
  Expr base, wide, z;  ///< of the index; what is saturated
  std::vector<std::pair<IRNodeType, Expr>> limits;  ///< innermost first, scalars

  static std::optional<NarrowStore> of(const Stmt& statement) {
    NarrowStore found;
    found.whole = statement;
    std::vector<std::pair<std::string, Expr>> lets;
    Stmt inner = statement;
    for (const LetStmt* let = inner.as<LetStmt>(); let != nullptr; let = inner.as<LetStmt>()) {
      lets.emplace_back(let->name, let->value);
      inner = let->body;
    }
    found.store = inner.as<Store>();
    if (found.store == nullptr || found.store->value.type().lanes() != 16 || !is_const_one(found.store->predicate))
      return std::nullopt;
    const Ramp* ramp = found.store->index.as<Ramp>();
    if (ramp == nullptr || !is_const_one(ramp->stride)) return std::nullopt;
    found.base = ramp->base;
    Expr value = found.store->value;
    while (as_saturated(value) == nullptr) {
      if (const Let* let = value.as<Let>()) {
        lets.emplace_back(let->name, let->value);
        value = let->body;
        continue;
      }
      const Max* max = value.as<Max>();
      const Min* min = value.as<Min>();
      if (max == nullptr && min == nullptr) return std::nullopt;
      const Broadcast* limit = (max != nullptr ? max->b : min->b).as<Broadcast>();
      if (limit == nullptr || !is_const(limit->value)) return std::nullopt;
      found.limits.insert(found.limits.begin(), {max != nullptr ? IRNodeType::Max : IRNodeType::Min, limit->value});
      value = max != nullptr ? max->a : min->a;
    }
    found.wide = as_saturated(value)->args[0];
    for (size_t i = lets.size(); i-- > 0;) {
      if (expr_uses_var(found.base, lets[i].first)) return std::nullopt;
      found.wide = Let::make(lets[i].first, lets[i].second, found.wide);
    }
    found.z = as_saturated(value)->args[1];
    if (const Broadcast* broadcast = found.z.as<Broadcast>()) found.z = broadcast->value;
    if (!is_const(found.z)) return std::nullopt;
    return found;
  }
};

/// Loop variables and their values in one iteration.
using Place = std::map<std::string, Expr>;

class MergeNarrowingStores : public IRMutator {
  using IRMutator::visit;

  // The stores at up to four places, by one narrowing. Neighbours in memory become one store.
  static Stmt joined(const NarrowStore& s, const std::vector<Place>& places) {
    std::vector<Expr> wide, base;
    for (const Place& place : places) {
      wide.push_back(simplify(substitute(place, s.wide)));
      base.push_back(simplify(substitute(place, s.base)));
    }
    if (places.size() < 4) {
      // One narrowing of operands that repeat makes LLVM 21 combine its shuffles into wrong ones (an assertion at
      // best).
      std::vector<Stmt> alone;
      for (const Place& place : places)
        alone.push_back(substitute(place, s.whole));
      return Block::make(alone);
    }
    const Halide::Type byte = s.store->value.type().element_of(), all = byte.with_lanes(64);
    Expr value = narrow_call(byte, wide, s.z);
    for (const auto& [kind, limit] : s.limits) {
      const Expr wide_limit = Broadcast::make(limit, 64);
      value = kind == IRNodeType::Max ? Max::make(value, wide_limit) : Min::make(value, wide_limit);
    }
    const Expr bytes = Variable::make(all, "bytes");
    std::vector<Stmt> stores;
    for (size_t first = 0; first < places.size();) {
      size_t count = 1;
      while (first + count < places.size() &&
             is_const(simplify(base[first + count] - base[first]), static_cast<int>(16 * count)))
        count++;
      if (count == 3) count = 2;  // vectors of powers of two
      const int lanes = 16 * static_cast<int>(count);
      const Expr part = count == 4 ? bytes : Shuffle::make_slice(bytes, static_cast<int>(16 * first), 1, lanes);
      stores.push_back(Store::make(s.store->name, part, Ramp::make(base[first], 1, lanes), s.store->param,
                                   const_true(lanes), ModulusRemainder()));
      first += count;
    }
    if (stores.size() == 1 && places.size() == 4) return substitute("bytes", value, stores[0]);
    return LetStmt::make("bytes", value, Block::make(stores));
  }

  // Iterations of `loop`, `step` of them at once, then the rest.
  template <class Group>
  static Stmt grouped(const For* loop, int64_t extent, int64_t step, Group&& group) {
    const Expr variable = Variable::make(Halide::Int(32), loop->name);
    std::vector<Stmt> parts;
    if (const int64_t whole = extent / step; whole > 0) {
      Stmt body = group(variable * static_cast<int32_t>(step), step);
      if (whole == 1) {
        parts.push_back(substitute(loop->name, 0, body));
      } else {
        parts.push_back(For::make(loop->name, 0, static_cast<int32_t>(whole), loop->for_type, loop->partition_policy,
                                  loop->device_api, body));
      }
    }
    if (extent % step != 0) parts.push_back(group(Expr(static_cast<int32_t>(extent / step * step)), extent % step));
    return Block::make(parts);
  }

  Stmt visit(const For* op) override {
    const For* inner = op->body.as<For>();
    const auto extent = as_const_int(op->extent);
    if (!extent || !is_const_zero(op->min)) return IRMutator::visit(op);
    if (inner == nullptr) {
      const auto store = NarrowStore::of(op->body);
      if (!store) return IRMutator::visit(op);
      return mutate_rest(grouped(op, *extent, 4, [&](const Expr& first, int64_t count) {
        std::vector<Place> places;
        for (int64_t i = 0; i < count; i++)
          places.push_back({{op->name, simplify(first + static_cast<int32_t>(i))}});
        return joined(*store, places);
      }));
    }
    const auto vectors = as_const_int(inner->extent);
    const auto store = NarrowStore::of(inner->body);
    if (!vectors || !is_const_zero(inner->min) || !store || *vectors >= 3) return IRMutator::visit(op);
    // One or two vectors a row: several rows at once.
    return mutate_rest(grouped(op, *extent, 4 / *vectors, [&](const Expr& first, int64_t count) {
      std::vector<Place> places;
      for (int64_t i = 0; i < count; i++) {
        for (int64_t v = 0; v < *vectors; v++) {
          places.push_back(
              {{op->name, simplify(first + static_cast<int32_t>(i))}, {inner->name, Expr(static_cast<int32_t>(v))}});
        }
      }
      return joined(*store, places);
    }));
  }

  Stmt mutate_rest(const Stmt& s) { return Rest().mutate(s); }

  // What is not joined.
  class Rest : public IRMutator {
    using IRMutator::visit;
    Expr visit(const Call* op) override {
      if (as_saturated(op) == nullptr) return IRMutator::visit(op);
      const Expr sum = is_const_zero(op->args[1]) ? op->args[0] : op->args[0] + op->args[1];
      return Halide::saturating_cast(op->type, mutate(sum));
    }
  };

  Expr visit(const Call* op) override { return Rest().mutate(Expr(op)); }
};

}  // namespace

Stmt merge_narrowing_stores(const Stmt& body) { return MergeNarrowingStores().mutate(body); }

}  // namespace qlathe
