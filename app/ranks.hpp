#pragma once

/// Several processes of `mpirun -np N unmask ...`: ranks_mpi.cpp where MPI was built in, ranks_none.cpp elsewhere.

#include <memory>
#include <optional>
#include <unmask/io/input_file.hpp>
#include <unmask/parallel/communicator.hpp>

#include "context.hpp"

namespace program {

struct joined_ranks {
  std::unique_ptr<unmask::communicator> all;
  bool launched = false;  ///< by mpirun, even if there is only one
};

joined_ranks join_ranks();

/// What went wrong on any rank went wrong on all: the first rank's error, or nothing. All ranks call it.
inline result<> agree(const context& c, const result<>& mine) {
  if (c.ranks->size() == 1) return mine;
  const auto all = c.ranks->gather(
      mine ? std::string() : std::to_string(static_cast<int>(mine.error().code())) + " " + mine.error().message());
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (all[r].empty()) continue;
    c.settled = true;
    const std::size_t space = all[r].find(' ');
    const std::string text = all[r].substr(space + 1);
    return error(static_cast<errc>(std::atoi(all[r].c_str())),
                 r == 0 ? text : "rank " + std::to_string(r) + ": " + text);
  }
  return {};
}

/// The same for a value of each rank.
template <class T>
result<> agree_on(const context& c, const result<T>& mine) {
  return agree(c, mine ? result<>() : result<>(mine.error()));
}

/// Only some commands share their work.
inline result<> check_ranks(const context& c, const std::string& command) {
  if (c.ranks->size() == 1 || command == "train" || command == "reconstruct") return {};
  c.settled = true;
  return error(errc::bad_argument, command + ": found " + std::to_string(c.ranks->size()) +
                                       " ranks, expected one (train and reconstruct share their work)");
}

/// Says once what went wrong, and ends the ranks that do not know of it. Returns the exit code.
inline int fail(const context& c, const std::string& what, int code) {
  const std::string message = unmask::io::detail::printable(what, what.size());  // one line, whatever names are in it
  const bool common = c.settled || c.ranks->size() == 1;
  if (common && !c.ranks->first()) return code;
  if (c.ranks->first())
    std::fprintf(stderr, "unmask: %s\n", message.c_str());
  else
    std::fprintf(stderr, "unmask: rank %d: %s\n", c.ranks->rank(), message.c_str());
  std::fflush(stderr);
  if (!common) c.ranks->abort(code);
  return code;
}

/// Threads of a rank that nobody chose: its part of the cores of its machine, and no more than it is bound to.
inline int usual_threads(const unmask::communicator& ranks, int bound, int online) {
  return std::clamp(std::min(bound, online / ranks.neighbours()), 1, unmask::max_threads);
}

}  // namespace program
