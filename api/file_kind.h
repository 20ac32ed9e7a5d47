#pragma once
#include <string>
#include <string_view>

namespace qlathe {

/// The formats that a model may have, for messages.
inline constexpr const char* kModelFormats =
    "a spec (.json), an ONNX model (.onnx), a TFLite model (.tflite) or a graph in text form (.qir)";

/// Whether it is the text form of a graph, maybe after comments.
bool begins_graph_text(std::string_view beginning);

/// What a file seems to be that is no model here, told by its first bytes: "an archive (.zip, .npz, .pt)", "text that
/// begins with '# Title'".
std::string file_kind(std::string_view beginning);

}  // namespace qlathe
