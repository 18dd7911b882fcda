#include <parent.hpp>

int main() { return parent_sum(unmask::tensor<float, 3>({2, 3, 28}, 1.f)) == 168.f ? 0 : 1; }
