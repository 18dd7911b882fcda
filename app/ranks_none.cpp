/// The program without MPI: a process by itself.

#include "ranks.hpp"

namespace program {

joined_ranks join_ranks() { return {std::make_unique<unmask::communicator>()}; }

}  // namespace program
