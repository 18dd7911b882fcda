/// The program with MPI.

#include <unmask/mpi/communicator.hpp>

#include "ranks.hpp"

namespace program {

joined_ranks join_ranks() { return {unmask::mpi::communicator::join(), unmask::mpi::launched()}; }

}  // namespace program
