/// unmask: hyperspectral cubes from single coded snapshots. Each command is one file of this folder.

#include <hdf5.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "context.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

int main(int argc, char** argv) {
  using namespace program;
#if defined(__GLIBC__)
  // By itself glibc raises this after the first large block is freed and then keeps such blocks: memory that is planned
  // as given back would stay.
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes (ulimit -f) becomes an error message
  H5dont_atexit();  // after a damaged file HDF5 would complain on stderr when it closes what it could not open
  CLI::App app{"unmask: hyperspectral cubes from single coded snapshots (S2-Transformer, CASSI)"};
  context c;
  c.threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, unmask::max_threads);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--threads", c.threads, "threads (results do not depend on it)")
      ->check(CLI::Range(1, unmask::max_threads))
      ->capture_default_str();
  app.add_option("--seed", c.seed, "of everything random")->capture_default_str();
  app.add_flag("--json", c.json, "results as JSON on stdout, messages on stderr");
  app.set_version_flag("--version",
                       std::string("unmask ") + UNMASK_VERSION_STRING + " (" + unmask::simd::instruction_set() + ")");
  app.footer(
      "`unmask COMMAND --help` shows an example of each. A MATLAB or HDF5 file may carry its variable: file.mat:name\n"
      "Exit codes: 0 done, 1 the run failed, 2 wrong input or arguments.");
  for (auto add : {add_demo, add_simulate, add_train, add_calibrate, add_reconstruct, add_evaluate, add_info, add_view})
    add(app, c);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  try {
    if (const auto done = c.run(); !done) {
      std::fprintf(stderr, "unmask: %s\n", done.error().message().c_str());
      return exit_code(done.error());
    }
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "unmask: out of memory\n");
    return 1;
  }
  return 0;
}
