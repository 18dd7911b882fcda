/// unmask: hyperspectral cubes from single coded snapshots. Each command is one file of this folder.

#include <hdf5.h>

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>
#include <thread>
#include <unmask/io/arrays.hpp>

#include "command_files.hpp"
#include "other_formats.hpp"
#include "ranks.hpp"

#if defined(UNMASK_CHOSEN_ISA)
#include <unmask/simd/choose.hpp>
#include <unmask_isas.hpp>
#endif

#if UNMASK_APP_HAS_TIFF
#include <unmask/io/tiff_format.hpp>
#endif

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

/// A closed stdin, stdout or stderr would give its number to the next file that is opened, and messages would go into
/// it. What is opened here instead refuses what the stream is for, as a closed one does.
void occupy_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0) (void)!::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/// For `--version`: the instruction sets of a program that chooses (chosen_isa.cpp).
#if defined(UNMASK_CHOSEN_ISA)
#define UNMASK_NAME(isa) " " #isa
constexpr const char* built_for = "; built for" UNMASK_EACH_ISA(UNMASK_NAME);
#else
constexpr const char* built_for = "";
#endif

/// `code`, or 1 where what was said did not arrive.
int said(int code) {
  std::cout.flush();
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout;
  if (!failed || code != 0) return code;
  std::fprintf(stderr, "unmask: stdout: cannot be written\n");
  return 1;
}

int run(program::context& c, const CLI::App& command) {
  try {
    auto done =
        program::agree(c, c.ranks->first() ? program::check_command_files(command, c.force) : unmask::result<>());
    if (done) done = program::check_ranks(c, command.get_name());
    if (done) done = c.run();
    if (done) return 0;
    return program::fail(c, done.error().message(), program::exit_code(done.error()));
  } catch (const std::bad_alloc&) {
    return program::fail(c, "out of memory", 1);
  } catch (const std::exception& e) {
    return program::fail(c, std::string("an error of the program itself: ") + e.what(), 1);
  } catch (...) {
    return program::fail(c, "an error of the program itself", 1);
  }
}

}  // namespace

#if defined(UNMASK_CHOSEN_ISA)
extern "C" int UNMASK_ENTRY(unmask_main)(int argc, char** argv) {
#else
int main(int argc, char** argv) {
#endif
  using namespace program;
  occupy_closed_streams();
  unmask::remove_temporaries_on_signals();
#if defined(__GLIBC__)
  // By itself glibc raises this after the first large block is freed and then keeps such blocks: memory that is planned
  // as given back would stay.
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes (ulimit -f) becomes an error message
  H5dont_atexit();  // after a damaged file HDF5 would complain on stderr when it closes what it could not open
#if UNMASK_APP_HAS_TIFF
  unmask::io::add_format(unmask::io::tiff_format);
#endif
  add_other_formats();
  CLI::App app{"unmask: hyperspectral cubes from single coded snapshots (S2-Transformer, CASSI)"};
  const joined_ranks ranks = join_ranks();
  context c;
  c.ranks = ranks.all.get();
  c.launched = ranks.launched;
  c.threads = usual_threads(*c.ranks, static_cast<int>(std::thread::hardware_concurrency()),
                            static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)));
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--threads", c.threads, "threads (results do not depend on it)")
      ->check(CLI::Range(1, unmask::max_threads))
      ->capture_default_str();
  app.add_option("--seed", c.seed, "of everything random")->capture_default_str();
  app.add_flag("--json", c.json, "results as JSON on stdout, messages on stderr");
  app.add_flag("--force", c.force, "overwrite an output file that unmask did not write");
  app.set_version_flag("--version", std::string("unmask ") + UNMASK_VERSION_STRING + " (" +
                                        unmask::simd::instruction_set() + built_for + ")");
  app.footer(
      "`unmask COMMAND --help` shows an example of each. A MATLAB or HDF5 file may carry its variable: file.mat:name\n"
      "Exit codes: 0 done, 1 the run failed, 2 wrong input or arguments.");
  for (auto add : {add_demo, add_samples, add_simulate, add_train, add_calibrate, add_reconstruct, add_evaluate,
                   add_info, add_view, add_mask, add_declouds, add_simulate_clouds})
    add(app, c);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (!c.ranks->first()) return e.get_exit_code() == 0 ? 0 : 2;
    return said(app.exit(e) == 0 ? 0 : 2);
  }
  return said(run(c, *app.get_subcommands().front()));
}
