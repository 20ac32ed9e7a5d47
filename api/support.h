#pragma once
/// What programs around the API use of the front-end beside graphs: array files, whole-or-nothing files, messages.
#include "frontend/formats/arrays/array_file.h"
#include "frontend/formats/atomic_write.h"
#include "frontend/formats/graph_file.h"
#include "frontend/formats/json_writer.h"
#include "frontend/ir/suggest.h"
#include "frontend/ir/text.h"
