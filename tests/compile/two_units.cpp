#include "unit.hpp"

#include <cstring>

/// two_units same|different: exit code 0 if the two units see the same function, or not, as asked.
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const bool same = unit_1() == unit_2();
  return same == (std::strcmp(argv[1], "same") == 0) ? 0 : 1;
}
