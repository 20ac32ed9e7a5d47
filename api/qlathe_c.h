// qlathe_c.h: qlathe from C and from every language that calls C. Thread-safe; no exception crosses it.
//
//   qlathe_options options = {0};
//   options.rules = "int8.json";
//   qlathe_model* model = NULL;
//   if (qlathe_compile("digits.json", &options, &model) != QLATHE_OK) { puts(qlathe_last_error()); return 1; }
//   qlathe_instance* run = NULL;
//   qlathe_instance_create(model, 1, &run);
//   const void* inputs[] = {pixels};
//   void* outputs[] = {scores};
//   qlathe_run(run, inputs, 1, outputs, 1);
#ifndef QLATHE_C_H_
#define QLATHE_C_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define QLATHE_API __attribute__((visibility("default")))
#else
#define QLATHE_API
#endif

typedef enum {
  QLATHE_OK = 0,
  QLATHE_ERROR_USER = 1,         // a file, a rule or an argument is wrong: the message says what and where
  QLATHE_ERROR_UNSUPPORTED = 2,  // valid, but not supported
  QLATHE_ERROR_INTERNAL = 3      // a fault of qlathe
} qlathe_status;

typedef struct qlathe_model qlathe_model;
typedef struct qlathe_instance qlathe_instance;

// Zero-initialize; every field may stay zero.
typedef struct {
  const char* target;        // NULL: host
  const char* rules;         // path of a rule list
  const char* calibration;   // path of an .npz of batches
  const char* statistics;    // path of a statistics file
  const char* cache_folder;  // NULL: the user's cache folder
  int32_t no_cache;          // not 0: compile everything anew and keep nothing
  int32_t threads;           // that compile; 0: one per processor
} qlathe_options;

// A model's input or output. Pointers live as long as the model.
typedef struct {
  const char* name;
  const char* type;  // "float32", "int8", ...
  const int64_t* shape;
  size_t rank;
  size_t bytes;              // dense, row-major
  const char* quantization;  // "real = (q - 3) * 0.02", "" where it is float
} qlathe_tensor;

// What went wrong in the last call of this thread that failed, one line per problem. Never NULL.
QLATHE_API const char* qlathe_last_error(void);
QLATHE_API const char* qlathe_version(void);

// Reads, quantizes and compiles a model for this process. `options` may be NULL. *model is set on success only.
QLATHE_API qlathe_status qlathe_compile(const char* path, const qlathe_options* options, qlathe_model** model);
// NULL is allowed. Instances keep what they need of their model.
QLATHE_API void qlathe_model_free(qlathe_model* model);

QLATHE_API size_t qlathe_input_count(const qlathe_model* model);
QLATHE_API size_t qlathe_output_count(const qlathe_model* model);
// QLATHE_ERROR_USER for an index out of range.
QLATHE_API qlathe_status qlathe_input(const qlathe_model* model, size_t index, qlathe_tensor* tensor);
QLATHE_API qlathe_status qlathe_output(const qlathe_model* model, size_t index, qlathe_tensor* tensor);

// Memory for one run at a time; instances of one model may run concurrently. `threads` workers share large kernels.
QLATHE_API qlathe_status qlathe_instance_create(const qlathe_model* model, int32_t threads, qlathe_instance** instance);
QLATHE_API void qlathe_instance_free(qlathe_instance* instance);
// One pointer per input and output, each to `bytes` of its tensor.
QLATHE_API qlathe_status qlathe_run(qlathe_instance* instance, const void* const* inputs, size_t input_count,
                                    void* const* outputs, size_t output_count);
// Sets states to their initial values.
QLATHE_API qlathe_status qlathe_reset(qlathe_instance* instance);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // QLATHE_C_H_
