// depthwise on the dot instruction in registers of 64 bytes, whatever their channels are: a stretch of a row of the
// image, of which one column may be a part or several the whole. Four rows are interleaved by unpacks, which act within
// groups of 16 bytes: 64 channels become four registers ("quads") of 16 channels x 4 rows. The sums of the four quads
// are narrowed by packs that act within the same groups and so restore the channels' order at no cost.
//
// A kernel of port 5 and port 0 alone: per 16 results three dots (3x3), four instructions of requantization, and three
// quarters of a pack. A statement instead of a schedule, because no schedule states those shuffles.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>

#include "schedule/lane_calls.h"
#include "schedule/lower/depthwise_shape.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::Type;

namespace {

constexpr int64_t kRegister = 64, kQuads = 4, kLanes = 16;
constexpr int64_t kStripBytes = 9728;  // of interleaved rows: a fifth of the first cache (measured: 7 to 14 KB best)
constexpr int64_t kWeightBytes = 16384;

int32_t i32(int64_t value) { return static_cast<int32_t>(value); }
int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Columns come in units: `period` neighbouring columns, a multiple of 64 bytes, or one column, whose channels are then
/// cut into runs of 64 (the last shifted inwards).
struct LaneTile {
  DepthwiseRows rows;
  int64_t period = 1;
  int64_t phases = 1;        ///< registers of a unit
  int64_t units = 1;         ///< of a result row
  int64_t strip = 1;         ///< units that are interleaved at once
  int64_t columns = 1;       ///< units of a register tile
  int64_t column_bytes = 0;  ///< of an input column in the interleaved strip (a quarter, in each quad)
  int64_t flat = 0;          ///< bytes of a quad in the strip
  int bytes = 1;             ///< that add up to a weight

  bool flat_rows() const { return period > 1; }
};

std::optional<LaneTile> choose(const DepthwiseKernel& k) {
  const Window& x = k.attrs.windows[1];
  const int64_t C = k.channels, out_columns = k.out_shape[2];
  if (k.context.target.lanes(32) != kLanes || k.context.target.dot.signs != DotSigns::kU8S8 || C % kLaneBytes != 0)
    return std::nullopt;
  LaneTile t;
  t.rows = depthwise_rows(k);
  t.bytes = depthwise_weight_bytes(k);
  const int64_t dots = x.kernel * t.rows.groups * t.bytes * t.rows.tile;
  const int64_t period = kRegister / std::gcd(C, kRegister);
  if (period > 1 && x.stride == 1 && out_columns % period == 0 && period * C * kQuads * dots <= kWeightBytes) {
    t.period = period;
    t.phases = period * C / kRegister;
    t.column_bytes = C;
  } else if (C >= kRegister) {
    t.phases = ceil_div(C, kRegister);
    t.column_bytes = kRegister;
  } else {
    return std::nullopt;
  }
  t.units = out_columns / t.period;
  // Eight accumulators at a time: their results, of four quads, fill the registers.
  int64_t least_work = INT64_MAX;
  for (int64_t columns = 1; columns <= std::min(std::max<int64_t>(1, 8 / t.rows.tile), t.units); columns++) {
    const int64_t work = ceil_div(t.units, columns) * (columns + 1);
    if (work > least_work) continue;
    least_work = work;
    t.columns = columns;
  }
  const int64_t unit_bytes = t.rows.groups * kQuads * t.column_bytes * t.period * x.stride;
  const int64_t halo = ceil_div((x.kernel - 1) * x.dilation, t.period);
  const int64_t most = std::max<int64_t>(t.columns, (kStripBytes / unit_bytes - halo) / t.columns * t.columns);
  t.strip = std::min(t.units, most);
  const int64_t read = (t.strip * t.period - 1) * x.stride + (x.kernel - 1) * x.dilation + 1;
  t.flat = read * t.column_bytes;
  return t;
}

/// A tensor that the caller may place anywhere, as inputs and results of a model: without this its pointer would be
/// taken for one that is aligned to whole registers.
Halide::Parameter anywhere(Type type, const std::string& name) {
  Halide::Parameter parameter(type.element_of(), true, 1, name);
  parameter.set_host_alignment(type.element_of().bytes());
  return parameter;
}

Expr load(Type type, const std::string& name, const Expr& index, const Halide::Parameter& parameter = {}) {
  return Load::make(type, name, type.is_scalar() ? index : Ramp::make(index, 1, type.lanes()), Halide::Buffer<>(),
                    parameter, const_true(type.lanes()), ModulusRemainder());
}

Stmt store(const std::string& name, const Expr& value, const Expr& index, const Halide::Parameter& parameter = {}) {
  const int lanes = value.type().lanes();
  return Store::make(name, value, Ramp::make(index, 1, lanes), parameter, const_true(lanes), ModulusRemainder());
}

template <class Body>
Stmt loop(const std::string& name, int64_t extent, Body&& body, ForType type = ForType::Serial) {
  if (extent == 1 && name.find('.') == std::string::npos) return body(Expr(0));
  return For::make(name, 0, i32(extent), type, Halide::Partition::Never, Halide::DeviceAPI::None,
                   body(Variable::make(Halide::Int(32), name)));
}

template <class Body>
Stmt let(const std::string& name, const Expr& value, Body&& body) {
  return LetStmt::make(name, value, body(Variable::make(value.type(), name)));
}

/// Tiles of `size` in `extent`, the last shifted inwards: the start of tile `i`.
Expr tile_start(const Expr& i, int64_t size, int64_t extent) {
  const Expr start = i * i32(size);
  return extent % size == 0 ? start : Halide::min(start, i32(extent - size));
}

class LaneKernel {
 public:
  LaneKernel(DepthwiseKernel& kernel, const DepthwiseSums& sums, const LaneTile& tile, const RequantChoice& choice)
      : k_(kernel), sums_(sums), t_(tile), choice_(choice), wx_(kernel.attrs.windows[1]) {}

