#include "schedule/device.h"

namespace qlathe {

std::string device_of(const Target& target) {
  for (const char* device : {"opencl", "cuda"}) {
    if (target.halide.find(std::string("-") + device) != std::string::npos) return device;
  }
  return "";
}

}  // namespace qlathe
