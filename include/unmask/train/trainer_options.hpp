#pragma once

/// What a trainer is made with.

#include <cstdint>
#include <string>
#include <utility>

#include "../core/result.hpp"
#include "../core/view.hpp"
#include "../parallel/communicator.hpp"
#include "adamw.hpp"
#include "schedule.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct trainer_options {
  index_t batch = 4, height = 64, width = 64;  ///< of the batches it will get
  std::uint64_t seed = 1;                      ///< initial weights, stochastic depth, samples
  double drop_path = .1;                       ///< stochastic depth of the last block
  bool frugal = false;     ///< the same bits in 0.6 of the memory (windowed attention), and more time
  bool last_zero = false;  ///< the last convolution starts at zero: an untrained network returns what it gets
  /// A sample's gradient is computed by itself and the mean is taken in a fixed order (sample_tree.hpp): the same bits
  /// on any number of ranks, in the memory of one sample. The loss of a batch is then the mean of its samples' losses:
  /// the root of `rmse` and the weight's mean of `normalised` are those of a sample. Of the host only.
  bool by_sample = false;
  communicator* ranks =
      nullptr;  ///< that share each batch (by_sample), at most as many as samples; outlives the trainer
  adamw_options optimiser{};
  cosine_schedule schedule{};
};

inline result<> check(const trainer_options& o) {
  const std::pair<const char*, index_t> sizes[] = {{"batch", o.batch}, {"height", o.height}, {"width", o.width}};
  for (const auto& [name, size] : sizes)
    if (size < 1 || size > 65536)
      return error(errc::bad_argument,
                   "trainer: " + std::string(name) + " is " + std::to_string(size) + ", expected 1..65536");
  const index_t ranks = o.ranks ? o.ranks->size() : 1;
  if (ranks > 1 && !o.by_sample)
    return error(errc::bad_argument, "trainer: " + std::to_string(ranks) +
                                         " ranks share a batch, which is possible with by_sample = true only");
  if (o.batch < ranks)
    return error(errc::bad_argument, "trainer: batch is " + std::to_string(o.batch) + " for " + std::to_string(ranks) +
                                         " ranks, expected at least one sample a rank");
  if (!(o.drop_path >= 0 && o.drop_path < 1))
    return error(errc::bad_argument, "trainer: drop_path is " + std::to_string(o.drop_path) + ", expected 0..1");
  if (auto ok = check(o.optimiser); !ok) return ok;
  return check(o.schedule);
}

}  // namespace unmask::inline UNMASK_ABI::train
