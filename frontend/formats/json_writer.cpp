#include "frontend/formats/json_writer.h"

#include <nlohmann/json.hpp>

namespace qlathe {

std::string json_string(std::string_view text) {
  return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace qlathe
