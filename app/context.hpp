#pragma once

/// What every command of the program shares: common options, output, and how errors leave.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <unmask/io/json_text.hpp>
#include <unmask/parallel/communicator.hpp>
#include <unmask/unmask.hpp>

#include "instances.hpp"
#include "names.hpp"

namespace program {

struct context {
  int threads = 1;
  std::uint64_t seed = 1;
  bool json = false, force = false;
  std::string device = "cpu", products = "full";  ///< device.hpp
  std::function<result<>()> run;                  ///< the chosen command, after parsing
  unmask::communicator* ranks = &unmask::alone();
  bool launched = false;         ///< by mpirun
  bool quiet = false;            ///< nothing but errors and warnings
  mutable bool settled = false;  ///< what goes wrong is known to all ranks

  unmask::cpu backend() const { return {.threads = threads}; }

  /// A sentence for people, from the first rank: stdout, or stderr where stdout belongs to JSON.
  template <class... Args>
  void say(const char* format, Args... args) const {
    if (quiet || !ranks->first()) return;
    std::FILE* to = json ? stderr : stdout;
    if constexpr (sizeof...(Args) == 0)
      std::fputs(format, to);
    else
      std::fprintf(to, format, args...);
    std::fflush(to);
  }
  void print(const nlohmann::json& value) const {
    if (json && !quiet && ranks->first()) std::printf("%s\n", unmask::io::json_text(value, 2).c_str());
  }
};

/// What was changed while reading, a line each.
inline void say_notes(const context& c, const std::vector<std::string>& notes) {
  for (const std::string& note : notes) c.say("note: %s\n", note.c_str());
}

/// Exit codes: 1 a run that failed (nowhere to write, no device, NaN or infinity on the way), 2 input or arguments that
/// are wrong.
inline int exit_code(const error& e) {
  return e.code() == errc::not_writable || e.code() == errc::device || e.code() == errc::not_finite ? 1 : 2;
}

/// A subcommand with an example under its help.
inline CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what,
                             const std::string& example) {
  CLI::App* command = app.add_subcommand(name, what);
  command->footer("Example:\n  " + example);
  return command;
}

inline void add_untrusted(CLI::App* command, bool& untrusted) {
  command->add_flag("--untrusted", untrusted,
                    "read the files in child processes with limits of time and memory: for files that may be built to "
                    "harm");
}

void add_demo(CLI::App&, context&);
void add_samples(CLI::App&, context&);
void add_simulate(CLI::App&, context&);
void add_train(CLI::App&, context&);
void add_calibrate(CLI::App&, context&);
void add_reconstruct(CLI::App&, context&);
void add_evaluate(CLI::App&, context&);
void add_info(CLI::App&, context&);
void add_view(CLI::App&, context&);
void add_mask(CLI::App&, context&);
void add_declouds(CLI::App&, context&);
void add_simulate_clouds(CLI::App&, context&);

}  // namespace program
