#include "instances.hpp"

UNMASK_SOLVER_INSTANCES();
