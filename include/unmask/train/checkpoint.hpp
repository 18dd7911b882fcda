#pragma once

/// Exact resume: everything that decides the next step, in one file, and the one before it as "<path>.previous".
///
/// A training that is killed at any moment finds a whole checkpoint: the new one is written beside the old, synced,
/// and renamed over it, after the old one got a second name. A damaged last checkpoint never takes the previous one's
/// place.

#include <unistd.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../models/s2_config.hpp"
#include "checkpoint_file.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// What the trainer owns and a checkpoint stores. The first part must be the same to resume, the rest is filled in.
template <class T>
struct training_state {
  s2_config config;
  index_t batch = 0, height = 0, width = 0;
  std::uint64_t seed = 0;

  index_t step = 0;     ///< steps done: the number of the next one
  index_t updates = 0;  ///< of the weights; fewer than steps where a step was not finite
  double best_psnr = -std::numeric_limits<double>::infinity();
  index_t best_step = -1;
  std::vector<float> losses;                        ///< one a step
  std::span<T> parameters, first, second, average;  ///< blocks of one size; `average` may be empty
};

namespace detail {

/// The identity of a training as named numbers; what the number of stages leaves unused does not count.
template <class T>
std::vector<std::pair<std::string, std::int64_t>> identity(const training_state<T>& s) {
  const s2_config& c = s.config;
  std::vector<std::pair<std::string, std::int64_t>> list{
      {"bytes of a number", sizeof(T)},
      {"bands", c.bands},
      {"channels", c.channels},
      {"stages", c.stages},
      {"spectral_head_width", c.spectral_head_width},
      {"window", c.window},
      {"pad_multiple", c.pad_multiple},
      {"shifted", c.shifted},
      {"hidden", c.hidden},
      {"layout", static_cast<int>(c.layout)},
      {"spatial_effect", static_cast<int>(c.spatial_effect)},
      {"spectral_effect", static_cast<int>(c.spectral_effect)},
      {"scope", static_cast<int>(c.scope)},
      {"embedding", static_cast<int>(c.embedding)},
      {"batch", s.batch},
      {"crop height", s.height},
      {"crop width", s.width},
      {"seed", std::bit_cast<std::int64_t>(s.seed)},
      {"parameters", static_cast<std::int64_t>(s.parameters.size())},
      {"averaged parameters", static_cast<std::int64_t>(s.average.size())}};
  for (std::size_t i = 0; i < static_cast<std::size_t>(max_stages); ++i) {
    const bool used = static_cast<int>(i) < c.stages;
    list.emplace_back("depths[" + std::to_string(i) + "]", used ? c.depths[i] : 0);
    list.emplace_back("heads[" + std::to_string(i) + "]", used ? c.heads[i] : 0);
  }
  return list;
}

/// Gives the file a second name that replaces the previous checkpoint, if it is whole.
inline void keep_previous(const std::string& path, const std::string& previous) {
  if (::access(path.c_str(), F_OK) != 0 || !read_checkpoint_file(path)) return;
  const std::string temporary = previous + ".part";
  ::unlink(temporary.c_str());
  if (::link(path.c_str(), temporary.c_str()) == 0) std::rename(temporary.c_str(), previous.c_str());
  // No hard links here (FAT): for a moment only the previous name exists, and `resume` looks there too.
  else
    std::rename(path.c_str(), previous.c_str());
}

}  // namespace detail

inline std::string previous_checkpoint(const std::string& path) { return path + ".previous"; }

/// Errors: `not_writable` (no folder, no permission, full disk); the checkpoints that were there stay.
template <class T>
result<> save_checkpoint(const std::string& path, const training_state<T>& s) {
  const auto identity = detail::identity(s);
  const std::size_t blocks = s.parameters.size() + s.first.size() + s.second.size() + s.average.size();
  const std::size_t payload = (1 + identity.size() + 5) * 8 + blocks * sizeof(T) + s.losses.size() * sizeof(float);
  detail::checkpoint_writer to(path, payload);
  to.number(static_cast<std::uint64_t>(identity.size()));
  for (const auto& field : identity) to.number(field.second);
  to.number(static_cast<std::int64_t>(s.step));
  to.number(static_cast<std::int64_t>(s.updates));
  to.number(s.best_psnr);
  to.number(static_cast<std::int64_t>(s.best_step));
  to.number(static_cast<std::uint64_t>(s.losses.size()));
  for (const std::span<T>& block : std::array{s.parameters, s.first, s.second, s.average})
    to.block(std::span<const T>(block));
  to.block(std::span<const float>(s.losses));
  if (auto done = to.finish(); !done) return done;
  detail::keep_previous(path, previous_checkpoint(path));
  return to.commit();
}

/// Fills `s`, whose first part and block sizes say what is expected; on an error `s` is as it was.
/// Errors: `not_found`, `unreadable` (truncated, damaged, other version), `wrong_shape` (another training).
template <class T>
result<> load_checkpoint(const std::string& path, training_state<T>& s) {
  const auto bytes = detail::read_checkpoint_file(path);
  if (!bytes) return bytes.error();
  detail::checkpoint_reader from(*bytes);
  const auto identity = detail::identity(s);
  const auto damaged = [&] { return error(errc::unreadable, path + ": contents do not match their own sizes"); };
  if (from.number<std::uint64_t>() != identity.size()) return damaged();
  for (const auto& [name, expected] : identity)
    if (const auto found = from.number<std::int64_t>(); found != expected)
      return error(errc::wrong_shape,
                   path + ": " + name + " is " + std::to_string(found) + ", expected " + std::to_string(expected));
  const auto step = from.number<std::int64_t>(), updates = from.number<std::int64_t>();
  const auto best_psnr = from.number<double>();
  const auto best_step = from.number<std::int64_t>();
  const auto losses = from.number<std::uint64_t>();
  const std::size_t blocks = (s.parameters.size() + s.first.size() + s.second.size() + s.average.size()) * sizeof(T);
  if (!from.good() || from.left() < blocks || (from.left() - blocks) / sizeof(float) != losses ||
      (from.left() - blocks) % sizeof(float) != 0 || step < 0 || updates < 0 || updates > step)
    return damaged();
  s.step = static_cast<index_t>(step);
  s.updates = static_cast<index_t>(updates);
  s.best_psnr = best_psnr;
  s.best_step = static_cast<index_t>(best_step);
  for (const std::span<T>& block : std::array{s.parameters, s.first, s.second, s.average}) from.block(block);
  s.losses.resize(static_cast<std::size_t>(losses));
  from.block(std::span<float>(s.losses));
  return {};
}

struct resumed {
  std::string path;     ///< the file that was loaded
  std::string warning;  ///< why it is not the last one; empty if it is
};

/// The last checkpoint or, where that one is missing or damaged, the previous.
template <class T>
result<resumed> resume_checkpoint(const std::string& path, training_state<T>& s) {
  const auto last = load_checkpoint(path, s);
  if (last) return resumed{path, ""};
  if (last.error().code() != errc::unreadable && last.error().code() != errc::not_found) return last.error();
  const std::string previous = previous_checkpoint(path);
  const auto before = load_checkpoint(previous, s);
  if (before) return resumed{previous, last.error().message() + "; went on from " + previous};
  if (before.error().code() == errc::not_found) return last.error();
  return error(last.error().code(), last.error().message() + "; " + before.error().message());
}

}  // namespace unmask::inline UNMASK_ABI::train
