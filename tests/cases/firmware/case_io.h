#pragma once
/* The inputs of a case and its outputs, for the program that runs it on a target: files of the computer around it. */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Each 0 where it did not work. */
int case_open(const char* inputs, const char* outputs);
int case_read(void* to, size_t bytes);
int case_write(const void* from, size_t bytes);
int case_close(void);

#ifdef __cplusplus
}
#endif
