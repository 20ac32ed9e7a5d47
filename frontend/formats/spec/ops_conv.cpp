// conv, depthwise_conv, conv_transpose: channels last, kernel [spatial.., in / groups, out].
#include <algorithm>

#include "frontend/formats/spec/products.h"
#include "frontend/formats/spec/windows.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

std::vector<std::string> conv_fields(std::vector<std::string> more) {
  more.insert(more.end(), kProductFields.begin(), kProductFields.end());
  more.insert(more.end(), {"kernel_dilation", "kernel_layout", "layout", "padding", "strides"});
  return more;
}

/// What the operands and the common fields say.
struct ConvSetup {
  TensorId kernel;
  std::vector<int64_t> extent, window;  // spatial: of the input, covered by the kernel
  std::vector<int64_t> taps;            // spatial extents of the kernel
  std::shared_ptr<ConvAttrs> attrs = std::make_shared<ConvAttrs>();
};

/// [out, in, spatial..] to [spatial.., in, out].
std::vector<int64_t> from_channels_first(size_t rank) {
  std::vector<int64_t> out;
  for (size_t d = 2; d < rank; ++d)
    out.push_back(static_cast<int64_t>(d));
  out.insert(out.end(), {1, 0});
  return out;
}

std::optional<ConvSetup> setup(SpecNode& node) {
  ConvSetup s;
  const auto layout = node.fields.string("layout");
  if (layout && *layout != "N..C, kernel ..IO") {
    node.problem("layout", "only \"N..C, kernel ..IO\" is known, found " + in_quotes(*layout),
                 "transpose the input to channels last");
  }
  const std::string kernel_layout = node.fields.string("kernel_layout").value_or("..io");
  if (kernel_layout != "..io" && kernel_layout != "oi..")
    node.problem("kernel_layout", "expected \"..io\" or \"oi..\"");
  auto rhs = right_operand(node);
  const int64_t rank = node.rank(0);
  if (rank < 3 || rank > 5) {
    node.problem("inputs", "the input has shape " + to_string(node.type(0).shape) +
                               "; expected [images, 1 to 3 spatial axes, channels]");
  }
  if (!rhs || !node.ok()) return std::nullopt;
  if (static_cast<int64_t>(node.type_of(rhs->tensor).shape.size()) != rank) {
    node.problem("kernel", "has shape " + to_string(node.type_of(rhs->tensor).shape) +
                               ", expected as many axes as the " + std::to_string(rank) +
                               " of the input: [spatial.., in / groups, out]");
    return std::nullopt;
  }
  s.kernel = rhs->tensor;
  if (kernel_layout == "oi..") {
    const auto permuted = permuted_kernel(node, s.kernel, from_channels_first(static_cast<size_t>(rank)));
    if (!permuted) return std::nullopt;
    s.kernel = *permuted;
  }
  const size_t axes = static_cast<size_t>(rank) - 2;
  const Shape &x = node.type(0).shape, &k = node.type_of(s.kernel).shape;
  s.extent = {x.begin() + 1, x.end() - 1};
  s.taps = {k.begin(), k.end() - 2};
  if (std::any_of(s.taps.begin(), s.taps.end(), [](int64_t t) { return t < 1 || t > (int64_t{1} << 30); })) {
    node.problem("kernel", "has shape " + to_string(k) + ", which has no taps or too many");
    return std::nullopt;
  }
  const std::vector<int64_t> ones(axes, 1);
  const auto strides = per_axis(node, "strides", axes, ones), dilation = per_axis(node, "kernel_dilation", axes, ones);
  if (!strides || !dilation) return std::nullopt;
  s.attrs->strides = *strides;
  s.attrs->kernel_dilation = *dilation;
  s.attrs->input_dilation = ones;
  s.window = covered(s.taps, *dilation);
  return s;
}

