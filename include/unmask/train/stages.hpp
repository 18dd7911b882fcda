#pragma once

/// What a step learns: plain reconstruction, stage ME (mask encoding), stage MA (mask aware); and which step is in
/// which stage, written "me:2000,ma:8000" or "plain:10000".

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "../core/finite.hpp"
#include "mask_aware_loss.hpp"
#include "mask_encoding_loss.hpp"

namespace unmask::inline UNMASK_ABI::train {

enum class stage { plain, mask_encoding, mask_aware };

inline const char* stage_name(stage s) { return s == stage::plain ? "plain" : s == stage::mask_encoding ? "me" : "ma"; }

struct loss_spec {
  stage kind = stage::plain;
  penalty rho{};
  double encoding = 1;           ///< factor of the auxiliary term in stage ME
  double encoding_in_aware = 0;  ///< the same in stage MA: above 0 keeps the pins at their task while the trunk moves
  mask_aware_options aware{};

  bool operator==(const loss_spec&) const = default;
};

inline result<> check(const loss_spec& spec) {
  if (auto ok = check(spec.rho); !ok) return ok;
  if (auto ok = check(spec.aware); !ok) return ok;
  for (double factor : {spec.encoding, spec.encoding_in_aware})
    if (!(factor >= 0) || !is_finite(factor))
      return error(errc::bad_argument,
                   "loss: factor of the encoding term is " + std::to_string(factor) + ", expected >= 0");
  return {};
}

struct stage_plan {
  struct entry {
    stage kind = stage::plain;
    index_t steps = 0;
  };
  std::vector<entry> entries;

  index_t steps() const {
    index_t n = 0;
    for (const entry& e : entries) n += e.steps;
    return n;
  }
  /// The stage of a step; the last one after the end.
  stage at(index_t step) const {
    for (const entry& e : entries) {
      if (step < e.steps) return e.kind;
      step -= e.steps;
    }
    return entries.empty() ? stage::plain : entries.back().kind;
  }
};

/// Reads "me:2000,ma:8000". Errors: `bad_argument`, naming the entry.
inline result<stage_plan> parse_stages(std::string_view text) {
  stage_plan plan;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t colon = item.find(':');
    const std::string_view name = item.substr(0, colon);
    stage_plan::entry entry;
    bool known = name == "plain";
    for (stage s : {stage::mask_encoding, stage::mask_aware})
      if (name == stage_name(s)) entry.kind = s, known = true;
    const std::string_view count = colon == std::string_view::npos ? std::string_view() : item.substr(colon + 1);
    const auto [end, failure] = std::from_chars(count.data(), count.data() + count.size(), entry.steps);
    if (!known || failure != std::errc() || end != count.data() + count.size() || entry.steps < 1 ||
        entry.steps > 1'000'000'000)
      return error(errc::bad_argument,
                   "stages: '" + std::string(item) + "' is not one of plain:N, me:N, ma:N with N in 1..1000000000");
    plan.entries.push_back(entry);
    if (comma == std::string_view::npos) return plan;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace unmask::inline UNMASK_ABI::train
