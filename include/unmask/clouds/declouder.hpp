#pragma once

/// Removes clouds from one date of a scene with the help of the others. Memory is planned once; `run` takes no heap.
///
///   auto d = clouds::declouder<cpu>::create({.threads = 2}, {256, 256, 13, 2});
///   auto found = d->run(scene, {image, deviation, origin});      // open pixels keep their bits
///
/// The stack: candidates (regression on all dates, its quadratic twin, similar pixels, harmonic fill, local regression)
/// are fitted twice, first with part of the open pixels hidden to learn their weights by band, then with all. Equal
/// input gives equal bits on any number of threads.

#include <string>

#include "../core/memory.hpp"
#include "scene_run.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

template <class Backend>
class declouder {
 public:
  /// Errors: `bad_argument` for sizes below 1 (references may be 0), for more than 2^28 pixels, and for options outside
  /// their range.
  static result<declouder> create(const Backend& be, scene_size size, const options& o = {}) {
    if (auto ok = check(size, o); !ok) return ok.error();
    declouder d(be, size, o);
    d.memory_ = memory_block(bytes_for(be, size, bool(o.learnt)));
    arena real(d.memory_.data(), d.memory_.bytes());
    d.run_.carve(real, size, thread_slots(be), bool(o.learnt));
    return result<declouder>(std::move(d));
  }

  /// Bytes that `create` takes for a size that it accepts; learnt: with a network.
  static std::size_t bytes_for(const Backend& be, scene_size size, bool learnt = false) {
    scene_run planned;
    arena measure;
    planned.carve(measure, size, thread_slots(be), learnt);
    return measure.peak();
  }

  /// Bytes that `create` took; `run` takes no more.
  std::size_t bytes() const { return memory_.bytes(); }

  /// Errors: `wrong_shape` where a view is not of the planned size, `wrong_value` where a day is not a number. Nothing
  /// is written then.
  result<outcome> run(const scene& s, const estimate& to) {
    if (auto ok = check(s, to); !ok) return ok.error();
    return reconstruct(s, to);
  }

  /// The same without checks, for those who know that shapes agree.
  outcome reconstruct(const scene& s, const estimate& to) noexcept {
    return run_.reconstruct(backend_, s, options_, to);
  }

 private:
  declouder(const Backend& be, scene_size size, const options& o) : backend_(be), size_(size), options_(o) {}

  static result<> check(scene_size size, const options& o) {
    const auto bad = [](const std::string& what) { return error(errc::bad_argument, "declouder: " + what); };
    const std::string shape = std::to_string(size.height) + " x " + std::to_string(size.width) + " x " +
                              std::to_string(size.bands) + " with " + std::to_string(size.references) + " other dates";
    if (size.height < 1 || size.width < 1 || size.bands < 1 || size.references < 0)
      return bad("scene of " + shape + ", expected at least 1 x 1 x 1 with 0");
    if (size.height > (index_t{1} << 28) / size.width)
      return bad("scene of " + shape + ", expected at most 2^28 pixels: use tiles");
    if (!(o.hidden_below > 0 && o.hidden_below <= 1)) return bad("hidden_below must be above 0 and at most 1");
    if (!(o.open_from > 0 && o.open_from <= 1)) return bad("open_from must be above 0 and at most 1");
    if (!(o.ridge > 0)) return bad("ridge must be above 0");
    return {};
  }

  result<> check(const scene& s, const estimate& to) const {
    const auto [H, W, C, K] = size_;
    const auto differs = [](const char* name, const auto& view, const auto& expected) -> result<> {
      if (view.extents() == expected) return {};
      std::string found, wanted;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        found += (i ? " x " : "") + std::to_string(view.extent(i));
        wanted += (i ? " x " : "") + std::to_string(expected[i]);
      }
      return error(errc::wrong_shape, std::string(name) + ": found [" + found + "], expected [" + wanted + "]");
    };
    using two = std::array<index_t, 2>;
    using three = std::array<index_t, 3>;
    if (auto ok = differs("image", s.image, three{H, W, C}); !ok) return ok;
    if (auto ok = differs("visibility", s.visibility, two{H, W}); !ok) return ok;
    if (s.hidden.data())
      if (auto ok = differs("hidden", s.hidden, two{H, W}); !ok) return ok;
    if (K > 0) {
      if (auto ok = differs("references", s.references, std::array<index_t, 4>{K, H, W, C}); !ok) return ok;
      if (auto ok = differs("reference_visibility", s.reference_visibility, three{K, H, W}); !ok) return ok;
      for (index_t k = 0; k < K; ++k)
        if (!std::isfinite(s.days[k]))
          return error(errc::wrong_value, "days: a date of the references is not a number");
    }
    if (!std::isfinite(s.day)) return error(errc::wrong_value, "day: the image's date is not a number");
    if (auto ok = differs("estimate", to.image, three{H, W, C}); !ok) return ok;
    if (to.deviation.data())
      if (auto ok = differs("deviation", to.deviation, three{H, W, C}); !ok) return ok;
    if (to.origin.data())
      if (auto ok = differs("origin", to.origin, two{H, W}); !ok) return ok;
    return {};
  }

  Backend backend_;
  scene_size size_;
  options options_;
  scene_run run_;
  memory_block memory_;
};

}  // namespace unmask::inline UNMASK_ABI::clouds
