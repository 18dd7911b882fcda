#include "network_case_definition.hpp"

template struct unmask_test::network_case<double, unmask::cpu>;
