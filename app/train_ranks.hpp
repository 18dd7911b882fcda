#pragma once

/// A training on several ranks: what they must have in common before the first step, and what ranks other than the
/// first, which writes and speaks, do while `fit` runs.

#include <unmask/io/checksum.hpp>

#include "ranks.hpp"
#include "train_setup.hpp"
#include "training.hpp"

namespace program {

/// What a rank starts with.
template <class Trainer>
nlohmann::json start_of(const train_config& config, const training_data& data, const Trainer& net) {
  std::vector<std::span<const std::byte>> arrays;
  for (const auto* scenes : {&data.training, &data.validation})
    for (const scene& s : *scenes)
      arrays.push_back(std::as_bytes(std::span(s.cube.data(), static_cast<std::size_t>(s.cube.size()))));
  for (const auto& m : data.masks)
    arrays.push_back(std::as_bytes(std::span(m.data(), static_cast<std::size_t>(m.size()))));
  const auto& state = net.state();
  const std::size_t blocks = arrays.size();
  for (const auto& block : {state.parameters, state.first, state.second, state.average})
    arrays.push_back(std::as_bytes(std::span<const float>(block)));
  const auto sums = unmask::io::detail::checksums(arrays);
  std::string scenes, weights;
  for (std::size_t i = 0; i < sums.size(); ++i) (i < blocks ? scenes : weights) += sums[i];
  const auto of = [](const std::string& text) {
    const auto bytes = std::as_bytes(std::span(text));
    return unmask::io::detail::checksums(std::array{std::span<const std::byte>(bytes)}).front();
  };
  return {{"program", std::string(UNMASK_VERSION_STRING) + " (" + unmask::simd::instruction_set() + ")"},
          {"data", of(scenes)},
          {"weights", of(weights)},
          {"step", state.step},
          {"configuration", to_json(config)}};
}

/// Refuses a rank that starts with something else than the first one; the message says what, and what to do.
inline result<> same_start(const std::vector<std::string>& starts) {
  const auto first = nlohmann::json::parse(starts.front());
  for (std::size_t r = 1; r < starts.size(); ++r) {
    const auto other = nlohmann::json::parse(starts[r]);
    const auto differs = [&](const char* what, const std::string& advice) {
      return error(errc::wrong_value, "rank " + std::to_string(r) + ": its " + what +
                                          " differ from those of rank 0: found " + unmask::io::json_text(other[what]) +
                                          ", expected " + unmask::io::json_text(first[what]) + advice);
    };
    if (other["program"] != first["program"])
      return error(errc::wrong_value,
                   "rank " + std::to_string(r) + ": is unmask " + other["program"].get<std::string>() + ", expected " +
                       first["program"].get<std::string>() + " as rank 0 (install the same program on every machine)");
    if (const std::string what = difference(other["configuration"], first["configuration"]); !what.empty())
      return error(errc::wrong_value, "rank " + std::to_string(r) + ": " + what +
                                          " as on rank 0 (give every rank the same --config and --set)");
    if (other["data"] != first["data"]) return differs("data", " (give every rank the same --data and --mask)");
    if (other["step"] != first["step"] || other["weights"] != first["weights"])
      return differs(other["step"] != first["step"] ? "step" : "weights",
                     " (give every rank the same --from, and an --out that all see)");
  }
  return {};
}

/// A step's time, and how much of it each rank waited for the others; all ranks call it.
inline void say_waiting(const context& c, index_t steps, double waited, double seconds) {
  if (!c.launched || steps <= 0) return;
  double sum = 0, most = 0;
  for (const auto& text : c.ranks->gather(std::to_string(seconds > 0 ? 100 * waited / seconds : 0))) {
    const double share = std::strtod(text.c_str(), nullptr);
    sum += share, most = std::max(most, share);
  }
  c.say("%d ranks, %.3f ms a step, %.1f %% of it in communication (at most %.1f %%)\n", c.ranks->size(),
        1e3 * seconds / static_cast<double>(steps), sum / c.ranks->size(), most);
}

/// On ranks that say nothing.
struct silent_observer : unmask::train::fit_observer {
  silent_observer() { watch_signals(); }
  bool on_step(const unmask::train::step_report&, unmask::train::stage) { return !interrupted; }
};

}  // namespace program
