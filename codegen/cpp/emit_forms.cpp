#include "codegen/cpp/emit_forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "codegen/cpp/cpu_features.h"
#include "codegen/cpp/emit_files.h"
#include "codegen/cpp/literals.h"
#include "codegen/cpp/text_template.h"
#include "codegen/cpp/wrap.h"

namespace qlathe {
namespace {

/// "avx2" of "x86-64-avx2".
std::string short_name(const Target& target) { return identifier(target.name.substr(target.name.rfind('-') + 1)); }

/// "x86-64" of it.
std::string family(const Target& target) { return target.name.substr(0, target.name.rfind('-')); }

std::string form_name(const EmitNames& names, const Target& target) { return names.model + "_" + short_name(target); }

std::string flags_text(const std::vector<std::string>& flags) {
  return flags.empty() ? "" : fmt::format(" {}", fmt::join(flags, " "));
}

class Forms {
 public:
  Forms(std::vector<EmitForm> forms, const EmitOptions& options) : forms_(std::move(forms)), options_(options) {
    // The more a processor must have, the better.
    std::stable_sort(forms_.begin(), forms_.end(), [](const EmitForm& a, const EmitForm& b) {
      return a.program.target->cpu_flags.size() > b.program.target->cpu_flags.size();
    });
    whole_ = forms_[0].program;
    std::vector<std::string> targets;
    int64_t arena = 0;
    for (const EmitForm& form : forms_) {
      targets.push_back(form.program.target->name);
      arena = std::max(arena, arena_total(form.program, form.kernels));
      whole_.arena_alignment = std::max(whole_.arena_alignment, form.program.arena_alignment);
      whole_.state_bytes = std::max(whole_.state_bytes, form.program.state_bytes);
      if (&form == &forms_[0]) continue;
      whole_.constants.insert(whole_.constants.end(), form.program.constants.begin(), form.program.constants.end());
    }
    whole_.arena_bytes += arena - arena_total(whole_, forms_[0].kernels);
    options_.targets = fmt::format("{}", fmt::join(targets, ", "));
    options_.several_forms = true;
    names_ = make_names(whole_);
  }

  Result<std::vector<EmittedFile>> files() const {
    std::vector<EmittedFile> out;
    out.push_back({names_.model + ".h", emit_header(whole_, forms_[0].kernels, options_, names_)});
    out.push_back({names_.model + ".cpp", dispatcher()});
    for (const EmitForm& form : forms_) {
      QL_RETURN_IF_ERROR(append_form(form, out));
    }
    out.push_back({names_.model + "_self_test.cpp", emit_self_test(whole_, options_, names_)});
    out.push_back({"main.cpp", emit_main(whole_, options_, names_)});
    out.push_back({"CMakeLists.txt", build_file()});
    out.push_back({"qlathe_runtime.h", amalgamated_runtime()});
    return out;
  }

 private:
  Status append_form(const EmitForm& form, std::vector<EmittedFile>& out) const {
    EmitOptions options = options_;
    options.targets.clear();
    options.several_forms = false;
    options.part_of = names_.model;
    Program program = form.program;
    program.name = form_name(names_, *program.target);
    QL_ASSIGN(std::vector<EmittedFile> files, emit_cpp(program, form.kernels, options));
    for (EmittedFile& file : files) {
      const bool own = file.name.starts_with(program.name) && !file.name.ends_with("_self_test.cpp");
      if (own) out.push_back(std::move(file));
    }
    return {};
  }

  std::string dispatcher() const {
    std::string forms, includes, choices;
    std::set<std::string> features;
    bool always = false;
    for (const EmitForm& form : forms_) {
      const Target& target = *form.program.target;
      const std::string name = form_name(names_, target);
      forms +=
          fmt::format("//   {:<{}}  -O2{}\n", name + ".cpp", names_.model.size() + 16, flags_text(target.gcc_flags));
      includes += fmt::format("#include \"{}.h\"\n", name);
      const std::vector<std::string> conditions = cpu_conditions(target, features);
      if (always) continue;
      always = conditions.empty();
      choices += always ? fmt::format("  return {}_run;\n", name) : choice(conditions, name);
    }
    if (!always) choices += "  return nullptr;\n";
    forms.pop_back();
    includes.pop_back();
    choices.pop_back();
    std::string detection = cpu_detection(features);
    detection.pop_back();
    const std::string parameters = run_parameters(whole_, names_, options_);
    std::string definition = wrap_code(fmt::format("int {}_run({}) {{", names_.model, parameters), "");
    definition.pop_back();
    std::string type = wrap_code(fmt::format("typedef int (*Run)({});", parameters), "");
    type.pop_back();
    std::vector<std::string> arguments = names_.inputs;
    arguments.insert(arguments.end(), names_.outputs.begin(), names_.outputs.end());
    if (whole_.state_bytes > 0) arguments.emplace_back("state");
    for (const EmitPool& pool : pools_of(whole_, 0, names_))
      arguments.push_back(pool.name);
    return fill_template("forms.cpp.in", {{"model", names_.model},
                                          {"title", title(whole_, options_)},
                                          {"provenance", comment_lines(options_.provenance)},
                                          {"forms", forms},
                                          {"includes", includes},
                                          {"system_include", cpu_include(features)},
                                          {"detection", detection},
                                          {"run_type", type},
                                          {"choices", choices},
                                          {"run_definition", definition},
                                          {"arguments", fmt::format("{}", fmt::join(arguments, ", "))},
                                          {"form_names", form_names()},
                                          {"reset", reset()}});
  }

