#pragma once

/// A second network class, to show that nothing but the concept is asked of one: two S2-Transformers in a row, between
/// them a fixed linear step that mixes the input into the first one's result.
///   z = a x + (1 - a) f(x),  y = g(z)

#include <string>
#include <unmask/models/s2_network.hpp>

namespace unmask_test {

using namespace unmask;

struct cascade_config {
  int bands = 4, channels = 12, window = 4;
  int mixed = 25;  ///< a, in percent

  bool operator==(const cascade_config&) const = default;
  index_t padded(index_t n) const { return each().padded(n); }
  s2_config each() const {
    return {.bands = bands,
            .channels = channels,
            .stages = 1,
            .depths = {2},
            .heads = {2},
            .spectral_head_width = channels / 2,
            .window = window,
            .pad_multiple = window,
            .hidden = 2 * channels,
            .scope = spectral_scope::window,
            .embedding = mask_embedding_kind::tile_safe};
  }
};

template <class Visitor, class Config>
requires std::same_as<std::remove_const_t<Config>, cascade_config>
void visit_fields(Visitor& v, Config& c) {
  v("bands", c.bands, field_range{1, 4096});
  v("channels", c.channels, field_range{2, 4096});
  v("window", c.window, field_range{1, 64});
  v("mixed", c.mixed, field_range{0, 100});
}

inline result<> check(const cascade_config& c) {
  if (auto ok = check_fields(c, "cascade"); !ok) return ok;
  return check(c.each());
}

template <class T, host_backend Backend>
class cascade {
 public:
  using value_type = T;
  using backend_type = Backend;
  using config_type = cascade_config;
  static constexpr std::string_view architecture = "cascade", last_layer = "second.conv_last.";

  cascade(Backend be, const cascade_config& c, network_sizes s, network_mode m)
      : config_(c),
        sizes_(s),
        count_(make_manifest(c.each()).size),
        first_(be, c.each(), s, m),
        second_(be, c.each(), s, m) {}

  static result<> check(const cascade_config& c) { return unmask_test::check(c); }
  static double work(const cascade_config& c, network_sizes s) { return 2 * s2_work(c.each(), s); }
  static unmask::manifest manifest(const cascade_config& c) {
    unmask::manifest all;
    for (const char* name : {"first.", "second."})
      for (const parameter& p : make_manifest(c.each()).entries)
        all.add(name + p.name, p.shape, p.order, p.init, p.fan_in);
    return all;
  }

  const cascade_config& config() const { return config_; }
  index_t padded_height() const { return first_.padded_height(); }
  index_t padded_width() const { return first_.padded_width(); }
  int stages() const { return first_.stages() + second_.stages(); }
  index_t blocks() const { return first_.blocks() + second_.blocks(); }
  index_t branches() const { return first_.branches() + second_.branches(); }

  void carve(arena& a) {
    first_.carve(a);
    a.release(a.peak());  // the first one's scratch is not the second one's memory
    second_.carve(a);
    a.release(a.peak());
    const auto image = [&] {
      const index_t n = sizes_.batch * sizes_.height * sizes_.width * config_.bands;
      return array_view<T, 4>(a.take<T>(n), sizes_.batch, sizes_.height, sizes_.width, index_t{config_.bands});
    };
    between_ = image(), slope_ = image();
    const index_t h = padded_height(), w = padded_width();
    mask_slope_ = array_view<T, 3>(a.take<T>(sizes_.batch * h * w), sizes_.batch, h, w);
  }

  void prepare(in<T, 3> mask, const T* p) { first_.prepare(mask, p), second_.prepare(mask, p + count_); }
  void run(out<T, 4> y, in<T, 4> x, in<T, 3> mask, const T* p, const T* keep = nullptr) {
    first_.run(between_, x, mask, p, keep);
    for (index_t i = 0; i < between_.size(); ++i)
      between_.data()[i] = mixed() * x.data()[i] + (1 - mixed()) * between_.data()[i];
    second_.run(y, between_, mask, p + count_, behind(keep));
  }
  void forward(out<T, 4> y, in<T, 4> x, in<T, 3> mask, const T* p, const T* keep = nullptr) {
    prepare(mask, p), run(y, x, mask, p, keep);
  }
  array_view<T, 4> pin(int stage) const {
    return stage < first_.stages() ? first_.pin(stage) : second_.pin(stage - first_.stages());
  }

  void backward(const input_gradients<T>& to, const output_gradients<T>& from, in<T, 3> mask, const T* p,
                const T* keep = nullptr) {
    const auto own = std::min(from.pins.size(), static_cast<std::size_t>(first_.stages()));
    const bool masks = to.mask.data() != nullptr;
    second_.backward({to.parameters + count_, slope_, masks ? mask_slope_ : array_view<T, 3>()},
                     {from.output, from.pins.subspan(own)}, mask, p + count_, behind(keep));
    const index_t n = slope_.size();
    for (index_t i = 0; i < n; ++i) between_.data()[i] = (1 - mixed()) * slope_.data()[i];
    first_.backward({to.parameters, to.input, to.mask}, {between_, from.pins.first(own)}, mask, p, keep);
    for (index_t i = 0; to.input.data() && i < n; ++i) to.input.data()[i] += mixed() * slope_.data()[i];
    for (index_t i = 0; masks && i < mask_slope_.size(); ++i) to.mask.data()[i] += mask_slope_.data()[i];
  }

 private:
  T mixed() const { return static_cast<T>(config_.mixed) / 100; }
  const T* behind(const T* keep) const { return keep ? keep + first_.branches() * sizes_.batch : nullptr; }

  cascade_config config_;
  network_sizes sizes_;
  index_t count_;  ///< parameters of each
  s2_network<T, Backend> first_, second_;
  array_view<T, 4> between_, slope_;
  array_view<T, 3> mask_slope_;
};

}  // namespace unmask_test
