#include "api/report.h"

namespace qlathe {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

std::string row(const std::string& what, const std::string& value) {
  return "<tr><td>" + escaped(what) + "</td><td class=\"n\">" + escaped(value) + "</td></tr>\n";
}

}  // namespace

std::string report_page(const ModelOutput& output, const std::vector<std::string>& provenance) {
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + escaped(output.name) +
                    "</title>\n<style>body{font-family:sans-serif;margin:2em;max-width:1200px}"
                    "td{padding:2px 12px 2px 0;vertical-align:top}.n{text-align:right}pre{background:#f6f6f6;"
                    "padding:8px;overflow:auto}svg{max-width:100%;height:auto}</style></head><body>\n<h1>" +
                    escaped(output.name) + " for " + escaped(output.target) + "</h1>\n<ul>\n";
  for (const std::string& line : provenance)
    out += "<li>" + escaped(line) + "</li>\n";
  out += "</ul>\n<h2>Sizes in bytes</h2>\n<table>\n";
  out += row("weights and other packed constants", std::to_string(output.weight_bytes));
  out += row("arena", std::to_string(output.arena_bytes));
  if (output.scratch_bytes > 0) out += row("of it scratch of kernels", std::to_string(output.scratch_bytes));
  out += row("state", std::to_string(output.state_bytes));
  if (output.figures) {
    const CodeFigures& f = *output.figures;
    out += row("machine code (" + f.compiler + ")", std::to_string(f.code_bytes));
    out += row("read-only data, weights included", std::to_string(f.constant_bytes));
    std::string outside;
    for (const std::string& name : f.outside)
      outside += (outside.empty() ? ", without " : ", ") + name;
    out += row("stack" + outside, std::to_string(f.stack_bytes));
  } else {
    out += row("machine code, stack", "not measured: " + output.unmeasured);
  }
  out += row("multiply-accumulates of a run", std::to_string(output.macs));
  out += "</table>\n<h2>Memory plan</h2>\n" + output.memory_svg + "<pre>" + escaped(output.memory_text) +
         "</pre>\n<h2>Calls</h2>\n<table>\n";
  for (size_t i = 0; i < output.calls.size(); i++)
    out += "<tr><td class=\"n\">" + std::to_string(i + 1) + "</td><td>" + escaped(output.calls[i].first) + "</td><td>" +
           escaped(output.calls[i].second) + "</td></tr>\n";
  out += "</table>\n<h2>Decisions</h2>\n<ul>\n";
  for (const std::string& note : output.notes)
    out += "<li>" + escaped(note) + "</li>\n";
  return out + "</ul>\n</body></html>\n";
}

}  // namespace qlathe
