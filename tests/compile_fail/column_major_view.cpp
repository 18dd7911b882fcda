/// A matrix that Eigen stores by columns has no row-major view.

#include <unmask/eigen.hpp>

#ifdef CORRECT
constexpr int order = Eigen::RowMajor;
#else
constexpr int order = Eigen::ColMajor;
#endif

int main() {
  Eigen::Matrix<float, 2, 3, order> matrix;
  matrix.setZero();
  return unmask::as_view(matrix)(0, 0) > 0;
}
