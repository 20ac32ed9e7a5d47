#include "cli/terminal/deferred_interrupt.h"

#include <csignal>
#include <cstddef>

namespace qlathe::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr size_t kCount = sizeof kSignals / sizeof kSignals[0];
struct sigaction before[kCount];
volatile std::sig_atomic_t came = 0;

void note(int signal) { came = signal; }

}  // namespace

// A handler, not a blocked mask: other threads of the process would take a signal that only this one blocks.
DeferredInterrupt::DeferredInterrupt() {
  came = 0;
  struct sigaction wait = {};
  wait.sa_handler = note;
  wait.sa_flags = SA_RESTART;
  sigemptyset(&wait.sa_mask);
  for (size_t i = 0; i < kCount; i++) {
    sigaction(kSignals[i], nullptr, &before[i]);
    // What was ignored (nohup) stays so.
    if (before[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &wait, nullptr);
  }
}

DeferredInterrupt::~DeferredInterrupt() {
  for (size_t i = 0; i < kCount; i++)
    sigaction(kSignals[i], &before[i], nullptr);
  if (came != 0) raise(came);
}

}  // namespace qlathe::cli