void finish(SpecNode& node, ConvSetup& s, const std::optional<Padding>& padding) {
  if (!padding || !node.ok()) return node.result(std::nullopt);
  s.attrs->pad_lo = padding->lo;
  s.attrs->pad_hi = padding->hi;
  const int64_t channels = node.type(0).shape.back(), groups = s.attrs->groups;
  const Shape& k = node.type_of(s.kernel).shape;
  if (channels % groups != 0 || k[k.size() - 2] != channels / groups || k.back() % groups != 0) {
    node.problem("kernel",
                 "of shape " + to_string(k) + " does not fit the " + std::to_string(channels) +
                     " channels of the input and " + std::to_string(groups) + " group" + (groups == 1 ? "" : "s"),
                 "a kernel is [spatial.., channels / groups, out] with out a multiple of the groups");
    return node.result(std::nullopt);
  }
  add_product(node, s.kernel, s.attrs, "conv", "conv_general_dilated");
}

void read_conv(SpecNode& node) {
  auto s = setup(node);
  if (!s) return node.result(std::nullopt);
  const auto input_dilation = per_axis(node, "input_dilation", s->extent.size(), s->attrs->input_dilation);
  const int64_t groups = node.fields.integer("feature_group_count", 1, int64_t{1} << 30).value_or(1);
  s->attrs->groups = node.fields.integer("groups", 1, int64_t{1} << 30).value_or(groups);
  if (node.fields.has("groups") && node.fields.has("feature_group_count")) {
    node.problem("groups", "is another word for feature_group_count", "give one of them");
  }
  if (!input_dilation) return node.result(std::nullopt);
  const bool dilated = *input_dilation != s->attrs->input_dilation;
  s->attrs->input_dilation = *input_dilation;
  if (dilated && node.fields.value().find("padding") && node.fields.value().find("padding")->string() &&
      *node.fields.value().find("padding")->string() == "SAME") {
    node.problem("padding", "\"SAME\" is not defined with an input dilation", "give pairs, or use conv_transpose");
  }
  finish(node, *s, read_padding(node, dilated ? "VALID" : "SAME", s->extent, s->window, s->attrs->strides));
}

void read_depthwise(SpecNode& node) {
  auto s = setup(node);
  if (!s) return node.result(std::nullopt);
  s->attrs->groups = std::max<int64_t>(node.type(0).shape.back(), 1);
  finish(node, *s, read_padding(node, "SAME", s->extent, s->window, s->attrs->strides));
}

/// As lax.conv_transpose without transpose_kernel: the input is dilated by the strides and padded so that SAME gives
/// extent * stride positions and VALID every position that an input element reaches; pairs pad the dilated input.
void read_transpose(SpecNode& node) {
  auto s = setup(node);
  if (!s) return node.result(std::nullopt);
  const size_t axes = s->extent.size();
  const std::vector<int64_t> strides = s->attrs->strides;
  s->attrs->input_dilation = strides;
  s->attrs->strides = std::vector<int64_t>(axes, 1);
  const JsonValue* field = node.fields.find("padding");
  if (field && !field->string()) return finish(node, *s, explicit_padding(node, axes));
  const std::string word = field ? *field->string() : "SAME";
  if (word != "SAME" && word != "VALID") {
    node.problem("padding", "expected \"SAME\", \"VALID\" or pairs, found " + in_quotes(word));
    return node.result(std::nullopt);
  }
  Padding padding;
  for (size_t i = 0; i < axes; ++i) {
    const int64_t k = s->window[i], stride = strides[i];
    const int64_t total = k + stride - 2 + (word == "VALID" ? std::max<int64_t>(k - stride, 0) : 0);
    const int64_t lo = word == "VALID" || stride > k - 1 ? k - 1 : (total + 1) / 2;
    padding.lo.push_back(lo);
    padding.hi.push_back(total - lo);
  }
  finish(node, *s, padding);
}

const SpecOps::Add kConvs({
    {"conv", 1, 2, read_conv, conv_fields({"feature_group_count", "groups", "input_dilation"}), true},
    {"depthwise_conv", 1, 2, read_depthwise, conv_fields({}), true},
    {"conv_transpose", 1, 2, read_transpose, conv_fields({}), true},
});

}  // namespace
}  // namespace qlathe