  Result<NodeLowering> build();

 private:
  int64_t channel(int64_t phase, int64_t quad, int64_t lane) const {
    const int64_t first = t_.flat_rows() ? phase * kRegister : std::min(phase * kRegister, k_.channels - kRegister);
    return (first + lane / 4 * kLaneBytes + quad * 4 + lane % 4) % k_.channels;
  }
  /// First channel of a phase.
  Expr first_channel(const Expr& phase) const { return tile_start(phase, kRegister, std::max(k_.channels, kRegister)); }

  std::string bind(PackedConstant constant);
  std::string bind_weights();
  /// One value for each result lane: [phase][quad][16].
  template <class T, class Get>
  std::string bind_lanes(ValueType type, const std::string& what, Get&& get);

  Stmt interleave(const Expr& image, const Expr& row_tile, const Expr& strip, const Expr& phase) const;
  Stmt tiles(const Expr& image, const Expr& row_tile, const Expr& strip, const Expr& phase) const;
  Stmt sums_of_quad(const Expr& quad, const Expr& at, const Expr& phase) const;
  Expr rounded(const Expr& accumulator, const Expr& constant_at) const;
  Expr packed(const std::vector<Expr>& quads) const;

  DepthwiseKernel& k_;
  const DepthwiseSums& sums_;
  const LaneTile& t_;
  const RequantChoice& choice_;
  const Window wx_;
  std::string lhs_, weights_, initial_, multiplier_, addend_, addend_below_, addend_above_, split_, upper_split_,
      zero_point_, out_;
  int32_t zero_ = 0;  ///< a zero point that is part of the code
};

std::string LaneKernel::bind(PackedConstant constant) {
  const int index = static_cast<int>(k_.lowering.constants.size());
  const std::string what = constant.name;
  constant.name = k_.context.node.origin.name + "." + what;
  k_.lowering.constants.push_back(constant);
  return k_.operands.constant(constant, index, what).name();
}

std::string LaneKernel::bind_weights() {
  const DepthwiseRows& r = t_.rows;
  PackedConstant weights;
  weights.name = "weights";
  weights.type = ValueType::kI8;
  weights.shape = {t_.phases, kQuads, wx_.kernel, r.groups, r.tile, kRegister};
  if (t_.bytes > 1) weights.shape.insert(weights.shape.begin() + 4, t_.bytes);
  weights.bytes.assign(static_cast<size_t>(element_count(weights.shape)), 0);
  const bool two = t_.bytes > 1;
  weights.layout = std::string("[c/64][c/4%4][kx][row/4]") + (two ? "[byte]" : "") +
                   "[tile row][c/16%4][c%4][4 rows], zero where the window has no row" +
                   (two ? "; a weight is the sum of two bytes" : "");
  size_t at = 0;
  for (int64_t phase = 0; phase < t_.phases; phase++) {
    for (int64_t quad = 0; quad < kQuads; quad++) {
      for (int64_t kx = 0; kx < wx_.kernel; kx++) {
        for (int64_t group = 0; group < r.groups; group++) {
          for (int64_t byte_row = 0; byte_row < t_.bytes * r.tile; byte_row++) {
            const int64_t row = byte_row % r.tile;
            for (int64_t i = 0; i < kRegister; i++, at++) {
              const int64_t ky = group * 4 + i % 4 - row;
              if (ky < 0 || ky >= k_.attrs.windows[0].kernel) continue;
              const int64_t weight = depthwise_weight(k_, ky, kx, channel(phase, quad, i / 4));
              weights.bytes[at] = static_cast<uint8_t>(byte_of_weight(weight, i32(byte_row / r.tile)));
            }
          }
        }
      }
    }
  }
  return bind(std::move(weights));
}

template <class T, class Get>
std::string LaneKernel::bind_lanes(ValueType type, const std::string& what, Get&& get) {
  PackedConstant constant;
  constant.name = what;
  constant.type = type;
  constant.shape = {t_.phases, kQuads, kLanes};
  constant.layout = "[c/64][c/4%4][c/16%4][c%4]";
  std::vector<T> values;
  for (int64_t phase = 0; phase < t_.phases; phase++) {
    for (int64_t quad = 0; quad < kQuads; quad++) {
      for (int64_t lane = 0; lane < kLanes; lane++)
        values.push_back(static_cast<T>(get(static_cast<size_t>(channel(phase, quad, lane)))));
    }
  }
  constant.bytes.resize(values.size() * sizeof(T));
  std::memcpy(constant.bytes.data(), values.data(), constant.bytes.size());
  return bind(std::move(constant));
}

// [group of rows][quad][flat]: the interleaved rows of a strip.
Stmt LaneKernel::interleave(const Expr& image, const Expr& row_tile, const Expr& strip, const Expr& phase) const {
  const DepthwiseRows& r = t_.rows;
  const ValueType lhs_type = k_.context.in(kLhs).type.type;
  const Type byte = is_signed(lhs_type) ? Halide::Int(8, i32(kRegister)) : Halide::UInt(8, i32(kRegister));
  const int64_t image_rows = k_.context.in(kLhs).shape()[1];
  std::vector<Stmt> groups;
  for (int64_t group = 0; group < r.groups; group++) {
    const auto block = [&](const Expr& at, const Expr& source) {
      std::vector<std::pair<std::string, Expr>> lets;
      const auto name = [&](const std::string& what, const Expr& value) {
        lets.emplace_back(what, value);
        return Variable::make(value.type(), what);
      };
      std::vector<Expr> rows;
      for (int64_t i = 0; i < 4; i++) {
        // Beyond the last needed row its weights are 0; the row itself is read again instead. The same at the end of
        // the image.
        const int64_t in_tile = std::min(group * 4 + i, r.needed - 1);
        Expr row = row_tile * i32(r.tile * k_.attrs.windows[0].stride) + i32(in_tile * r.step);
        if (k_.out_shape[1] % r.tile != 0) row = Halide::min(row, i32(image_rows - 1));
        Expr value = load(byte, lhs_, image * i32(k_.lhs_strides[0]) + row * i32(k_.lhs_strides[1]) + source,
                          anywhere(byte, lhs_));
        if (sums_.offset != 0)
          value = Halide::reinterpret(Halide::UInt(8, i32(kRegister)), value) ^
                  make_const(Halide::UInt(8, i32(kRegister)), 128);
        rows.push_back(name("row" + std::to_string(i), value));
      }
      std::vector<Expr> pairs;
      for (const int first : {0, 2}) {
        for (const bool high : {false, true}) {
          pairs.push_back(
              name("pair" + std::to_string(pairs.size()),
                   zip_call(high, 1, rows[static_cast<size_t>(first)], rows[static_cast<size_t>(first) + 1])));
        }
      }
      std::vector<Stmt> stores;
      for (int quad = 0; quad < kQuads; quad++) {
        const size_t half = static_cast<size_t>(quad / 2);
        const Expr value = zip_call(quad % 2 != 0, 2, pairs[half], pairs[half + 2]);
        stores.push_back(store("inter", value, at + i32((group * kQuads + quad) * t_.flat)));
      }
      Stmt body = Block::make(stores);
      for (size_t i = lets.size(); i-- > 0;)
        body = LetStmt::make(lets[i].first, lets[i].second, body);
      return body;
    };
    const Expr first = strip * i32(t_.period * wx_.stride * k_.channels);
    if (t_.flat_rows()) {
      groups.push_back(loop("b", ceil_div(t_.flat, kRegister), [&](const Expr& b) {
        return let("at", tile_start(b, kRegister, t_.flat), [&](const Expr& at) { return block(at, first + at); });
      }));
    } else {
      groups.push_back(loop("b", t_.flat / kRegister, [&](const Expr& b) {
        return block(b * i32(kRegister), first + b * i32(k_.channels) + first_channel(phase));
      }));
    }
  }
  return Block::make(groups);
}

/// The requantized sums before saturation, without a zero point that is part of the code.
Expr LaneKernel::rounded(const Expr& accumulator, const Expr& at) const {
  const Type f32 = Halide::Float(32, i32(kLanes)), i32x = Halide::Int(32, i32(kLanes));
  const Expr m = load(f32, multiplier_, at);
  const Expr x = choice_.formula == RequantFormula::kF32Shifted ? Halide::reinterpret(f32, accumulator)
                                                                : Cast::make(f32, accumulator);
  Expr sum;
  if (choice_.formula == RequantFormula::kF32Mul) {
    sum = Call::make(f32, Call::strict_mul, {x, m}, Call::PureIntrinsic);
  } else {
    Expr addend = load(f32, addend_, at);
    if (!upper_split_.empty())
      addend = Halide::select(accumulator < load(i32x, upper_split_, at), addend, load(f32, addend_above_, at));
    if (!split_.empty())
      addend = Halide::select(accumulator < load(i32x, split_, at), load(f32, addend_below_, at), addend);
    sum = Call::make(f32, "llvm.fma.f32", {x, m, addend}, Call::PureExtern);
  }
  Expr whole;
  if (choice_.formula == RequantFormula::kF32Magic)
    whole = Halide::reinterpret(i32x, sum) - make_const(i32x, 0x4B400000);
  else
    whole = Cast::make(i32x, Call::make(f32, Call::round, {sum}, Call::PureIntrinsic));
  return zero_point_.empty() ? whole : whole + load(i32x, zero_point_, at);
}

Expr LaneKernel::packed(const std::vector<Expr>& quads) const {
  const ValueType out = k_.context.out().type.type;
  Type byte = is_signed(out) ? Halide::Int(8) : Halide::UInt(8);
  Expr value = pack_call(byte, quads, zero_);
  byte = value.type();
  const int64_t least = is_signed(out) ? -128 : 0;
  if (choice_.lo > least) value = Max::make(value, make_const(byte, choice_.lo));
  if (choice_.hi < least + 255) value = Min::make(value, make_const(byte, choice_.hi));
  return value;
}

Stmt LaneKernel::sums_of_quad(const Expr& quad, const Expr& at, const Expr& phase) const {
  const DepthwiseRows& r = t_.rows;
  const Type i32x = Halide::Int(32, i32(kLanes));
  const Type u8 = Halide::UInt(8, i32(kRegister)), i8 = Halide::Int(8, i32(kRegister));
  const Expr constant_at = (phase * i32(kQuads) + quad) * i32(kLanes);
  const auto each = [&](const auto& body) {
    return loop("t", r.tile, [&](const Expr& row) {
      return loop("x", t_.columns,
                  [&](const Expr& x) { return body(row, x, (row * i32(t_.columns) + x) * i32(kLanes)); });
    });
  };
  const Stmt start = each(
      [&](const Expr&, const Expr&, const Expr& acc) { return store("acc", load(i32x, initial_, constant_at), acc); });
  // A window of few dots is written out: its loop would cost as much.
  const ForType window = wx_.kernel * r.groups <= 3 ? ForType::Unrolled : ForType::Serial;
  const Stmt dots = loop(
      "kx", wx_.kernel,
      [&](const Expr& kx) {
        return loop(
            "g", r.groups,
            [&](const Expr& group) {
              return each([&](const Expr& row, const Expr& x, const Expr& acc) {
                const Expr group_at = ((phase * i32(kQuads) + quad) * i32(wx_.kernel) + kx) * i32(r.groups) + group;
                const int64_t unit = t_.flat_rows() ? t_.period * t_.column_bytes : wx_.stride * t_.column_bytes;
                const Expr inter_at = (group * i32(kQuads) + quad) * i32(t_.flat) + at + x * i32(unit) +
                                      kx * i32(wx_.dilation * t_.column_bytes);
                Expr sum = load(i32x, "acc", acc);
                for (int byte = 0; byte < t_.bytes; byte++) {
                  const Expr weight_at = (group_at * t_.bytes + byte) * i32(r.tile) + row;
                  const Expr product =
                      Call::make(Halide::Int(16, i32(kRegister)), Call::widening_mul,
                                 {load(u8, "inter", inter_at), load(i8, weights_, weight_at * i32(kRegister))},
                                 Call::PureIntrinsic);
                  sum = sum + VectorReduce::make(VectorReduce::Add,
                                                 Cast::make(Halide::Int(32, i32(kRegister)), product), i32(kLanes));
                }
                return store("acc", sum, acc);
              });
            },
            window);
      },
      window);
  const Stmt finish = each([&](const Expr&, const Expr&, const Expr& acc) {
    return store("r", rounded(load(i32x, "acc", acc), constant_at), quad * i32(r.tile * t_.columns * kLanes) + acc);
  });
  return Allocate::make("acc", Halide::Int(32), Halide::MemoryType::Stack, {i32(r.tile * t_.columns * kLanes)},
                        const_true(), Block::make({start, dots, finish}));
}

Stmt LaneKernel::tiles(const Expr& image, const Expr& row_tile, const Expr& strip, const Expr& phase) const {
  const DepthwiseRows& r = t_.rows;
  const int64_t C = k_.channels, out_rows = k_.out_shape[1], out_columns = k_.out_shape[2];
  const int64_t size = r.tile * t_.columns * kLanes;
  return loop("xo", ceil_div(t_.strip, t_.columns), [&](const Expr& xo) {
    return let("x0", tile_start(xo, t_.columns, t_.strip), [&](const Expr& x0) {
      const int64_t unit = t_.flat_rows() ? t_.period * t_.column_bytes : wx_.stride * t_.column_bytes;
      const Expr at = x0 * i32(unit) + (t_.flat_rows() ? phase * i32(kRegister) : Expr(0));
      const Stmt sums = loop("j", kQuads, [&](const Expr& quad) { return sums_of_quad(quad, at, phase); });
      const Stmt stores = loop("t", r.tile, [&](const Expr& row) {
        const Expr y = row_tile * i32(r.tile) + row;
        const Stmt columns = loop("x", t_.columns, [&](const Expr& x) {
          std::vector<Expr> quads;
          for (int64_t quad = 0; quad < kQuads; quad++) {
            quads.push_back(
                load(Halide::Int(32, i32(kLanes)), "r", (row * i32(t_.columns) + x) * i32(kLanes) + i32(quad * size)));
          }
          const Expr channel = t_.flat_rows() ? phase * i32(kRegister) : first_channel(phase);
          const Expr value = packed(quads);
          return store(
              out_, value,
              (image * i32(out_rows) + y) * i32(out_columns * C) + (strip + x0 + x) * i32(t_.period * C) + channel,
              anywhere(value.type(), out_));
        });
        return out_rows % r.tile == 0 ? columns : IfThenElse::make(y < i32(out_rows), columns);
      });
      return Allocate::make("r", Halide::Int(32), Halide::MemoryType::Stack, {i32(kQuads * size)}, const_true(),
                            Block::make(sums, stores));
    });
  });
}

Result<NodeLowering> LaneKernel::build() {
  const LoweringContext& c = k_.context;
  const int64_t C = k_.channels, out_rows = k_.out_shape[1], out_columns = k_.out_shape[2], images = k_.out_shape[0];
  lhs_ = k_.operands.tensor(c.node.inputs[kLhs], "lhs").name();
  weights_ = bind_weights();
  const auto& of = choice_.channels;
  initial_ = bind_lanes<int32_t>(ValueType::kI32, "initial", [&](size_t ch) { return sums_.start[ch]; });
  multiplier_ = bind_lanes<float>(ValueType::kF32, "multiplier", [&](size_t ch) { return of[ch].m32; });
  if (choice_.formula != RequantFormula::kF32Mul)
    addend_ = bind_lanes<float>(ValueType::kF32, "addend", [&](size_t ch) { return of[ch].b32; });
  const bool three = choice_.formula == RequantFormula::kF32ThreeOffsets;
  if (three || choice_.formula == RequantFormula::kF32TwoOffsets) {
    addend_below_ = bind_lanes<float>(ValueType::kF32, "addend_below", [&](size_t ch) { return of[ch].below32; });
    split_ = bind_lanes<int32_t>(ValueType::kI32, "split", [&](size_t ch) { return of[ch].split; });
  }
  if (three) {
    addend_above_ = bind_lanes<float>(ValueType::kF32, "addend_above", [&](size_t ch) { return of[ch].above32; });
    upper_split_ = bind_lanes<int32_t>(ValueType::kI32, "upper_split", [&](size_t ch) { return of[ch].upper_split; });
  }
  if (const std::optional<int32_t> common = choice_.common_zero_point())
    zero_ = *common;
  else
    zero_point_ = bind_lanes<int32_t>(ValueType::kI32, "zero_point", [&](size_t ch) { return of[ch].zero_point; });
  Halide::Func out("out");
  const Halide::Var n("n"), x("x"), y("y"), i("i");
  out(n, x, y, i) = Halide::cast(is_signed(c.out().type.type) ? Halide::Int(8) : Halide::UInt(8), 0);
  out_ = out.name();

  const int64_t row_tiles = ceil_div(out_rows, t_.rows.tile);
  const auto inside = [&](const Expr& image, const Expr& row_tile) {
    return loop("xs", ceil_div(t_.units, t_.strip), [&](const Expr& xs) {
      return let("strip", tile_start(xs, t_.strip, t_.units), [&](const Expr& strip) {
        const auto phases = [&](const auto& body) { return loop("n", t_.phases, body); };
        const auto allocate = [&](const Stmt& body) {
          return Allocate::make("inter", Halide::UInt(8), Halide::MemoryType::Stack,
                                {i32(t_.rows.groups * kQuads * t_.flat)}, const_true(), body);
        };
        if (t_.flat_rows()) {
          return allocate(Block::make(interleave(image, row_tile, strip, Expr()),
                                      phases([&](const Expr& phase) { return tiles(image, row_tile, strip, phase); })));
        }
        return phases([&](const Expr& phase) {
          return allocate(Block::make(interleave(image, row_tile, strip, phase), tiles(image, row_tile, strip, phase)));
        });
      });
    });
  };
  const Stmt body = loop(out_ + ".s0.yo", images * row_tiles, [&](const Expr& yo) {
    if (images == 1) return inside(0, yo);
    return let("i", yo / i32(row_tiles), [&](const Expr& image) {
      return let("yt", yo % i32(row_tiles), [&](const Expr& row_tile) { return inside(image, row_tile); });
    });
  });
  k_.epilogue_key = std::string("lanes ") + name(choice_.formula) + "," + std::to_string(choice_.lo) + "," +
                    std::to_string(choice_.hi) + "," + (zero_point_.empty() ? std::to_string(zero_) : "zp") + "," +
                    std::to_string(t_.bytes);
  const std::vector<KernelDim> dims = {{i32(C), 1, 0},
                                       {i32(out_columns), i32(C), 0},
                                       {i32(out_rows), i32(C * out_columns), 0},
                                       {i32(images), i32(C * out_columns * out_rows), 0}};
  return k_.finish(out, dims, "yo", images * row_tiles, "depthwise_lanes",
                   std::to_string(t_.columns) + "x" + std::to_string(t_.rows.tile) + "x" + std::to_string(t_.phases) +
                       "x" + std::to_string(kRegister) + "_" + std::to_string(t_.strip),
                   body);
}

}  // namespace

Result<std::optional<NodeLowering>> lower_depthwise_lanes(const LoweringContext& c) {
  DepthwiseKernel kernel(c);
  const std::optional<LaneTile> tile = choose(kernel);
  if (!tile) return std::optional<NodeLowering>();
  DepthwiseSums sums = depthwise_sums(kernel);
  const auto choice = sums.choose(kernel);
  static const std::set<RequantFormula> kFormulas = {RequantFormula::kF32Magic,      RequantFormula::kF32Fma,
                                                     RequantFormula::kF32Shifted,    RequantFormula::kF32Mul,
                                                     RequantFormula::kF32TwoOffsets, RequantFormula::kF32ThreeOffsets};
  if (!choice || kFormulas.count(choice->formula) == 0) {
    return std::optional<NodeLowering>();
  }
  QL_ASSIGN(NodeLowering lowering, LaneKernel(kernel, sums, *tile, *choice).build());
  return std::optional<NodeLowering>(std::move(lowering));
}

}  // namespace qlathe
