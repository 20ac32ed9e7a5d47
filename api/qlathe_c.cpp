#include "api/qlathe_c.h"

#include <new>
#include <string>
#include <vector>

#include "api/qlathe.h"

struct qlathe_model {
  std::shared_ptr<const qlathe::Model> model;
};

struct qlathe_instance {
  std::unique_ptr<qlathe::Instance> instance;
};

namespace {

std::string& last_error() {
  thread_local std::string text;
  return text;
}

qlathe_status failed(const qlathe::Status& status) {
  last_error() = status.text();
  if (status.only_unsupported()) return QLATHE_ERROR_UNSUPPORTED;
  for (const qlathe::Diagnostic& d : status.diagnostics()) {
    if (d.kind == qlathe::Diagnostic::Kind::kInternal) return QLATHE_ERROR_INTERNAL;
  }
  return QLATHE_ERROR_USER;
}

qlathe_status user_error(const char* function, const char* message) {
  return failed(qlathe::Status::user({"", function, ""}, message));
}

/// Runs `body`, which gives a qlathe_status; every exception becomes one.
template <class Body>
qlathe_status guarded(Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return failed(qlathe::Status::user({}, "there is not enough memory", "use smaller shapes"));
  } catch (const std::exception& error) {
    return failed(qlathe::Status::internal(error.what()));
  } catch (...) {
    return failed(qlathe::Status::internal("an unknown exception"));
  }
}

std::string text(const char* value) { return value == nullptr ? "" : value; }

qlathe_status describe(const char* function, const std::vector<qlathe::ProgramIo>& list, size_t index,
                       qlathe_tensor* tensor) {
  if (tensor == nullptr) return user_error(function, "tensor is NULL");
  if (index >= list.size()) return user_error(function, "index is out of range");
  const qlathe::ProgramIo& io = list[index];
  *tensor = {io.name.c_str(),      qlathe::name(io.type.type),    io.type.shape.data(),
             io.type.shape.size(), static_cast<size_t>(io.bytes), io.quantization.c_str()};
  return QLATHE_OK;
}

}  // namespace

extern "C" {

const char* qlathe_last_error(void) { return last_error().c_str(); }

const char* qlathe_version(void) { return QLATHE_VERSION; }

qlathe_status qlathe_compile(const char* path, const qlathe_options* options, qlathe_model** model) {
  return guarded([&] {
    if (path == nullptr || model == nullptr) return user_error("qlathe_compile", "path or model is NULL");
    qlathe::CompileOptions compile;
    if (options != nullptr) {
      if (options->target != nullptr) compile.target = options->target;
      compile.rules = text(options->rules);
      compile.calibration = text(options->calibration);
      compile.statistics = text(options->statistics);
      compile.cache_folder = text(options->cache_folder);
      compile.cache = options->no_cache == 0;
      compile.threads = options->threads;
    }
    auto compiled = qlathe::Model::compile(std::string(path), compile);
    if (!compiled.ok()) return failed(compiled.status());
    *model = new qlathe_model{std::move(compiled).value()};
    return QLATHE_OK;
  });
}

void qlathe_model_free(qlathe_model* model) { delete model; }

size_t qlathe_input_count(const qlathe_model* model) { return model == nullptr ? 0 : model->model->inputs().size(); }
size_t qlathe_output_count(const qlathe_model* model) { return model == nullptr ? 0 : model->model->outputs().size(); }

qlathe_status qlathe_input(const qlathe_model* model, size_t index, qlathe_tensor* tensor) {
  if (model == nullptr) return user_error("qlathe_input", "model is NULL");
  return describe("qlathe_input", model->model->inputs(), index, tensor);
}

qlathe_status qlathe_output(const qlathe_model* model, size_t index, qlathe_tensor* tensor) {
  if (model == nullptr) return user_error("qlathe_output", "model is NULL");
  return describe("qlathe_output", model->model->outputs(), index, tensor);
}

qlathe_status qlathe_instance_create(const qlathe_model* model, int32_t threads, qlathe_instance** instance) {
  return guarded([&] {
    if (model == nullptr || instance == nullptr)
      return user_error("qlathe_instance_create", "model or instance is NULL");
    *instance = new qlathe_instance{model->model->instance(threads)};
    return QLATHE_OK;
  });
}

void qlathe_instance_free(qlathe_instance* instance) { delete instance; }

qlathe_status qlathe_run(qlathe_instance* instance, const void* const* inputs, size_t input_count, void* const* outputs,
                         size_t output_count) {
  return guarded([&] {
    if (instance == nullptr || (inputs == nullptr && input_count > 0) || (outputs == nullptr && output_count > 0)) {
      return user_error("qlathe_run", "instance, inputs or outputs is NULL");
    }
    const qlathe::Status status = instance->instance->run(std::vector<const void*>(inputs, inputs + input_count),
                                                          std::vector<void*>(outputs, outputs + output_count));
    return status.ok() ? QLATHE_OK : failed(status);
  });
}

qlathe_status qlathe_reset(qlathe_instance* instance) {
  return guarded([&] {
    if (instance == nullptr) return user_error("qlathe_reset", "instance is NULL");
    instance->instance->reset();
    return QLATHE_OK;
  });
}

}  // extern "C"
