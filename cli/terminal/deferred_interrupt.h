#pragma once

namespace qlathe::cli {

/// While it lives, SIGINT, SIGTERM and SIGHUP wait: files that are being written appear whole, or their temporary ones
/// are removed. A signal that came takes effect at the end. One at a time; not for library code.
class DeferredInterrupt {
 public:
  DeferredInterrupt();
  ~DeferredInterrupt();
  DeferredInterrupt(const DeferredInterrupt&) = delete;
  DeferredInterrupt& operator=(const DeferredInterrupt&) = delete;
};

}  // namespace qlathe::cli
