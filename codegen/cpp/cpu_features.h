#pragma once
/// How emitted programs find out what their processor can do.
#include <set>
#include <string>
#include <vector>

#include "schedule/target.h"

namespace qlathe {

/// C++ expressions that all hold on a processor that can run the target's code as its compiler flags make it; none
/// where every processor of the family can. What the expressions are made of is added to `features`.
std::vector<std::string> cpu_conditions(const Target& target, std::set<std::string>& features);

/// The system's header that the definitions need, or nothing.
std::string cpu_include(const std::set<std::string>& features);

/// Definitions that the expressions need: cpuid and xgetbv (Intel SDM, volumes 1, 13.3 and 2A), or getauxval.
std::string cpu_detection(const std::set<std::string>& features);

}  // namespace qlathe
