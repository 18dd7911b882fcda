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
#include <string_view>
#include <utility>
#include <vector>

#include "../core/view.hpp"
#include "../models/fields.hpp"
#include "checkpoint_file.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// What the trainer owns and a checkpoint stores. The first part must be the same to resume, the rest is filled in.
template <class T, class Config>
struct training_state {
  std::string_view architecture;  ///< names the network class; a literal
  Config config;
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

using named_numbers = std::vector<std::pair<std::string, std::int64_t>>;

/// A configuration's fields as named numbers; what a list's count leaves unused does not count.
class identity_fields {
 public:
  explicit identity_fields(named_numbers& list) : list_(list) {}
  void operator()(const char* name, int value, field_range range) {
    if (value != 0 || !range.younger) list_.emplace_back(name, value);
  }
  void operator()(const char* name, bool value) { list_.emplace_back(name, value); }
  template <class Enum, std::size_t Count>
  requires std::is_enum_v<Enum>
  void operator()(const char* name, Enum value, const named_value<Enum> (&)[Count]) {
    list_.emplace_back(name, static_cast<int>(value));
  }
  void operator()(const char* name, const field_list<const int>& list, field_range) {
    list_.emplace_back(list.count_name, *list.count);
    for (int i = 0; i < list.capacity; ++i)
      list_.emplace_back(std::string(name) + "[" + std::to_string(i) + "]", i < *list.count ? list.values[i] : 0);
  }

 private:
  named_numbers& list_;
};

/// The identity of a training beside its architecture's name.
template <class T, class Config>
named_numbers identity(const training_state<T, Config>& s) {
  named_numbers list{{"bytes of a number", sizeof(T)}};
  identity_fields fields(list);
  visit_fields(fields, s.config);
  list.insert(list.end(), {{"batch", s.batch},
                           {"crop height", s.height},
                           {"crop width", s.width},
                           {"seed", std::bit_cast<std::int64_t>(s.seed)},
                           {"parameters", static_cast<std::int64_t>(s.parameters.size())},
                           {"averaged parameters", static_cast<std::int64_t>(s.average.size())}});
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

/// Errors: `not_writable` (no folder, no permission, full disk), `not_finite` (nothing could go on from it); the
/// checkpoints that were there stay.
template <class T, class Config>
result<> save_checkpoint(const std::string& path, const training_state<T, Config>& s) {
  for (const std::span<T>& block : std::array{s.parameters, s.first, s.second, s.average})
    if (!all_finite(block.data(), static_cast<index_t>(block.size())))
      return error(errc::not_finite, path + ": after training step " + std::to_string(s.step - 1) +
                                         " a parameter or a moment is NaN or infinite, not written");
  const auto identity = detail::identity(s);
  const std::size_t blocks = s.parameters.size() + s.first.size() + s.second.size() + s.average.size();
  const std::size_t payload =
      s.architecture.size() + (2 + identity.size() + 5) * 8 + blocks * sizeof(T) + s.losses.size() * sizeof(float);
  detail::checkpoint_writer to(path, payload);
  to.number(static_cast<std::uint64_t>(s.architecture.size()));
  to.block(std::span<const char>(s.architecture));
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
template <class T, class Config>
result<> load_checkpoint(const std::string& path, training_state<T, Config>& s) {
  const std::size_t blocks = (s.parameters.size() + s.first.size() + s.second.size() + s.average.size()) * sizeof(T);
  const auto bytes = detail::read_checkpoint_file(path, blocks + detail::most_beside_blocks);
  if (!bytes) return bytes.error();
  detail::checkpoint_reader from(*bytes);
  const auto identity = detail::identity(s);
  const auto damaged = [&] { return error(errc::unreadable, path + ": contents do not match their own sizes"); };
  const auto letters = from.number<std::uint64_t>();
  if (letters > 64) return damaged();
  std::string architecture(static_cast<std::size_t>(letters), ' ');
  from.block(std::span<char>(architecture));
  if (!from.good()) return damaged();
  for (char& c : architecture)
    if (c < ' ' || c > '~') c = '?';
  if (architecture != s.architecture)
    return error(errc::wrong_shape,
                 path + ": network is '" + architecture + "', expected '" + std::string(s.architecture) + "'");
  if (from.number<std::uint64_t>() != identity.size()) return damaged();
  for (const auto& [name, expected] : identity)
    if (const auto found = from.number<std::int64_t>(); found != expected)
      return error(errc::wrong_shape,
                   path + ": " + name + " is " + std::to_string(found) + ", expected " + std::to_string(expected));
  const auto step = from.number<std::int64_t>(), updates = from.number<std::int64_t>();
  const auto best_psnr = from.number<double>();
  const auto best_step = from.number<std::int64_t>();
  const auto losses = from.number<std::uint64_t>();
  if (!from.good() || from.left() < blocks || (from.left() - blocks) / sizeof(float) != losses ||
      (from.left() - blocks) % sizeof(float) != 0 || step < 0 || updates < 0 || updates > step ||
      losses != static_cast<std::uint64_t>(step) || best_step < -1 || best_step > step)
    return damaged();
  if (!from.template all_finite<T>(blocks / sizeof(T)))
    return error(errc::unreadable, path + ": holds a parameter or a moment that is NaN or infinite");
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
template <class T, class Config>
result<resumed> resume_checkpoint(const std::string& path, training_state<T, Config>& s) {
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
