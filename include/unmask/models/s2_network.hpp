#pragma once

/// S2-Transformer (arXiv 2209.12075): from HM, the measurement shifted back and masked, to a hyperspectral cube.
///   f0 = conv_first(x);  t = LN(f0);  stage: t = conv(blocks(t)) + t, pin = t W_pin;
///   y = conv_last(conv_after_body(LN(t)) + f0) + x
/// where x has more channels than y, the first ones are added.
/// Images are reflect-padded to multiples of `pad_multiple` and cropped again; the mask comes padded (nn/padding.hpp).
/// The object owns no memory: run `carve` on a measuring arena, then on a real one; after that nothing allocates.
/// The first `Model` (concept.hpp). What is long to compile is defined outside the class: a program of several files
/// can instantiate it in one (`extern template class s2_network<float, cpu>;` in the others) and compile the network
/// once.

#include <span>

#include "../core/memory.hpp"
#include "../nn/image_ops.hpp"
#include "../nn/padding.hpp"
#include "../nn/s2_block.hpp"
#include "concept.hpp"
#include "s2_parameters.hpp"
#include "s2_plan.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T, class Backend>
class s2_network {
 public:
  using sizes = network_sizes;
  using mode = network_mode;
  using value_type = T;
  using backend_type = Backend;
  using config_type = s2_config;

  static constexpr std::string_view architecture = "S2-Transformer";
  static constexpr std::string_view last_layer = "conv_last.";

  /// `config` must have passed `check`, sizes be at least 1.
  s2_network(Backend backend, const s2_config& config, sizes s, mode m);

  static result<> check(const s2_config& config) { return unmask::check(config); }
  static unmask::manifest manifest(const s2_config& config) { return make_manifest(config); }
  /// The same list told to a visitor (nn/visit.hpp), without heap.
  template <class Visitor>
  static void list_parameters(Visitor& v, const s2_config& config) {
    s2_names<T> names;
    visit_network(v, config, names);
  }
  static double work(const s2_config& config, sizes s) { return s2_work(config, s); }
  const s2_config& config() const { return c_; }
  index_t padded_height() const { return c_.padded(s_.height); }
  index_t padded_width() const { return c_.padded(s_.width); }
  int stages() const { return c_.stages; }
  index_t blocks() const { return static_cast<index_t>(plan_.blocks.size()); }
  /// Residual branches that stochastic depth can drop: `keep` is [branches, B].
  index_t branches() const { return 3 * blocks(); }

  void carve(arena& a);

  /// Everything that depends on the parameters and the mask only, for `run` as often as it is wanted.
  void prepare(in<T, 3> mask, const T* parameters);
  /// x [B, H, W, inputs], y [B, H, W, bands]; mask [B, H', W'] at the padded size and parameters those of the last
  /// `prepare`. keep: factors of residual branches, or null.
  void run(out<T, 4> y, in<T, 4> x, in<T, 3> mask, const T* parameters, const T* keep = nullptr);
  /// Both: parameters or mask have changed.
  void forward(out<T, 4> y, in<T, 4> x, in<T, 3> mask, const T* parameters, const T* keep = nullptr) {
    prepare(mask, parameters);
    run(y, x, mask, parameters, keep);
  }

  /// Auxiliary prediction of a stage, [B, H', W', bands]; training mode, after `forward`.
  array_view<T, 4> pin(int stage) const {
    return array_view<T, 4>(plan_.pins[static_cast<std::size_t>(stage)], s_.batch, padded_height(), padded_width(),
                            c_.bands);
  }

  /// Once after each `forward`, with the same mask, parameters and keep.
  void backward(const input_gradients<T>& to, const output_gradients<T>& from, in<T, 3> mask, const T* parameters,
                const T* keep = nullptr);

