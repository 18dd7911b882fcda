#pragma once

/// RUN/log.jsonl: one JSON object a line, one line a step and one a validation. A line is the system's before the next
/// step begins, so a killed process loses none; a resumed training cuts the log back to its checkpoint, so that no step
/// is in it twice.

#include <cerrno>
#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <optional>
#include <system_error>
#include <unmask/io/atomic_file.hpp>
#include <unmask/train/fit.hpp>

#include "context.hpp"

namespace program {

/// One validation, as the log has it.
struct validation_point {
  index_t step = 0;
  double seconds = 0;  ///< since the first start, the time between runs left out
  double psnr = 0;
  std::optional<double> hidden, open;
};

class run_log {
 public:
  /// `steps`: done so far; 0 starts a new log.
  static result<run_log> open(const std::string& path, index_t steps) {
    run_log log(path);
    std::string kept;
    std::ifstream old(path, std::ios::binary);
    for (std::string line; steps > 0 && std::getline(old, line) && !old.eof();)  // the last one may be half a line
      if (log.recall(line, steps)) kept += line + "\n";
    old.close();
    if (auto ok = unmask::io::write_file(path, kept); !ok) return ok.error();
    log.file_.reset(std::fopen(path.c_str(), "a"));
    if (!log.file_) return log.not_writable();
    std::setvbuf(log.file_.get(), nullptr, _IOLBF, 1 << 12);
    return result<run_log>(std::move(log));
  }

  void add(const unmask::train::step_report& r, unmask::train::stage s) {
    put(std::fprintf(file_.get(),
                     "{\"step\": %td, \"stage\": \"%s\", \"loss\": %s, \"encoding\": %s, \"gradient_norm\": %s, "
                     "\"learning_rate\": %.6g, \"updated\": %s}\n",
                     r.step, unmask::train::stage_name(s), json_number(r.loss).text, json_number(r.encoding).text,
                     json_number(r.gradient_norm).text, r.learning_rate, r.updated ? "true" : "false"));
  }

  void add(index_t step, const unmask::train::validation_report& r, bool best) {
    const double now = seconds();
    validations_.push_back({step, now, r.psnr, r.hidden, r.open});
    nlohmann::json j{{"validation", step}, {"psnr", r.psnr}, {"best", best}, {"scenes", r.scenes}, {"seconds", now}};
    if (r.hidden) j["hidden"] = *r.hidden;
    if (r.open) j["open"] = *r.open;
    put(std::fprintf(file_.get(), "%s\n", unmask::io::json_text(j).c_str()));
  }

  const std::vector<validation_point>& validations() const { return validations_; }
  double seconds() const {
    return before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  /// The first line that could not be written.
  const result<>& status() const { return status_; }

 private:
  struct closer {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };

  explicit run_log(std::string path) : path_(std::move(path)) {}

  /// JSON has no NaN: null.
  struct json_number {
    char text[24] = "null";
    explicit json_number(double v) {
      if (std::isfinite(v)) std::snprintf(text, sizeof text, "%.6g", v);
    }
  };

  error not_writable() const {
    return error(errc::not_writable, path_ + ": cannot be written (" + std::generic_category().message(errno) + ")");
  }
  void put(int written) {
    if (written < 0 && status_) status_ = not_writable();
  }

  /// Whether a line belongs to the first `steps` steps; what later lines need is remembered.
  bool recall(const std::string& line, index_t steps) {
    const auto j = nlohmann::json::parse(line, nullptr, false);
    if (!j.is_object()) return false;
    const auto number = [&](const char* key) { return j.contains(key) && j[key].is_number(); };
    if (number("step")) return j["step"].get<index_t>() < steps;
    if (!number("validation") || !number("psnr") || j["validation"].get<index_t>() > steps) return false;
    validation_point p{j["validation"].get<index_t>(), 0, j["psnr"].get<double>(), {}, {}};
    if (number("hidden")) p.hidden = j["hidden"].get<double>();
    if (number("open")) p.open = j["open"].get<double>();
    if (number("seconds")) p.seconds = before_ = j["seconds"].get<double>();
    validations_.push_back(p);
    return true;
  }

  std::string path_;
  std::unique_ptr<std::FILE, closer> file_;
  std::vector<validation_point> validations_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double before_ = 0;
  result<> status_;
};

}  // namespace program
