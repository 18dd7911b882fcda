#pragma once

/// What `train` and `demo` share: an observer that shows progress, and the pictures of a trained network's auxiliary
/// head on one snapshot.

#include <csignal>

#include <unmask/core/temporary_files.hpp>
#include <unmask/train/fit.hpp>

#include "reports.hpp"
#include "run_curves.hpp"
#include "train_loss.hpp"

namespace program {

using trainer = unmask::train::trainer<unmask::s2_network<float, unmask::cpu>>;

/// Set by SIGINT and SIGTERM: training stores a checkpoint and ends with exit code 0. A second signal ends it at once.
inline volatile std::sig_atomic_t interrupted = 0;

inline void watch_signals() {
  for (int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int s) {
      interrupted = 1;
      std::signal(s, unmask::end_without_temporaries);
    });
}

/// Progress on stderr, and the end on a signal.
class training_observer : public unmask::train::fit_observer {
 public:
  training_observer(index_t total, index_t first) : bar_(total, first, {.label = "train"}) { watch_signals(); }

  bool on_step(const unmask::train::step_report& r, unmask::train::stage s) {
    // one number for people: the loss of a batch of four crops jumps by half of itself
    smooth_ = r.step == 0 || !(smooth_ > 0) ? r.loss : .98 * smooth_ + .02 * r.loss;
    char text[96];
    if (psnr_ > 0)
      std::snprintf(text, sizeof text, "%s  loss %.4f  psnr %.2f", unmask::train::stage_name(s), smooth_, psnr_);
    else
      std::snprintf(text, sizeof text, "%s  loss %.4f", unmask::train::stage_name(s), smooth_);
    bar_.update(r.step + 1, text);
    return !interrupted;
  }

  void on_validation(index_t, const unmask::train::validation_report& r, bool) { psnr_ = r.psnr; }

  void on_lost_step(const std::string& where) {
    bar_.pause();
    std::fprintf(stderr, "unmask: training %s is NaN or infinite; the step changes nothing\n", where.c_str());
  }

 private:
  unmask::progress_line bar_;
  double smooth_ = 0, psnr_ = 0;
};

/// Mean over bands of a cube [H, W, C] that lies in an image of `stride` columns.
template <class Value>
tensor<float, 2> band_mean(index_t height, index_t width, index_t bands, Value&& value) {
  tensor<float, 2> plane({height, width});
  for (index_t h = 0; h < height; ++h)
    for (index_t w = 0; w < width; ++w) {
      float sum = 0;
      for (index_t k = 0; k < bands; ++k) sum += value(h, w, k);
      plane(h, w) = sum / static_cast<float>(bands);
    }
  return plane;
}

/// The auxiliary head on one snapshot whose truth is known: P, F' = m X, the weight map of stage MA, PSNR of P against
/// F'.
struct auxiliary_view {
  tensor<float, 2> predicted, target, weight;  ///< means over the bands, [H, W]
  double psnr = 0;                             ///< official-8bit
  std::string formula;                         ///< of the weight
};

inline std::string formula_of(unmask::train::aware_weight kind) {
  using unmask::train::aware_weight;
  if (kind == aware_weight::visibility) return "1 - m";
  return kind == aware_weight::relative ? "eps / (|P| / (|S| + delta) + eps), S what the network starts from"
                                        : "eps / (|P| + eps)";
}

inline result<auxiliary_view> view_auxiliary(const context& c, const unmask::model& weights, const snapshot& s,
                                             const tensor<float, 3>& truth,
                                             const unmask::train::mask_aware_options& aware) {
  const unmask::s2_config& config = weights.config;
  const index_t H = s.geometry().height, W = s.geometry().width, C = s.geometry().bands, Hp = config.padded(H),
                Wp = config.padded(W);
  unmask::s2_network<float, unmask::cpu> network(c.backend(), config, {1, H, W}, unmask::network_mode::training);
  unmask::arena count;
  network.carve(count);
  unmask::memory_block block(count.peak());
  unmask::arena memory(block.data(), block.bytes());
  network.carve(memory);
  tensor<float, 3> mask({1, Hp, Wp}), output({H, W, C}), target({H, W, C}), predicted({H, W, C});
  unmask::reflect_pad(unmask::array_view<float, 3>(mask.data(), Hp, Wp, index_t{1}),
                      unmask::array_view<const float, 3>(s.camera.mask().data(), H, W, index_t{1}));
  auto input = run_method(c, s, without_network(weights.initial, C));
  if (!input) return input.error();
  const unmask::array_view<const float, 4> start(input->cube.data(), index_t{1}, H, W, C);
  network.forward(unmask::array_view<float, 4>(output.data(), index_t{1}, H, W, C), start, mask.view(),
                  weights.parameters.data());
  const auto pin = network.pin(config.stages - 1);
  unmask::optics::mask_signal(c.backend(), target.view(), truth.view(), s.camera.mask());
  for (index_t h = 0; h < H; ++h) std::copy_n(&pin(0, h, 0, 0), W * C, &predicted(h, 0, 0));
  auxiliary_view v;
  v.predicted = band_mean(H, W, C, [&](index_t h, index_t w, index_t k) { return predicted(h, w, k); });
  v.target = band_mean(H, W, C, [&](index_t h, index_t w, index_t k) { return target(h, w, k); });
  v.weight = tensor<float, 2>({H, W});
  v.formula = formula_of(aware.weight);
  unmask::train::mask_aware_map<float>(
      c.backend(), aware, unmask::array_view<float, 3>(v.weight.data(), index_t{1}, H, W), {pin, start, mask.view()});
  v.psnr = unmask::metrics::psnr(target.view(), predicted.view());
  return v;
}

/// The loss curve and the auxiliary pictures of a training's page; `view` must outlive `report.write`.
inline void add_training(report_builder& report, const std::vector<float>& losses,
                         const unmask::train::stage_plan& plan, const auxiliary_view& view) {
  report.input.loss_curves = loss_curves(losses, plan);
  char text[96];
  std::snprintf(text, sizeof text, "Mean over the bands; PSNR against F' %.2f dB (official-8bit).", view.psnr);
  report.add_image("Auxiliary prediction P", text, view.predicted);
  report.add_image("Mask-coded signal F' = m X", "What the auxiliary head learns to predict, mean over the bands.",
                   view.target);
  report.add_image("Weight map w of stage MA",
                   view.formula + ", mean over the bands: near 1 where the mask hid the light.", view.weight);
}

}  // namespace program
