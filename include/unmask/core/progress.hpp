#pragma once

/// Text progress with an estimate of what is left. On a terminal one line is rewritten in place, at most ten times a
/// second; elsewhere (a log file, a pipe) a plain line appears every `every` seconds, and one at the end.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>

#include "view.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace unmask::inline UNMASK_ABI {

/// "0:07", "12:34", "3:04:05"; "-:--" for what is not known.
inline std::string format_duration(double seconds) {
  if (!(seconds >= 0 && seconds < 3.6e8)) return "-:--";
  const auto s = static_cast<long long>(std::llround(seconds));
  char text[32];
  if (s < 3600)
    std::snprintf(text, sizeof text, "%lld:%02lld", s / 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
  return text;
}

class progress_line {
 public:
  struct options {
    const char* label = "train";
    double every = 10;           ///< seconds between plain lines
    std::FILE* stream = stderr;  ///< nullptr: silent
  };

  /// `first` steps of `total` were done before (a resumed run): they count for the bar, not for the speed. Nor does the
  /// first step that is made: it may prepare data for minutes, and the time that is left would come out as days.
  explicit progress_line(index_t total, index_t first, const options& o)
      : options_(o), total_(std::max<index_t>(total, 1)), first_(first), start_(clock::now()), last_(start_) {
#if defined(__unix__) || defined(__APPLE__)
    terminal_ = o.stream && isatty(fileno(o.stream));
#endif
  }
  explicit progress_line(index_t total) : progress_line(total, 0, options()) {}

  /// After `done` steps; `what` is appended ("loss 0.0123  psnr 24.1").
  void update(index_t done, const char* what) {
    if (!options_.stream) return;
    const auto now = clock::now();
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    if (!begun_ && done < total_) {
      first_ = done;
      preparation_ = elapsed;
    }
    begun_ = true;
    const double wait = std::chrono::duration<double>(now - last_).count();
    if (done < total_ && wait < (terminal_ ? .1 : options_.every)) return;
    if (done >= total_ && finished_) return;
    finished_ = done >= total_;
    last_ = now;
    const std::string text = line(done, elapsed, what);
    // Erase to the end of the line: a shorter text must not leave the tail of a longer one.
    if (terminal_)
      std::fprintf(options_.stream, "\r%s\x1b[K%s", text.c_str(), finished_ ? "\n" : "");
    else
      std::fprintf(options_.stream, "%s\n", text.c_str());
    std::fflush(options_.stream);
    open_line_ = terminal_ && !finished_;
  }

  /// Ends a line that is being rewritten, so that other output starts on its own.
  void pause() {
    if (open_line_) std::fputc('\n', options_.stream);
    open_line_ = false;
  }

  /// Seconds that the first step took.
  double preparation() const { return preparation_; }

  /// What `update` prints, without control characters.
  std::string line(index_t done, double elapsed, const char* what) const {
    const auto here = static_cast<double>(done - first_);
    const double rate = elapsed > preparation_ ? here / (elapsed - preparation_) : 0;
    const double left = rate > 0 ? static_cast<double>(total_ - done) / rate : -1;
    const auto filled = static_cast<std::size_t>(20 * std::clamp<index_t>(done, 0, total_) / total_);
    const std::string bar = std::string(filled, '=') + std::string(20 - filled, ' ');
    char text[256];
    const std::string time = done >= total_ ? format_duration(elapsed) : "ETA " + format_duration(left);
    std::snprintf(text, sizeof text, "%s [%s] %td/%td  %s  %.3g steps/s  %s", options_.label, bar.c_str(), done, total_,
                  what, rate, time.c_str());
    return text;
  }

 private:
  using clock = std::chrono::steady_clock;
  options options_;
  index_t total_, first_;
  clock::time_point start_, last_;
  double preparation_ = 0;  // seconds before `first_`
  bool begun_ = false, terminal_ = false, finished_ = false, open_line_ = false;
};

}  // namespace unmask::inline UNMASK_ABI
