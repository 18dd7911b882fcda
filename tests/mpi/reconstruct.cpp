/// Many snapshots dealt out to ranks, and one image's tiles.

#include <map>
#include <unmask/io/weights.hpp>

#include "../cli/tile_network.hpp"
#include "ranks.hpp"

namespace {

/// Seven snapshots through one mask, and a list of them.
struct snapshots {
  scratch_folder folder;
  std::vector<std::string> names;

  explicit snapshots(int count = 7) {
    fs::create_directories(folder / "in");
    const sample_files files(folder);
    std::string list = "# what the camera saw\n\n";
    for (int i = 0; i < count; ++i) {
      const sample_files scene(folder, 32, 4, static_cast<std::uint64_t>(10 + i));
      REQUIRE(unmask::io::write_plane(folder / "mask.h5", "mask", files.mask.view()));
      names.push_back("shot" + std::to_string(i));
      const auto r = run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" +
                                             " --out " + folder / ("in/" + names.back() + ".h5"));
      REQUIRE_MESSAGE(r.code == 0, r.err);
      list += folder / ("in/" + names.back() + ".h5") + "\n";
    }
    write_text(folder / "list.txt", list);
  }
  std::string command(const std::string& out, const std::string& more = "") const {
    return "reconstruct --method gap-tv --mask " + folder / "mask.h5" + " --list " + folder / "list.txt" + " --out " +
           folder / out + " " + more;
  }
};

unmask::tensor<float, 3> cube_of(const std::string& path) {
  auto x = unmask::io::read_cube({path, ""});
  REQUIRE(bool(x));
  return std::move(x->cube);
}

bool same_cube(const std::string& a, const std::string& b) {
  const auto x = cube_of(a), y = cube_of(b);
  return x.extents() == y.extents() && std::equal(x.begin(), x.end(), y.begin());
}

}  // namespace

TEST_CASE("a list of snapshots: the cubes of one after the other, on any number of ranks") {
  const snapshots s;
  for (const auto& name : s.names) {
    const auto r =
        run_program(s.folder, "reconstruct --method gap-tv --mask " + s.folder / "mask.h5" + " --measurement " +
                                  s.folder / ("in/" + name + ".h5") + " --out " + s.folder / (name + ".h5"));
    REQUIRE_MESSAGE(r.code == 0, r.err);
  }
  for (int ranks : {0, 1, 3}) {  // 0: without mpirun
    fs::remove_all(s.folder / "out");
    const auto r = ranks == 0 ? run_program(s.folder, s.command("out", "--json"))
                              : run_ranks(s.folder, ranks, s.command("out", "--json"));
    CHECK_MESSAGE(r.code == 0, r.err);
    const auto j = json::parse(r.out, nullptr, false);
    REQUIRE_MESSAGE(j.is_object(), r.out);
    CHECK(j["files"] == 7);
    CHECK(j["failed"] == 0);
    CHECK(j["files_of_ranks"].size() == static_cast<std::size_t>(std::max(1, ranks)));
    int sum = 0;
    for (const auto& n : j["files_of_ranks"]) sum += n.get<int>();
    CHECK(sum == 7);
    for (const auto& name : s.names) CHECK(same_cube(s.folder / (name + ".h5"), s.folder / ("out/" + name + ".h5")));
  }
}

TEST_CASE("a list of snapshots: a slow rank takes fewer, one that fails does not stop the others") {
  const snapshots s(12);
  // the second rank stands still from its start on, for as long as the others need for everything
  const pid_t job = start_ranks(s.folder, 3, s.command("out"));
  std::vector<pid_t> ranks;
  for (int i = 0; i < 4000 && ranks.size() < 3; ++i, ::usleep(1000)) ranks = ranks_of(job);
  REQUIRE(ranks.size() == 3);
  const auto done = [&] {
    std::size_t n = 0;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(s.folder / "out", none)) n += entry.path().extension() == ".h5";
    return n;
  };
  for (int i = 0; i < 20000 && done() < 1; ++i) ::usleep(1000);
  ::kill(ranks[1], SIGSTOP);
  for (int i = 0; i < 20000 && done() < 11; ++i) ::usleep(1000);
  ::kill(ranks[1], SIGCONT);
  int status = 0;
  ::waitpid(job, &status, 0);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(done() == 12);
  std::map<char, int> files;
  std::istringstream lines(read_text(s.folder / "stdout"));
  for (std::string line; std::getline(lines, line);)
    if (const auto at = line.find(" by rank "); at != std::string::npos) ++files[line[at + 9]];
  MESSAGE("files of the ranks: " << files['0'] << ", " << files['1'] << " (stopped), " << files['2']);
  CHECK(files['0'] + files['1'] + files['2'] == 12);
  CHECK(files['1'] < files['0']);
  CHECK(files['1'] < files['2']);

  write_text(s.folder / "in/shot3.h5", "no snapshot");
  fs::remove_all(s.folder / "out");
  const auto r = run_ranks(s.folder, 2, s.command("out"));
  CHECK(r.code == 2);
  const auto own = own_lines(r);
  REQUIRE_MESSAGE(own.size() == 2, r.err);
  CHECK(own[0].find("shot3.h5") != std::string::npos);
  CHECK(own[1].find("1 of 12 snapshots failed") != std::string::npos);
  CHECK(done() == 11);
}