 private:
  template <class U>
  void bind(s2_params<U>& p, U* block) {
    parameter_binder<U> binder(block);
    visit_network(binder, c_, p);
  }
  conv_sizes conv(index_t in_channels, index_t out_channels) const {
    return {s_.batch, padded_height(), padded_width(), in_channels, out_channels};
  }
  /// y = conv(x) + add; add may be null or y.
  void conv_forward(T* y, const T* x, const conv_params<const T>& p, index_t in_channels, index_t out_channels,
                    const T* add) {
    kernel<op::conv3x3, Backend>::forward(be_, y, x, p, conv(in_channels, out_channels), plan_.work, add);
  }
  void conv_backward(T* dx, const conv_params<T>& d, const T* dy, const T* x, const conv_params<const T>& p,
                     index_t in_channels, index_t out_channels) {
    kernel<op::conv3x3, Backend>::backward(be_, dx, d, dy, x, p, conv(in_channels, out_channels), plan_.work);
  }
  /// Of a block, the k-th of the network.
  block_batch<T> batch(const T* mask, const T* keep, std::size_t k) const {
    return {mask, keep ? keep + index_t(3 * k) * s_.batch : nullptr, s_.batch};
  }
  /// Means and deviations of the first or the second of the outer layer norms.
  norm_saved<T> outer_norm(index_t which) const {
    const index_t n = s_.batch * padded_height() * padded_width();
    return {plan_.norms + 2 * which * n, plan_.norms + (2 * which + 1) * n};
  }
  norm_input<T> outer_norm_input(index_t which, const T* x, const norm_params<const T>& p) const {
    const norm_saved<T> saved = outer_norm(which);
    return {x, p, {saved.mean, saved.rstd}};
  }
  pad_sizes padding() const {
    return {s_.batch, s_.height, s_.width, padded_height(), padded_width(), c_.input_channels()};
  }
  const T* start_of_result(index_t pixels);
  void add_to_start(T* dx, const T* dy, index_t pixels);

  Backend be_;
  s2_config c_;
  sizes s_;
  s2_plan<T, Backend> plan_;
  parameter_ends ends_;
  s2_params<const T> params_;
  s2_params<T> grads_;
};

template <class T, class Backend>
s2_network<T, Backend>::s2_network(Backend backend, const s2_config& config, sizes s, mode m)
    : be_(backend), c_(config), s_(s), plan_(config, s, m), ends_(config), params_(config), grads_(config) {}

template <class T, class Backend>
void s2_network<T, Backend>::carve(arena& a) {
  plan_.carve(a, be_);
}

template <class T, class Backend>
void s2_network<T, Backend>::prepare(in<T, 3> mask, const T* parameters) {
  bind(params_, parameters);
  for (std::size_t i = 0, k = 0; i < params_.stages.size(); ++i)
    for (const block_params<const T>& p : params_.stages[i].blocks) {
      const auto& block = plan_.blocks[k++];
      kernel<op::s2_block, Backend>::prepare(be_, block.made, block.shape, batch(mask.data(), nullptr, 0), p,
                                             plan_.scratch[i]);
    }
}

template <class T, class Backend>
void s2_network<T, Backend>::run(out<T, 4> y, in<T, 4> x, in<T, 3> mask, const T* parameters, const T* keep) {
  bind(params_, parameters);
  auto& m = plan_;
  const index_t e = c_.channels, n = s_.batch * padded_height() * padded_width(), pixels = n / s_.batch;
  pad_images(be_, m.input, x.data(), padding());
  conv_forward(m.first, m.input, params_.conv_first, c_.input_channels(), e, nullptr);
  image_norm_forward<Backend, T>(be_, m.blocks[0].images.x, outer_norm(0), m.first, params_.input_norm, {n, e});
  for (std::size_t i = 0, k = 0; i < params_.stages.size(); ++i) {
    const stage_params<const T>& stage = params_.stages[i];
    for (std::size_t j = 0; j < stage.blocks.size(); ++j, ++k) {
      const auto& block = m.blocks[k];
      kernel<op::s2_block, Backend>::forward(be_, block.shape, block.images, batch(mask.data(), keep, k),
                                             stage.blocks[j], block.made, m.scratch[i]);
    }
    // in inference a stage's output lies where its input was
    conv_forward(m.stage_output(i), m.blocks[k - 1].images.y, stage.conv, e, e, m.stage_input(i));
    if (m.training())
      image_linear_forward<Backend, T>(be_, m.pins[i], m.stage_output(i), params_.pin, {n, e, c_.bands});
  }
  image_norm_forward<Backend, T>(be_, m.body, outer_norm(1), m.last_stage(), params_.norm, {n, e});
  conv_forward(m.sum, m.body, params_.conv_after_body, e, e, m.first);
  conv_forward(m.last, m.sum, params_.conv_last, e, c_.bands, start_of_result(n));
  const index_t row = s_.width * c_.bands;
  for (index_t b = 0; b < s_.batch; ++b)
    copy_rows(be_, &y(b, 0, 0, 0), row, m.last + b * pixels * c_.bands, padded_width() * c_.bands, s_.height, row);
}

