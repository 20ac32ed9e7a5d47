// The shared library consists of the rooms' archives; this file gives it a source of its own.
#include "api/qlathe_c.h"