TEST_CASE("a list of snapshots: outputs never harm inputs, and every line gets a file of its own") {
  const snapshots s(2);
  const auto refused = [&](const std::string& arguments, const std::string& what) {
    for (int ranks : {0, 2}) {
      const auto r = ranks == 0 ? run_program(s.folder, arguments) : run_ranks(s.folder, ranks, arguments);
      CHECK(r.code == 2);
      REQUIRE_MESSAGE(own_lines(r).size() == 1, r.err);
      CHECK_MESSAGE(own_lines(r)[0].find(what) != std::string::npos, own_lines(r)[0]);
    }
  };
  const auto before = read_text(s.folder / "in/shot0.h5");
  refused(s.command("in"), "is the same file as the input");
  refused(s.command("in", "--force"), "is the same file as the input");
  CHECK(read_text(s.folder / "in/shot0.h5") == before);
  write_text(s.folder / "shot1.h5", "somebody's own");
  refused(s.command("."), "would overwrite a file that unmask did not write");
  CHECK(read_text(s.folder / "shot1.h5") == "somebody's own");
  refused(s.command("out", "--report " + s.folder / "r.html"), "--report is for one snapshot");
  write_text(s.folder / "list.txt", s.folder / "in/shot0.h5" + "\n" + s.folder / "in/../in/shot0.h5" + "\n");
  refused(s.command("out"), "would both be written to");
  write_text(s.folder / "list.txt", "# nothing\n");
  refused(s.command("out"), "found no snapshot");
}

TEST_CASE("the tiles of one image over ranks: the cube of a single process") {
  scratch_folder folder;
  const sample_files files(folder, 72, 4);
  REQUIRE(run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out " +
                                  folder / "shot.h5")
              .code == 0);
  write_tile_network(folder / "w.safetensors");
  const std::string rebuild = "reconstruct --weights " + folder / "w.safetensors" +
                              " --exposure camera --measurement " + folder / "shot.h5" + " --mask " +
                              folder / "mask.h5";
  REQUIRE(run_program(folder, rebuild + " --out " + folder / "whole.h5").code == 0);
  auto r = run_program(folder, rebuild + " --tile 16 --halo 12 --json --out " + folder / "tiles.h5");
  REQUIRE_MESSAGE(r.code == 0, r.err);
  CHECK(json::parse(r.out)["tiles"]["rows"] == 5);
  for (int ranks : {2, 3, 4}) {
    r = run_ranks(folder, ranks, rebuild + " --tile 16 --halo 12 --json --out " + folder / "ranks.h5", 2);
    CHECK_MESSAGE(r.code == 0, r.err);
    CHECK(json::parse(r.out, nullptr, false)["tiles"]["exact"] == true);
    CHECK(read_text(folder / "ranks.h5") == read_text(folder / "tiles.h5"));
    CHECK(same_cube(folder / "ranks.h5", folder / "tiles.h5"));
  }
  const auto x = cube_of(folder / "whole.h5"), y = cube_of(folder / "ranks.h5");
  CHECK(std::equal(x.begin(), x.end(), y.begin()));
  // a folder that is not there is found by the first rank, and ends all
  r = run_ranks(folder, 3, rebuild + " --tile 16 --halo 12 --out " + folder / "no/such/folder.h5");
  CHECK(r.code == 1);
  CHECK_MESSAGE(own_lines(r).size() == 1, r.err);
}