  static std::string choice(const std::vector<std::string>& conditions, const std::string& name) {
    std::string condition = wrap_code(fmt::format("if ({})", fmt::join(conditions, " && ")), "  ");
    const bool one_line = condition.size() + name.size() < 100;
    condition.back() = one_line ? ' ' : '\n';
    return fmt::format("{}{}return {}_run;\n", condition, one_line ? "" : "    ", name);
  }

  /// <model>_form's names.
  std::string form_names() const {
    std::string choices;
    for (const EmitForm& form : forms_) {
      const Target& target = *form.program.target;
      choices += fmt::format("  if (run == {}_run) return \"{}\";\n", form_name(names_, target), target.name);
    }
    choices.pop_back();
    return choices;
  }

  /// The state is laid out by the form that runs.
  std::string reset() const {
    if (whole_.state_bytes == 0) return "";
    std::string choices;
    for (const EmitForm& form : forms_) {
      const std::string name = form_name(names_, *form.program.target);
      choices += fmt::format("  if (run == {0}_run) {0}_reset(state);\n", name);
    }
    return fmt::format("\nextern \"C\" void {}_reset(void* state) {{\n  const Run run = best_run();\n{}}}",
                       names_.model, choices);
  }

  std::string build_file() const {
    std::string sources, gcc, clang;
    for (const EmitForm& form : forms_) {
      const Target& target = *form.program.target;
      const std::string name = form_name(names_, target);
      sources += fmt::format(" {}.cpp", name);
      if (options_.weights == WeightPlacement::kSeparate) sources += fmt::format(" {}_weights.cpp", name);
      const auto line = [&](const std::vector<std::string>& flags) {
        std::string list = "-O2";
        for (const std::string& flag : flags)
          list += ";" + flag;
        return fmt::format("  set_source_files_properties({}.cpp PROPERTIES COMPILE_OPTIONS \"{}\")\n", name, list);
      };
      gcc += line(target.gcc_flags);
      clang += line(target.clang_flags);
    }
    gcc.pop_back();
    clang.pop_back();
    return fill_template("forms_CMakeLists.txt.in", {{"model", names_.model},
                                                     {"title", title(whole_, options_)},
                                                     {"form_sources", sources},
                                                     {"gcc_flags", gcc},
                                                     {"clang_flags", clang}});
  }

  std::vector<EmitForm> forms_;
  EmitOptions options_;
  Program whole_;  ///< what all forms have in common, with the largest sizes
  EmitNames names_;
};

}  // namespace

Status check_forms(const std::vector<const Target*>& targets) {
  std::set<std::string> seen;
  for (const Target* target : targets) {
    const Place place{"", "", "--target"};
    if (!target->vectorize || target->cpu_flags.empty()) {
      return Status::user(place, "target " + target->name + " cannot be one form of several",
                          "name x86-64 targets or arm64 targets together, or this one alone");
    }
    if (family(*target) != family(*targets[0])) {
      return Status::user(place, "targets " + targets[0]->name + " and " + target->name + " are different processors",
                          "compile them into folders of their own");
    }
    if (!seen.insert(target->name).second) {
      return Status::user(place, "target " + target->name + " is named twice", "name it once");
    }
  }
  return {};
}

Result<std::vector<EmittedFile>> emit_forms(std::vector<EmitForm> forms, const EmitOptions& options) {
  QL_CHECK(!forms.empty() && options.weights != WeightPlacement::kBinary, "forms hold their weights");
  return Forms(std::move(forms), options).files();
}

}  // namespace qlathe
