#pragma once

/// A solver with memory of its own, for whoever has no arena to give it a part of: one allocation when it is made, none
/// when it runs.
///
///   optics::planned<optics::spectral_tv> solver(camera, spectral_basis.view());
///   solver->run(cpu{.threads = 4}, cube.view(), measurement.view());

#include <utility>

#include "../core/arena.hpp"
#include "../core/backend.hpp"

namespace unmask::inline UNMASK_ABI::optics {

namespace detail {

/// A solver's persistent part, if it has one, and its scratch.
template <class Solver>
void carve_all(Solver& solver, arena& memory) {
  if constexpr (requires { solver.carve(memory); }) solver.carve(memory);
  solver.carve_scratch(memory);
}

template <class Solver>
std::size_t bytes_of(Solver solver) {
  arena measure;
  carve_all(solver, measure);
  return measure.peak();
}

}  // namespace detail

template <class Solver>
class planned {
 public:
  /// As the solver's constructor, which says what has to live as long as this.
  template <class... Arguments>
  explicit planned(Arguments&&... arguments)
      : solver_(std::forward<Arguments>(arguments)...), block_(detail::bytes_of(solver_)) {
    arena memory(block_.data(), block_.bytes());
    detail::carve_all(solver_, memory);
    if constexpr (requires { solver_.prepare(ref{}); }) solver_.prepare(ref{});
  }

  Solver& operator*() { return solver_; }
  Solver* operator->() { return &solver_; }
  std::size_t bytes() const { return block_.bytes(); }

 private:
  Solver solver_;
  memory_block block_;
};

}  // namespace unmask::inline UNMASK_ABI::optics
