#pragma once

/// Sums over an image with equal bits for any number of threads: one sum a row, added in order.

#include <numeric>

#include "../core/arena.hpp"
#include "../parallel/parallel_for.hpp"

namespace unmask::inline UNMASK_ABI::optics::detail {

class row_sums {
 public:
  explicit row_sums(index_t rows) : rows_(rows) {}

  void carve(arena& memory) { sums_ = memory.take<double>(rows_); }

  /// Each row's, for whoever fills them itself.
  double& operator[](index_t row) const { return sums_[row]; }
  double total() const { return std::accumulate(sums_, sums_ + rows_, 0.); }

  /// The sum of of_row(h).
  template <class Backend, class Row>
  double over_rows(const Backend& be, Row&& of_row) const {
    parallel_for(be, rows_, [&](index_t h, int) { sums_[h] = of_row(h); });
    return total();
  }

 private:
  index_t rows_;
  double* sums_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::optics::detail
