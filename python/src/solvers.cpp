/// The classical solvers, and the calibration of a camera.

#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <unmask/optics/adaptive_spectral_tv.hpp>
#include <unmask/optics/calibrate.hpp>
#include <unmask/optics/spectral.hpp>

#include "core.hpp"

namespace bindings {

namespace {

using unmask::cpu;
using unmask::optics::camera;

/// Cameras that do not disperse to the right are turned, and the cube is turned back.
template <class Solve>
void solve_canonical(const camera& c, cube_out x, image y, Solve&& solve) {
  const auto to = view_of(x);
  const auto from = view_of(y);
  unwrap(c.check(to.extents()));
  unwrap(c.check(from.extents()));
  const nb::gil_scoped_release run;
  if (c.is_canonical()) return solve(c, to, from);
  const camera turned = c.canonical();
  unmask::tensor<float, 3> cube(turned.geometry().cube_extents());
  unmask::tensor<float, 2> measurement(turned.geometry().measurement_extents());
  c.to_canonical(cpu{}, measurement.view(), from);
  solve(turned, cube.view(), unmask::in<float, 2>(measurement.view()));
  c.from_canonical(cpu{}, to, unmask::in<float, 3>(cube.view()));
}

void run_gap_tv(const camera& c, cube_out x, image y, int threads, const unmask::optics::gap_tv_options& options,
                nb::object progress) {
  progress_bridge tell(std::move(progress));
  solve_canonical(c, x, y, [&](const camera& seen, auto to, auto from) {
    unwrap(unmask::optics::gap_tv::check(seen, options));
    unmask::optics::planned<unmask::optics::gap_tv> solver(seen, options);
    solver->run(cpu{.threads = threads}, to, from, tell);
  });
  tell.rethrow();
}

void run_spectral_tv(const camera& c, cube_out x, image y, image basis, int threads,
                     const unmask::optics::spectral_tv_options& options, nb::object progress) {
  progress_bridge tell(std::move(progress));
  const unmask::in<float, 2> rows = view_of(basis);
  solve_canonical(c, x, y, [&](const camera& seen, auto to, auto from) {
    unwrap(unmask::optics::spectral_tv::check(seen, rows, options));
    unmask::optics::planned<unmask::optics::adaptive_spectral_tv> solver(seen, rows, options);
    solver->run(cpu{.threads = threads}, to, from, tell);
  });
  tell.rethrow();
}

void resample_spectral_basis(image_out to, image basis, const std::vector<double>& from,
                             std::vector<double> wavelengths, double reach) {
  const auto moved =
      unwrap(unmask::optics::resample_spectral_basis<float>(view_of(basis), from, std::move(wavelengths), reach));
  std::copy(moved.begin(), moved.end(), view_of(to).begin());
}

/// A dictionary: see unmask/calibration.py.
nb::dict calibrate(const camera& stored, const std::vector<image>& snapshots, image basis, int threads, int trials,
                   std::uint64_t seed, nb::object progress) {
  std::vector<unmask::in<float, 2>> views;
  for (const image& y : snapshots) views.push_back(view_of(y));
  const unmask::in<float, 2> rows = view_of(basis);
  unmask::optics::calibration_options options;
  options.trials = trials, options.seed = seed;
  unwrap(unmask::optics::calibrator::check(stored, views, rows, options));
  const unmask::optics::calibrator search(stored, views, rows, options);
  progress_bridge tell(std::move(progress));
  const auto found = [&] {
    const nb::gil_scoped_release run;
    return search.run(cpu{.threads = threads}, [&](unmask::index_t tried, double error, const auto&) {
      if (!tell(tried, error)) throw nb::python_error();
    });
  };
  nb::dict result;
  try {
    const unmask::optics::calibration c = found();
    result["camera"] = c.camera;
    result["noise_weight"] = c.noise_weight;
    result["before"] = c.before, result["after"] = c.after;
    result["tried"] = c.tried;
    const auto& a = c.alignment;
    nb::dict alignment;
    for (const auto& [name, value] :
         {std::pair{"down", a.down}, std::pair{"right", a.right}, std::pair{"tall", a.tall}, std::pair{"wide", a.wide},
          std::pair{"blur", a.blur}, std::pair{"edge_blur", a.edge_blur}, std::pair{"stretch", a.stretch},
          std::pair{"bend", a.bend}})
      alignment[name] = value;
    result["alignment"] = alignment;
  } catch (...) {
    tell.rethrow();
    throw;
  }
  return result;
}

}  // namespace

void add_solvers(nb::module_& m) {
  using unmask::optics::gap_tv_options;
  using unmask::optics::spectral_tv_options;
  nb::class_<gap_tv_options>(m, "GapTvOptions")
      .def(nb::init<>())
      .def_static("camera", &unmask::optics::camera_gap_tv)
      .def_rw("iterations", &gap_tv_options::iterations)
      .def_rw("tv_weight", &gap_tv_options::tv_weight)
      .def_rw("first_weight", &gap_tv_options::first_weight)
      .def_rw("weight_decay", &gap_tv_options::weight_decay)
      .def_rw("tv_iterations", &gap_tv_options::tv_iterations)
      .def_rw("spectral_weight", &gap_tv_options::spectral_weight)
      .def_rw("accelerate", &gap_tv_options::accelerate);
  nb::class_<spectral_tv_options>(m, "SpectralTvOptions")
      .def(nb::init<>())
      .def_rw("outer_iterations", &spectral_tv_options::outer_iterations)
      .def_rw("iterations", &spectral_tv_options::iterations)
      .def_rw("noise_weight", &spectral_tv_options::noise_weight)
      .def_rw("power", &spectral_tv_options::power);
  m.def("gap_tv", &run_gap_tv, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none());
  m.attr("few_spectra") = unmask::optics::few_spectra;
  const unmask::optics::scene_spectra_options scene;
  m.attr("scene_rank") = scene.rank;
  m.attr("scene_reports") = scene.look_outer + scene.outer;  // of a scene whose spectra are looked for
  m.def("spectral_tv", &run_spectral_tv, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(),
        nb::arg().none());
  m.def("resample_spectral_basis", &resample_spectral_basis);
  m.def("calibrate", &calibrate, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none());
}

}  // namespace bindings
