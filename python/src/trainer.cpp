/// Training step by step, on arrays that the caller makes.

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <nlohmann/json.hpp>
#include <unmask/io/config_json.hpp>
#include <unmask/train/checkpoint.hpp>

#include "core.hpp"

namespace bindings {

namespace {

using network = unmask::s2_network<float, unmask::cpu>;
using images = nb::ndarray<const float, nb::ndim<4>, nb::c_contig, nb::device::cpu>;
using images_out = nb::ndarray<float, nb::ndim<4>, nb::c_contig, nb::device::cpu>;

unmask::s2_config config_of(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) throw nb::value_error("config: not JSON");
  return unwrap(unmask::io::config_from_json(json));
}

class trainer {
 public:
  trainer(const std::string& config, const unmask::train::trainer_options& options, int threads)
      : net_(unwrap(unmask::train::trainer<network>::create({.threads = threads}, config_of(config), options))),
        batch_(options.batch, options.height, options.width, net_.config().bands) {}

  /// input, truth [B, H, W, C], mask [B, H, W], as planned.
  nb::dict step(images input, cube mask, images truth, const std::string& stage) {
    unmask::train::loss_spec spec;
    spec.kind = stage == "me"   ? unmask::train::stage::mask_encoding
                : stage == "ma" ? unmask::train::stage::mask_aware
                                : unmask::train::stage::plain;
    fill(batch_.input, input, "input");
    fill(batch_.mask, mask, "mask");
    fill(batch_.truth, truth, "truth");
    unmask::train::step_report r;
    {
      const nb::gil_scoped_release run;
      r = net_.step(batch_, spec);
    }
    nb::dict d;
    d["step"] = r.step, d["loss"] = r.loss, d["gradient_norm"] = r.gradient_norm;
    d["learning_rate"] = r.learning_rate, d["updated"] = r.updated;
    return d;
  }

  void predict(images_out estimate, images input, cube mask) {
    fill(batch_.input, input, "input");
    fill(batch_.mask, mask, "mask");
    if (estimate.size() != static_cast<std::size_t>(batch_.truth.size()))
      throw nb::value_error("predict: the estimate has another shape than the input");
    {
      const nb::gil_scoped_release run;
      net_.predict(batch_);
    }
    const auto made = net_.estimate();
    std::copy(made.begin(), made.end(), estimate.data());
  }

  void save(const std::string& path) { unwrap(unmask::train::save_checkpoint(path, std::as_const(net_).state())); }
  /// The step that comes next, and whether the last checkpoint was damaged and the one before it was taken.
  std::pair<unmask::index_t, bool> resume(const std::string& path) {
    const auto from = unwrap(unmask::train::resume_checkpoint(path, net_.state()));
    return {net_.state().step, !from.warning.empty()};
  }
  void start_from(const unmask::model& m) { unwrap(net_.start_from(m.parameters)); }

  /// `from`: what the network starts from, was trained for and is called.
  unmask::model model(const unmask::model& from) const {
    unmask::model m = from;
    m.config = net_.config();
    const auto p = net_.inference_parameters();
    m.parameters.assign(p.begin(), p.end());
    return m;
  }
  /// One that starts from HM.
  unmask::model fresh_model() const {
    unmask::model m;
    return model(m);
  }

  unmask::index_t next_step() const { return net_.state().step; }
  std::size_t bytes() const { return net_.bytes(); }

 private:
  template <class Tensor, class Array>
  static void fill(Tensor& to, const Array& from, const char* name) {
    const auto shape = to.extents();
    bool same = from.ndim() == shape.size();
    for (std::size_t i = 0; same && i < shape.size(); ++i)
      same = static_cast<unmask::index_t>(from.shape(i)) == shape[i];
    if (!same) throw nb::value_error((std::string(name) + ": another shape than the trainer was planned for").c_str());
    std::copy_n(from.data(), from.size(), to.data());
  }

  unmask::train::trainer<network> net_;
  unmask::train::batch<float> batch_;
};

}  // namespace

void add_trainer(nb::module_& m) {
  using unmask::train::trainer_options;
  nb::class_<trainer_options>(m, "TrainerOptions")
      .def(nb::init<>())
      .def_rw("batch", &trainer_options::batch)
      .def_rw("height", &trainer_options::height)
      .def_rw("width", &trainer_options::width)
      .def_rw("seed", &trainer_options::seed)
      .def_rw("drop_path", &trainer_options::drop_path)
      .def_rw("frugal", &trainer_options::frugal)
      .def_rw("last_zero", &trainer_options::last_zero)
      .def_prop_rw(
          "peak", [](const trainer_options& o) { return o.schedule.peak; },
          [](trainer_options& o, double v) { o.schedule.peak = v; })
      .def_prop_rw(
          "warm_up", [](const trainer_options& o) { return o.schedule.warm_up; },
          [](trainer_options& o, unmask::index_t v) { o.schedule.warm_up = v; })
      .def_prop_rw(
          "steps", [](const trainer_options& o) { return o.schedule.steps; },
          [](trainer_options& o, unmask::index_t v) { o.schedule.steps = v; });
  nb::class_<trainer>(m, "Trainer")
      .def(nb::init<const std::string&, const trainer_options&, int>())
      .def("step", &trainer::step)
      .def("predict", &trainer::predict)
      .def("save", &trainer::save, released())
      .def("resume", &trainer::resume)
      .def("start_from", &trainer::start_from)
      .def("model", &trainer::model)
      .def("fresh_model", &trainer::fresh_model)
      .def_prop_ro("next_step", &trainer::next_step)
      .def_prop_ro("bytes", &trainer::bytes);
  m.def("small_config", [](int bands) { return unmask::io::config_to_json(unmask::small_config(bands)).dump(); });
}

}  // namespace bindings
