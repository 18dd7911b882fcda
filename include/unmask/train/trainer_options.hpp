#pragma once

/// What a trainer is made with.

#include <cstdint>
#include <string>
#include <utility>

#include "../core/result.hpp"
#include "../core/view.hpp"
#include "adamw.hpp"
#include "schedule.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct trainer_options {
  index_t batch = 4, height = 64, width = 64;  ///< of the batches it will get
  std::uint64_t seed = 1;                      ///< initial weights, stochastic depth, samples
  double drop_path = .1;                       ///< stochastic depth of the last block
  bool frugal = false;     ///< the same bits in 0.6 of the memory (windowed attention), and more time
  bool last_zero = false;  ///< the last convolution starts at zero: an untrained network returns what it gets
  adamw_options optimiser{};
  cosine_schedule schedule{};
};

inline result<> check(const trainer_options& o) {
  const std::pair<const char*, index_t> sizes[] = {{"batch", o.batch}, {"height", o.height}, {"width", o.width}};
  for (const auto& [name, size] : sizes)
    if (size < 1 || size > 65536)
      return error(errc::bad_argument,
                   "trainer: " + std::string(name) + " is " + std::to_string(size) + ", expected 1..65536");
  if (!(o.drop_path >= 0 && o.drop_path < 1))
    return error(errc::bad_argument, "trainer: drop_path is " + std::to_string(o.drop_path) + ", expected 0..1");
  if (auto ok = check(o.optimiser); !ok) return ok;
  return check(o.schedule);
}

}  // namespace unmask::inline UNMASK_ABI::train
