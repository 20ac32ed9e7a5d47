// A case that crashes, hangs or eats memory must not end the run: each has a process of its own.
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>

#include "tests/cases/result.h"

namespace qlathe::cases {
namespace {

using Clock = std::chrono::steady_clock;

struct Child {
  pid_t pid = -1;
  int pipe = -1;
  Clock::time_point started;
  ChildOutcome outcome;
};

void limit_memory([[maybe_unused]] const ChildLimits& limits) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  if (limits.megabytes <= 0) return;
  const auto bytes = static_cast<rlim_t>(limits.megabytes) << 20;
  const rlimit limit = {bytes, bytes};
  setrlimit(RLIMIT_AS, &limit);
#endif
}

Child start(const std::function<std::string(size_t)>& work, size_t index, const ChildLimits& limits) {
  int ends[2];
  Child child;
  child.started = Clock::now();
  if (pipe(ends) != 0) {
    child.outcome.death = std::string("no pipe: ") + std::strerror(errno);
    return child;
  }
  std::fflush(stdout);
  std::fflush(stderr);
  child.pid = fork();
  if (child.pid == 0) {
    close(ends[0]);
    setpgid(0, 0);  // with the compilers that it starts
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit_memory(limits);
    const std::string text = work(index);
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = write(ends[1], text.data() + at, text.size() - at);
      if (n <= 0) _exit(1);
      at += static_cast<size_t>(n);
    }
    _exit(0);
  }
  close(ends[1]);
  child.pipe = ends[0];
  if (child.pid < 0) child.outcome.death = std::string("no process: ") + std::strerror(errno);
  return child;
}

void finish(Child& child) {
  close(child.pipe);
  int status = 0;
  waitpid(child.pid, &status, 0);
  if (!child.outcome.death.empty()) return;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    child.outcome.death = "killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
  } else if (WEXITSTATUS(status) != 0) {
    child.outcome.death = "ended with exit code " + std::to_string(WEXITSTATUS(status));
  }
}

}  // namespace

void run_in_children(size_t count, int jobs, const ChildLimits& limits, const std::function<std::string(size_t)>& work,
                     const std::function<void(size_t, const ChildOutcome&)>& done) {
  std::map<size_t, Child> running;
  std::map<size_t, ChildOutcome> ended;
  size_t next = 0, reported = 0;
  while (reported < count) {
    while (next < count && running.size() < static_cast<size_t>(jobs)) {
      Child child = start(work, next, limits);
      if (child.pid < 0) {
        ended[next] = child.outcome;
      } else {
        running[next] = child;
      }
      next++;
    }
    std::vector<pollfd> polled;
    std::vector<size_t> order;
    for (const auto& [index, child] : running) {
      polled.push_back({child.pipe, POLLIN, 0});
      order.push_back(index);
    }
    if (!polled.empty()) poll(polled.data(), polled.size(), 200);
    for (size_t i = 0; i < polled.size(); i++) {
      Child& child = running[order[i]];
      const bool late = std::chrono::duration<double>(Clock::now() - child.started).count() > limits.seconds;
      ssize_t n = 1;
      if (polled[i].revents != 0) {
        char buffer[65536];
        n = read(child.pipe, buffer, sizeof buffer);
        if (n > 0) child.outcome.output.append(buffer, static_cast<size_t>(n));
      }
      if (late && n > 0) {
        if (kill(-child.pid, SIGKILL) != 0) kill(child.pid, SIGKILL);
        child.outcome.death = "no result within " + std::to_string(static_cast<int>(limits.seconds)) + " s";
      }
      if (n > 0 && !late) continue;
      finish(child);
      ended[order[i]] = child.outcome;
      running.erase(order[i]);
    }
    for (; ended.count(reported); reported++) {
      done(reported, ended[reported]);
      ended.erase(reported);
    }
  }
}

}  // namespace qlathe::cases
