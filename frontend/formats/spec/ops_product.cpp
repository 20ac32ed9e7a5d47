// linear, dot_general, einsum: products that become dot_general.
#include <algorithm>
#include <cctype>

#include "frontend/formats/spec/products.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

std::vector<std::string> product_fields(std::vector<std::string> more) {
  more.insert(more.end(), kProductFields.begin(), kProductFields.end());
  return more;
}

/// y = x . kernel + bias over the last axis of x; kernel [in, out], or [out, in] with kernel_layout "oi".
void read_linear(SpecNode& node) {
  const std::string layout = node.fields.string("kernel_layout").value_or("io");
  if (layout != "io" && layout != "oi") node.problem("kernel_layout", "expected \"io\" or \"oi\"");
  auto kernel = node.weight("kernel");
  if (!kernel || !node.ok()) return node.result(std::nullopt);
  const std::string array = node.builder.graph[*kernel].name;
  if (node.type_of(*kernel).shape.size() != 2) {
    node.problem("kernel", in_quotes(array) + " has shape " + to_string(node.type_of(*kernel).shape) +
                               ", a linear kernel has two axes");
    return node.result(std::nullopt);
  }
  if (layout == "oi") kernel = permuted_kernel(node, *kernel, {1, 0});
  if (!kernel) return node.result(std::nullopt);
  const Shape& x = node.type(0).shape;
  const int64_t in = node.type_of(*kernel).shape[0];
  if (x.empty() || x.back() != in) {
    node.problem("kernel",
                 in_quotes(array) + " takes " + std::to_string(in) + " features, the input " +
                     in_quotes(node.names[0]) + " of shape " + to_string(x) + " has " +
                     (x.empty() ? "none" : std::to_string(x.back())),
                 layout == "io" && !x.empty() && node.type_of(*kernel).shape[1] == x.back()
                     ? "a kernel of [out, in] needs \"kernel_layout\": \"oi\""
                     : "");
    return node.result(std::nullopt);
  }
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {static_cast<int64_t>(x.size()) - 1};
  attrs->rhs_contracting = {0};
  add_product(node, *kernel, attrs, "dot_general", "dot_general");
}

/// [[[lhs contracting], [rhs contracting]], [[lhs batch], [rhs batch]]] as in lax.
bool read_dimension_numbers(SpecNode& node, DotGeneralAttrs& attrs) {
  const JsonValue::Array* pairs = node.fields.required_array("dimension_numbers");
  if (!pairs) return false;
  std::vector<std::vector<int64_t>*> targets = {&attrs.lhs_contracting, &attrs.rhs_contracting, &attrs.lhs_batch,
                                                &attrs.rhs_batch};
  bool good = pairs->size() == 2;
  for (size_t p = 0; good && p < 2; ++p) {
    const JsonValue::Array* pair = (*pairs)[p].array();
    good = pair && pair->size() == 2;
    for (size_t side = 0; good && side < 2; ++side) {
      const JsonValue::Array* axes = (*pair)[side].array();
      good = axes != nullptr;
      for (size_t i = 0; good && i < axes->size(); ++i) {
        good = (*axes)[i].integer() != nullptr;
        if (good) targets[2 * p + side]->push_back(*(*axes)[i].integer());
      }
    }
  }
  if (!good) {
    node.problem("dimension_numbers",
                 "expected [[[lhs contracting], [rhs contracting]], [[lhs batch], [rhs batch]]], lists of axes");
  }
  return good;
}

void read_dot_general(SpecNode& node) {
  auto attrs = std::make_shared<DotGeneralAttrs>();
  const auto rhs = right_operand(node);
  if (!read_dimension_numbers(node, *attrs) || !rhs) return node.result(std::nullopt);
  add_product(node, rhs->tensor, attrs, "dot_general", "dot_general");
}

/// One label per axis: letters, and for the axes of an ellipsis the numbers 256, 257, … aligned at the last.
using Labels = std::vector<int>;

class Einsum {
 public:
  Einsum(SpecNode& node, std::string equation) : node_(node), equation_(std::move(equation)) {}

  std::shared_ptr<DotGeneralAttrs> read(int64_t lhs_rank, int64_t rhs_rank) {
    std::erase(equation_, ' ');
    const size_t comma = equation_.find(','), arrow = equation_.find("->");
    if (comma == std::string::npos || arrow == std::string::npos || comma > arrow ||
        equation_.find(',', comma + 1) != std::string::npos) {
      return fail("expected two operands and a result, such as \"bd,df->bf\"");
    }
    const std::string a = equation_.substr(0, comma), b = equation_.substr(comma + 1, arrow - comma - 1),
                      c = equation_.substr(arrow + 2);
    const auto lhs = labels(a, lhs_rank), rhs = labels(b, rhs_rank);
    if (!lhs || !rhs) return nullptr;
    const size_t dots = c.find("...");
    const size_t letters = c.size() - (dots == std::string::npos ? 0 : 3);
    const size_t rank = letters + (dots == std::string::npos ? 0 : std::max(ellipsis(*lhs), ellipsis(*rhs)));
    const auto out = labels(c, static_cast<int64_t>(rank));
    if (!out) return nullptr;
    return attributes(*lhs, *rhs, *out);
  }

