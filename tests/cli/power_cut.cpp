/// What a disk holds after a power cut follows from the order of calls: what was not synced may be lost, a new name may
/// be there before what it names is. Every writer of the program is traced (call_trace.cpp). And clocks that jump.

#include <map>
#include <set>

#include "training_files.hpp"

namespace {

struct call {
  std::string what, path, to;
};

std::vector<call> calls_of(const std::string& trace) {
  std::vector<call> calls;
  std::istringstream lines(read_text(trace));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    call c;
    words >> c.what >> c.path >> c.to;
    calls.push_back(c);
  }
  return calls;
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

struct order {
  std::vector<std::string> wrong;  ///< a sentence for each broken rule
  std::set<std::string> renamed;   ///< files that got their name at the end
  std::set<std::string> direct;    ///< files that were written under their own name
};

/// Before a file gets its name all of it is on the disk, and the name is on the disk before the program ends; a file
/// that got its name is not written to any more.
order check_order(const std::vector<call>& calls) {
  order o;
  std::map<std::string, bool> synced;        // bytes of a file, since the last write
  std::map<std::string, bool> names_synced;  // of folders, since the last rename
  std::set<std::string> named;
  for (const call& c : calls) {
    if (c.what == "write") {
      if (named.contains(c.path)) o.wrong.push_back(c.path + " is written to after it got its name");
      synced[c.path] = false;
      o.direct.insert(c.path);
    } else if (c.what == "sync") {
      synced[c.path] = true;
      names_synced[c.path] = true;
    } else if (c.what == "rename") {
      const auto bytes = synced.find(c.path);
      if (bytes != synced.end() && !bytes->second)
        o.wrong.push_back(c.to + " gets its name before its bytes are synced");
      names_synced[folder_of(c.to)] = false;
      named.insert(c.to);
      o.renamed.insert(c.to);
      o.direct.erase(c.path);
      synced.erase(c.path);
    } else if (c.what == "unlink") {
      o.direct.erase(c.path);
    }
  }
  for (const auto& [folder, done] : names_synced)
    if (!done) o.wrong.push_back("names in " + folder + " are not synced at the end");
  return o;
}

/// The program with the tracing library before libc.
order traced(const scratch_folder& folder, const std::string& arguments) {
  const std::string trace = folder / "trace";
  fs::remove(trace);
  const auto r = run_program(folder, arguments, 2, "LD_PRELOAD='" UNMASK_CALL_TRACE "' UNMASK_TRACE='" + trace + "' ");
  CAPTURE(arguments);
  CHECK_MESSAGE(r.code == 0, r.err);
  order o = check_order(calls_of(trace));
  for (const std::string& what : o.wrong) FAIL_CHECK(what);
  return o;
}

}  // namespace

TEST_CASE("the check of the order finds what it looks for") {
  const auto wrong = [](const std::vector<call>& calls) { return check_order(calls).wrong.size(); };
  const call write{"write", "/a/x.part", ""}, sync{"sync", "/a/x.part", ""}, name{"rename", "/a/x.part", "/a/x"},
      folder{"sync", "/a", ""};
  CHECK(wrong({write, sync, name, folder}) == 0);
  CHECK(wrong({write, name, folder}) == 1);
  CHECK(wrong({write, sync, write, name, folder}) == 1);
  CHECK(wrong({write, sync, name}) == 1);
  CHECK(wrong({write, sync, folder, name}) == 1);
  CHECK(wrong({write, name}) == 2);
  CHECK(wrong({write, sync, name, folder, {"write", "/a/x", ""}}) == 1);
}

TEST_CASE("power cut: bytes are on the disk before a file gets its name, and the name before the program ends") {
  const training_files t;
  const scratch_folder& folder = t.folder;
  const std::string scene = folder / "scene.h5", mask = folder / "mask.h5", shot = folder / "shot.h5";
  const auto only = [&](const std::string& arguments, const std::vector<std::string>& expected) {
    const order o = traced(folder, arguments);
    for (const std::string& name : expected) {
      CAPTURE(name);
      CHECK(o.renamed.contains(folder / name));
    }
    for (const std::string& path : o.direct)
      if (!path.ends_with("/stdout") && !path.ends_with("/stderr") && !path.ends_with("log.jsonl"))
        FAIL_CHECK(path << " is written under its own name");
  };
  only("simulate --cube " + scene + " --mask " + mask + " --out " + shot, {"shot.h5"});
  const std::string rebuild = "reconstruct --measurement " + shot + " --mask " + mask + " --out ";
  only(rebuild + folder / "cube.h5" + " --method gap-tv --report " + folder / "page.html", {"cube.h5", "page.html"});
  only("view " + scene + " --out " + folder / "view.html", {"view.html"});
  only(t.train + " --out " + folder / "run",
       {"run/config.json", "run/last.ckpt", "run/last.ckpt.previous", "run/best.safetensors", "run/log.jsonl",
        "run/loss.svg", "run/psnr.svg", "run/psnr_time.svg", "run/weights.safetensors", "run/report.html"});
  only("train --resume --out " + folder / "run", {"run/weights.safetensors"});
  only("info " + folder / "run/weights.safetensors" + " --rewrite " + folder / "again.safetensors",
       {"again.safetensors"});
  only(rebuild + folder / "tiles.h5" + " --tile 16 --halo 4 --weights " + folder / "run/weights.safetensors",
       {"tiles.h5"});
  only("simulate-clouds --size 64 --out " + folder / "stack", {});
  only("mask --source " + folder / "stack/date2_hidden.npy" + " --kind binary --hides 1 --out " + folder / "v.npy" +
           " --picture " + folder / "v.png",
       {"v.npy", "v.png"});
}

TEST_CASE("clocks that jump change nothing that a training computes, and its log does not go back in time") {
  const training_files t;
  REQUIRE(t.run("steady").code == 0);
  const std::string bent = "LD_PRELOAD='" UNMASK_CALL_TRACE "' UNMASK_CLOCK=1 ";
  const auto r = run_program(t.folder, t.train + " --out " + t.folder / "bent", 2, bent);
  CHECK_MESSAGE(r.code == 0, r.err);
  same_training(t, "steady", "bent");
  CHECK_MESSAGE(run_program(t.folder, "train --resume --out " + t.folder / "bent", 2, bent).code == 0, r.err);
  double last = 0;
  std::istringstream text(t.text("bent/log.jsonl"));
  for (std::string line; std::getline(text, line);) {
    const json j = json::parse(line);
    if (!j.contains("seconds")) continue;
    CHECK(j["seconds"].get<double>() >= last);
    last = j["seconds"];
  }
  CHECK(last > 600);  // the shim was at work
  CHECK(r.err.find("nan") == std::string::npos);
}
