#pragma once
/* Tells handwritten digits: the C API of libclassifier.so, for JNI, Dart's FFI or any other language. */
#include <stddef.h>

#if defined(__GNUC__)
#define CLASSIFIER_API __attribute__((visibility("default")))
#else
#define CLASSIFIER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct classifier classifier;

/* Bytes that a classifier takes, and a classifier in such memory of the caller's; null where it is too small or not
   aligned to 64 bytes. Any number may be used at once, each by one thread at a time. */
CLASSIFIER_API size_t classifier_bytes(void);
CLASSIFIER_API classifier* classifier_create(void* memory, size_t bytes);

/* The digit on a gray picture of 8 x 8, bright on dark, or -1; its score above the next best in *margin unless that is
   null. */
CLASSIFIER_API int classifier_run(classifier* c, const unsigned char* gray, size_t stride, float* margin);

/* 0 where this build computes what it must. */
CLASSIFIER_API int classifier_self_test(void);

#ifdef __cplusplus
}
#endif
