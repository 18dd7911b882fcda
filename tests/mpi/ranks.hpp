#pragma once

/// Runs the program under mpirun as a user would.

#include <chrono>
#include <csignal>

#include "../cli/training_files.hpp"

/// Open MPI starts nothing as root and no more ranks than there are cores, unless it is told to; the variables do it
/// for MPICH too, which does not know them.
inline std::string mpirun() {
  return "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
         "OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1 exec '" UNMASK_MPIRUN "'";
}

inline std::string on_ranks(int ranks, const std::string& arguments, int threads = 1) {
  return " -np " + std::to_string(ranks) + " '" UNMASK_PROGRAM "' --threads " + std::to_string(threads) + " " +
         arguments;
}

inline std::string ranks_line(const scratch_folder& folder, const std::string& what) {
  return mpirun() + what + " >'" + folder / "stdout" + "' 2>'" + folder / "stderr" + "'";
}

/// `what`: on_ranks, or several of them with " : " in between.
inline outcome run_line(const scratch_folder& folder, const std::string& what) {
  const int status = std::system(ranks_line(folder, what).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, read_text(folder / "stdout"), read_text(folder / "stderr")};
}
inline outcome run_ranks(const scratch_folder& folder, int ranks, const std::string& arguments, int threads = 1) {
  return run_line(folder, on_ranks(ranks, arguments, threads));
}

inline pid_t start_ranks(const scratch_folder& folder, int ranks, const std::string& arguments) {
  const std::string line = ranks_line(folder, on_ranks(ranks, arguments));
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  return child;
}

/// The processes that mpirun has started so far; none where it has ended.
inline std::vector<pid_t> ranks_of(pid_t mpirun) {
  std::vector<pid_t> list;
  std::error_code gone;
  fs::directory_iterator task("/proc/" + std::to_string(mpirun) + "/task", gone);
  for (; !gone && task != fs::directory_iterator(); task.increment(gone)) {
    std::ifstream children(task->path() / "children");
    for (pid_t p; children >> p;) list.push_back(p);
  }
  return list;
}

/// Lines of the program itself; the rest of stderr is mpirun's.
inline std::vector<std::string> own_lines(const outcome& r) {
  std::vector<std::string> lines;
  std::istringstream text(r.err);
  for (std::string line; std::getline(text, line);)
    if (line.starts_with("unmask: ")) lines.push_back(line);
  return lines;
}

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
