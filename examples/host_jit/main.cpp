// A host program that compiles a model into itself and runs it from two threads.
//
//   example_host_jit examples/digits
#include <cstdio>
#include <string>
#include <thread>

#include "api/qlathe.h"
#include "api/support.h"

namespace {

constexpr size_t kClasses = 10;

/// Reads every second image from `first` on; gives the number of right answers.
int classify(const qlathe::Model& model, const qlathe::HostTensor& images, const qlathe::HostTensor& labels,
             int64_t first) {
  // An Instance is the memory of one run at a time; the Model's code is shared.
  const std::unique_ptr<qlathe::Instance> instance = model.instance();
  const auto image_bytes = static_cast<int64_t>(images.byte_size()) / images.shape()[0];
  int right = 0;
  for (int64_t i = first; i < images.shape()[0]; i += 2) {
    float scores[kClasses];
    if (!instance->run({images.bytes() + i * image_bytes}, {scores}).ok()) return -1;
    size_t best = 0;
    for (size_t c = 1; c < kClasses; c++)
      if (scores[c] > scores[best]) best = c;
    right += static_cast<int64_t>(best) == labels.int_at(i);
  }
  return right;
}

qlathe::Result<int> run(const std::string& folder) {
  qlathe::CompileOptions options;
  options.rules = folder + "/rules/int8_static.json";
  options.calibration = folder + "/calibration.npz";
  QL_ASSIGN(const auto model, qlathe::Model::compile(folder + "/digits.json", options));
  QL_ASSIGN(const auto image_file, qlathe::read_all_arrays(folder + "/test_images.npy"));
  QL_ASSIGN(const auto label_file, qlathe::read_all_arrays(folder + "/test_labels.npy"));
  const qlathe::HostTensor &images = image_file.begin()->second, &labels = label_file.begin()->second;

  int right[2] = {};
  std::thread other([&] { right[1] = classify(*model, images, labels, 1); });
  right[0] = classify(*model, images, labels, 0);
  other.join();
  const auto count = static_cast<int>(images.shape()[0]);
  std::printf("%d of %d digits right with int8 weights and activations\n", right[0] + right[1], count);
  return right[0] + right[1] >= count * 95 / 100 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER  (examples/digits)\n", argv[0]);
    return 2;
  }
  const qlathe::Result<int> status = run(argv[1]);
  if (status.ok()) return *status;
  std::fprintf(stderr, "%s\n", status.status().text().c_str());
  return 1;
}