 private:
  std::shared_ptr<DotGeneralAttrs> fail(const std::string& why) {
    node_.problem("equation", why);
    return nullptr;
  }

  static size_t ellipsis(const Labels& labels) {
    return static_cast<size_t>(std::count_if(labels.begin(), labels.end(), [](int l) { return l >= 256; }));
  }

  static bool has(const Labels& labels, int label) {
    return std::find(labels.begin(), labels.end(), label) != labels.end();
  }

  static std::string shown(int label) {
    return label < 256 ? "'" + std::string(1, static_cast<char>(label)) + "'" : "of the ellipsis";
  }

  std::optional<Labels> labels(const std::string& text, int64_t rank) {
    const size_t dots = text.find("...");
    const auto letters = static_cast<int64_t>(text.size()) - (dots == std::string::npos ? 0 : 3);
    if (letters > rank || (dots == std::string::npos && letters != rank)) {
      fail("'" + text + "' names " + std::to_string(letters) + " axes, the operand has " + std::to_string(rank));
      return std::nullopt;
    }
    Labels out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (i == dots) {
        // Numbered from the end, so that ellipses of different length are aligned at their last axis.
        for (int64_t n = rank - letters; n-- > 0;)
          out.push_back(256 + static_cast<int>(n));
        i += 2;
        continue;
      }
      if (!std::isalpha(static_cast<unsigned char>(text[i]))) {
        fail(in_quotes(text.substr(i, 1)) + " is no letter");
        return std::nullopt;
      }
      if (has(out, text[i])) {
        fail("the index " + shown(text[i]) + " is repeated in " + in_quotes(text));
        return std::nullopt;
      }
      out.push_back(text[i]);
    }
    return out;
  }

  std::shared_ptr<DotGeneralAttrs> attributes(const Labels& lhs, const Labels& rhs, const Labels& out) {
    auto attrs = std::make_shared<DotGeneralAttrs>();
    Labels batch, lhs_free, rhs_free;
    for (size_t i = 0; i < lhs.size(); ++i) {
      const auto other = std::find(rhs.begin(), rhs.end(), lhs[i]);
      if (other == rhs.end()) {
        if (!has(out, lhs[i])) return fail("the index " + shown(lhs[i]) + " of one operand alone is summed over");
        lhs_free.push_back(lhs[i]);
        continue;
      }
      (has(out, lhs[i]) ? attrs->lhs_batch : attrs->lhs_contracting).push_back(static_cast<int64_t>(i));
      (has(out, lhs[i]) ? attrs->rhs_batch : attrs->rhs_contracting).push_back(other - rhs.begin());
      if (has(out, lhs[i])) batch.push_back(lhs[i]);
    }
    for (int label : rhs) {
      if (has(lhs, label)) continue;
      if (!has(out, label)) return fail("the index " + shown(label) + " of one operand alone is summed over");
      rhs_free.push_back(label);
    }
    Labels natural = batch;
    natural.insert(natural.end(), lhs_free.begin(), lhs_free.end());
    natural.insert(natural.end(), rhs_free.begin(), rhs_free.end());
    if (out.size() != natural.size()) {
      for (int label : out) {
        if (!has(natural, label)) return fail("the index " + shown(label) + " of the result is in no operand");
      }
    }
    for (int label : out) {
      const auto at = std::find(natural.begin(), natural.end(), label);
      if (at == natural.end()) return fail("the index " + shown(label) + " of the result is in no operand");
      attrs->output_permutation.push_back(at - natural.begin());
    }
    if (std::is_sorted(attrs->output_permutation.begin(), attrs->output_permutation.end())) {
      attrs->output_permutation.clear();
    }
    // Qwix's einsum swaps its operands before it quantizes them, so the weight's scale is applied first.
    attrs->scale_order = ScaleOrder::kRhsFirst;
    return attrs;
  }

  SpecNode& node_;
  std::string equation_;
};

void read_einsum(SpecNode& node) {
  const std::string equation = node.fields.required_string("equation");
  const auto rhs = right_operand(node);
  if (!rhs || !node.ok()) return node.result(std::nullopt);
  const auto rhs_rank = static_cast<int64_t>(node.type_of(rhs->tensor).shape.size());
  const auto attrs = Einsum(node, equation).read(node.rank(0), rhs_rank);
  if (!attrs) return node.result(std::nullopt);
  add_product(node, rhs->tensor, attrs, "dot_general", "einsum");
}

const SpecOps::Add kProducts({
    {"linear", 1, 1, read_linear, product_fields({"kernel_layout"}), true},
    {"dot_general", 1, 2, read_dot_general, product_fields({"dimension_numbers"}), false},
    {"einsum", 1, 2, read_einsum, product_fields({"equation"}), false},
});

}  // namespace
}  // namespace qlathe
