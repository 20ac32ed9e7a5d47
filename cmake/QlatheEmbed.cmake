# qlathe_embed(<target> <name> ROOT dir FILES file...): adds a source to <target> that defines
#   const std::vector<std::pair<std::string, std::string>>& qlathe::embedded_<name>();
# with the path (relative to ROOT) and the text of every file, so that the built command needs no files beside it.
function(qlathe_embed target name)
  cmake_parse_arguments(ARG "" "ROOT" "FILES" ${ARGN})
  set(body "")
  foreach(file ${ARG_FILES})
    file(RELATIVE_PATH relative "${ARG_ROOT}" "${file}")
    file(READ "${file}" text)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    string(APPEND body "      {\"${relative}\", R\"qlathe_embed(${text})qlathe_embed\"},\n")
  endforeach()
  set(out "${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.cpp")
  set(content "#include <string>\n#include <utility>\n#include <vector>\n\nnamespace qlathe {\n\nconst std::vector<std::pair<std::string, std::string>>& embedded_${name}() {\n  static const std::vector<std::pair<std::string, std::string>> files = {\n${body}  };\n  return files;\n}\n\n}  // namespace qlathe\n")
  file(CONFIGURE OUTPUT "${out}" CONTENT "${content}" @ONLY)
  target_sources(${target} PRIVATE "${out}")
endfunction()