/// The channels of the input that the result starts from, [pixels, bands]; they may lie where the result will.
template <class T, class Backend>
const T* s2_network<T, Backend>::start_of_result(index_t pixels) {
  const index_t bands = c_.bands, inputs = c_.input_channels();
  if (inputs == bands) return plan_.input;
  copy_rows(be_, plan_.last, bands, static_cast<const T*>(plan_.input), inputs, pixels, bands);
  return plan_.last;
}

/// The first channels of dx [pixels, inputs] += dy [pixels, bands]. The input, no longer needed, is overwritten.
template <class T, class Backend>
void s2_network<T, Backend>::add_to_start(T* dx, const T* dy, index_t pixels) {
  const index_t bands = c_.bands, inputs = c_.input_channels();
  if (inputs == bands) return image_add(be_, dx, dy, pixels * bands);
  copy_rows(be_, plan_.input, bands, static_cast<const T*>(dx), inputs, pixels, bands);
  image_add(be_, plan_.input, dy, pixels * bands);
  copy_rows(be_, dx, inputs, static_cast<const T*>(plan_.input), bands, pixels, bands);
}

template <class T, class Backend>
void s2_network<T, Backend>::backward(const input_gradients<T>& to, const output_gradients<T>& from, in<T, 3> mask,
                                      const T* parameters, const T* keep) {
  bind(params_, parameters);
  bind(grads_, to.parameters);
  const array_view<const T, 4>& dy = from.output;
  const auto& dpins = from.pins;
  const array_view<T, 4>& dx = to.input;
  const array_view<T, 3>& dmask = to.mask;
  auto& m = plan_;
  const index_t e = c_.channels, bands = c_.bands, n = s_.batch * padded_height() * padded_width(),
                pixels = n / s_.batch;
  const index_t row = s_.width * bands;
  if (dmask.data()) fill(be_, dmask.data(), dmask.size(), T(0));
  fill(be_, m.dlast, n * bands, T(0));
  for (index_t b = 0; b < s_.batch; ++b)
    copy_rows(be_, m.dlast + b * pixels * bands, padded_width() * bands, &dy(b, 0, 0, 0), row, s_.height, row);
  conv_backward(m.dfirst, grads_.conv_last, m.dlast, m.sum, params_.conv_last, e, bands);
  conv_backward(m.d, grads_.conv_after_body, m.dfirst, m.body, params_.conv_after_body, e, e);
  fill(be_, m.dstage, n * e, T(0));
  image_norm_backward<Backend, T>(be_, m.dstage, grads_.norm, m.d, outer_norm_input(1, m.last_stage(), params_.norm),
                                  {n, e}, m.work);
  to.finished(ends_.tail, ends_.all);
  for (std::size_t i = params_.stages.size(), k = m.blocks.size(); i-- > 0;) {
    const stage_params<const T>& stage = params_.stages[i];
    if (i < dpins.size() && dpins[i].data())
      image_linear_backward<Backend, T>(be_, m.dstage, grads_.pin, dpins[i].data(), m.stage_output(i), params_.pin,
                                        {n, e, bands}, m.work);
    conv_backward(m.d, grads_.stages[i].conv, m.dstage, m.blocks[k - 1].images.y, stage.conv, e, e);
    for (std::size_t j = stage.blocks.size(); j-- > 0;) {
      const auto& block = m.blocks[--k];
      kernel<op::s2_block, Backend>::backward(
          be_, block.shape, block_gradients<T>{m.d, dmask.data(), grads_.stages[i].blocks[j]}, block.images,
          batch(mask.data(), keep, k), stage.blocks[j], block.made, m.scratch[i]);
    }
    image_add(be_, m.dstage, m.d, n * e);
    to.finished(ends_.stages[i], ends_.stages[i + 1]);
  }
  image_norm_backward<Backend, T>(be_, m.dfirst, grads_.input_norm, m.dstage,
                                  outer_norm_input(0, m.first, params_.input_norm), {n, e}, m.work);
  conv_backward(dx.data() ? m.dinput : nullptr, grads_.conv_first, m.dfirst, m.input, params_.conv_first,
                c_.input_channels(), e);
  if (!dx.data()) return;
  add_to_start(m.dinput, m.dlast, n);
  pad_images_backward(be_, dx.data(), static_cast<const T*>(m.dinput), padding());
}

}  // namespace unmask::inline UNMASK_ABI
