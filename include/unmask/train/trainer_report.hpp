#pragma once

/// What a training step tells.

#include <limits>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// Of one batch.
struct batch_loss {
  double value = std::numeric_limits<double>::quiet_NaN();
  double encoding = 0;  ///< the auxiliary term's part of it
};

struct step_report {
  index_t step = 0;  ///< its number; the first is 0
  double loss = std::numeric_limits<double>::quiet_NaN();
  double encoding = 0;       ///< the auxiliary term's part of the loss
  double gradient_norm = 0;  ///< before clipping
  double learning_rate = 0;
  bool updated = false;  ///< false where loss or gradient were not finite: weights stay as they were
};

}  // namespace unmask::inline UNMASK_ABI::train
