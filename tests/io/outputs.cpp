/// Outputs never harm inputs, and a signal leaves no temporary file.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "helpers.hpp"
#include "unmask/io/cube_stream.hpp"
#include "unmask/io/hdf5_writer.hpp"
#include "unmask/io/output_checks.hpp"

using namespace unmask;
using namespace io_test;

TEST_CASE("io: an output that is an input or another output is refused") {
  namespace fs = std::filesystem;
  const temporary_folder folder;
  const std::string in = folder / "in.h5", out = folder / "out.h5", link = folder / "link.h5";
  const tensor<float, 2> plane({2, 2}, .5f);
  REQUIRE(io::write_plane(in, "measurement", plane.view()));
  const auto check = [&](const std::string& path, bool force = false) {
    return io::check_outputs({{path, "--out"}}, {folder / "none.mat", in}, force);
  };
  CHECK(check(out));
  CHECK_FALSE(fs::exists(out));
  check_error(check(in), errc::bad_argument, {"in.h5: --out is the same file as the input", "in.h5"});
  check_error(check(in, true), errc::bad_argument, {"would be lost"});
  check_error(check(folder / "./in.h5"), errc::bad_argument, {"same file"});
  fs::create_symlink("in.h5", link);
  check_error(check(link), errc::bad_argument, {"same file"});
  fs::remove(link);
  fs::create_hard_link(in, link);
  check_error(check(link), errc::bad_argument, {"same file"});
  check_error(io::check_outputs({{out, "--out"}, {out, "--report"}}, {}, false), errc::bad_argument,
              {"--report is the same file as --out"});
  check_error(io::check_outputs({{out, "--out"}, {folder / "./out.h5", "--report"}}, {}, false), errc::bad_argument,
              {"--report is the same file as --out"});  // neither is there yet
  CHECK(io::check_outputs({{"/dev/null", "--out"}, {out, "--report"}}, {"/dev/null"}, false));
}

TEST_CASE("io: only files of our own are overwritten") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  const auto check = [&](io::output_kind kind, bool force = false) {
    return io::check_outputs({{path, "--out", kind}}, {}, force);
  };
  spit(path, "my only notes");
  for (const auto kind : {io::output_kind::hdf5, io::output_kind::html, io::output_kind::weights}) {
    check_error(check(kind), errc::bad_argument, {"x.h5: --out", "--force"});
    CHECK(check(kind, true));
  }
  CHECK(slurp(path) == "my only notes");
  const tensor<float, 2> plane({2, 2}, .5f);
  std::filesystem::remove(path);
  REQUIRE(io::write_plane(path, "mask", plane.view()));
  CHECK(check(io::output_kind::hdf5));
  check_error(check(io::output_kind::html), errc::bad_argument, {"--force"});
  {  // once another program has changed it, it is no longer ours
    const io::detail::hdf5_id file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    const io::detail::hdf5_id group(H5Gcreate2(file, "theirs", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    REQUIRE(group);
  }
  check_error(check(io::output_kind::hdf5), errc::bad_argument, {"--force"});
  std::filesystem::remove(path);
  auto stream = io::cube_stream::create(path, {2, 2, 1}, {2, 2});
  REQUIRE(stream);
  REQUIRE(stream->write(0, 0, tensor<float, 3>({2, 2, 1}, .5f).view()));
  REQUIRE(stream->commit({}, {}));
  CHECK(check(io::output_kind::hdf5));
  spit(path, "<html>" + std::string(100000, 'x') + "<footer>Made by unmask. ...");
  CHECK(check(io::output_kind::html));
  spit(path, "");
  CHECK(check(io::output_kind::hdf5));
}

TEST_CASE("io: what cannot be written is said before any work") {
  const temporary_folder folder;
  const auto check = [&](const std::string& path) { return io::check_outputs({{path, "--out"}}, {}, false); };
  check_error(check(folder / "none/x.h5"), errc::not_writable, {"none/x.h5"});
  check_error(check(folder / ""), errc::not_writable, {"is a directory"});
  check_error(check(""), errc::not_writable, {"without a name"});
  CHECK(folder.files() == 0);
}

TEST_CASE("io: a signal removes the temporary files of its process and of no other") {
  const temporary_folder folder;
  auto ours = io::atomic_file::create(folder / "parent.h5");
  REQUIRE(ours);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(signal);
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(signal, SIG_DFL);
      remove_temporaries_on_signals();
      auto a = io::atomic_file::create(folder / "a.h5");
      auto b = io::atomic_file::create(folder / "b.h5");
      if (b) b->commit().value();
      if (::write(ready[1], "x", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char byte;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK(folder.files() == 3);  // parent's part, a's part, b
    ::kill(child, signal);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == signal);
    CHECK(folder.files() == 2);
    std::filesystem::remove(folder / "b.h5");
    ::close(ready[0]);
    ::close(ready[1]);
  }
  REQUIRE(ours->commit());
  CHECK(std::filesystem::exists(folder / "parent.h5"));
}

TEST_CASE("io: a signal that reaches another thread than the one that writes leaves no temporary file") {
  const temporary_folder folder;
  for (int i = 0; i < 40; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (const int signal : {SIGTERM}) std::signal(signal, SIG_DFL);
      sigset_t none;
      ::sigemptyset(&none);
      ::sigaddset(&none, SIGTERM);
      ::pthread_sigmask(SIG_BLOCK, &none, nullptr);  // the new thread gets none
      remove_temporaries_on_signals();
      std::thread writer([&] {
        for (;;) {
          auto file = io::atomic_file::create(folder / "x.h5");
          if (file) (void)file->write(std::as_bytes(std::span("abc", 3)));
        }
      });
      ::pthread_sigmask(SIG_UNBLOCK, &none, nullptr);
      for (;;) ::pause();
    }
    std::this_thread::sleep_for(std::chrono::microseconds(4000 + 371 * i));
    ::kill(child, SIGTERM);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(folder.files() == 0);
  }
}

TEST_CASE("io: more temporary files than the list holds are written all the same") {
  const temporary_folder folder;
  std::vector<io::atomic_file> files;
  for (int i = 0; i < 80; ++i) {
    auto file = io::atomic_file::create(folder / std::to_string(i));
    REQUIRE(file);
    files.push_back(std::move(*file));
  }
  for (auto& file : files) CHECK(file.commit());
  CHECK(folder.files() == 80);
  auto again = io::atomic_file::create(folder / "again");
  REQUIRE(again);
  remove_temporaries();
  CHECK(folder.files() == 80);
  check_error(again->commit(), errc::not_writable, {"again"});
}
