/// A CASSI camera: forward model, adjoint, input of networks.

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <unmask/optics/exposure.hpp>

#include "core.hpp"

namespace bindings {

namespace {

using unmask::optics::camera;

camera make_camera(image mask, int bands, int step, const std::string& direction, std::vector<float> positions,
                   float noise_floor) {
  const auto way = unwrap(unmask::dispersion_by_name(direction));
  return unwrap(camera::create(view_of(mask), bands, step, way, std::move(positions), {noise_floor}));
}

template <class Array>
auto checked(const camera& c, const Array& a) {
  const auto view = view_of(a);
  unwrap(c.check(view.extents()));
  return view;
}

}  // namespace

void add_camera(nb::module_& m) {
  nb::class_<camera>(m, "Camera")
      .def("__init__",
           [](camera* self, image mask, int bands, int step, const std::string& direction, std::vector<float> positions,
              float noise_floor) {
             new (self) camera(make_camera(mask, bands, step, direction, std::move(positions), noise_floor));
           })
      .def_prop_ro("bands", [](const camera& c) { return c.geometry().bands; })
      .def_prop_ro("step", [](const camera& c) { return c.geometry().step; })
      .def_prop_ro("direction",
                   [](const camera& c) { return std::string(unmask::dispersion_name(c.geometry().direction)); })
      .def_prop_ro("positions",
                   [](const camera& c) { return std::vector<float>(c.positions().begin(), c.positions().end()); })
      .def_prop_ro("noise_floor", [](const camera& c) { return c.noise().floor; })
      .def_prop_ro("cube_shape",
                   [](const camera& c) {
                     const auto e = c.geometry().cube_extents();
                     return std::make_tuple(e[0], e[1], e[2]);
                   })
      .def_prop_ro("measurement_shape",
                   [](const camera& c) {
                     const auto e = c.geometry().measurement_extents();
                     return std::make_tuple(e[0], e[1]);
                   })
      .def_prop_ro(
          "mask",
          [](const camera& c) {
            const auto view = c.mask();
            return nb::ndarray<nb::numpy, const float, nb::ndim<2>>(
                view.data(), {static_cast<std::size_t>(view.extent(0)), static_cast<std::size_t>(view.extent(1))});
          },
          nb::rv_policy::reference_internal)
      .def("forward",
           [](const camera& c, image_out y, cube x, int threads) {
             const auto from = checked(c, x);
             const auto to = checked(c, y);
             const nb::gil_scoped_release run;
             c.forward(unmask::cpu{.threads = threads}, to, from);
           })
      .def("exposed",
           [](const camera& c, image_out y, image counts, double full_scale) {
             const auto from = checked(c, counts);
             const auto to = checked(c, y);
             const float top = *std::max_element(from.begin(), from.end());
             const auto how = unwrap(unmask::optics::camera_exposure(top, c.geometry().bands, full_scale, "counts"));
             std::copy(from.begin(), from.end(), to.begin());
             how.apply(to);
           })
      .def("adjoint",
           [](const camera& c, cube_out x, image y, int threads) {
             const auto from = checked(c, y);
             const auto to = checked(c, x);
             const nb::gil_scoped_release run;
             c.adjoint(unmask::cpu{.threads = threads}, to, from);
           })
      .def("input", [](const camera& c, cube_out x, image y, int threads) {
        const auto from = checked(c, y);
        const auto to = checked(c, x);
        const nb::gil_scoped_release run;
        c.input(unmask::cpu{.threads = threads}, to, from);
      });
  m.def("benchmark_wavelengths", &unmask::optics::benchmark_wavelength_list);
  m.def("add_noise", [](image_out y, const std::string& shot, double quantum_efficiency, double bit_depth,
                        double photons, double read_sigma, double full_scale, std::uint64_t seed) {
    using unmask::optics::shot_noise;
    const auto kind = shot == "binomial"  ? shot_noise::binomial
                      : shot == "poisson" ? shot_noise::poisson
                                          : shot_noise::none;
    const unmask::optics::noise_model model{kind, quantum_efficiency, bit_depth, photons, read_sigma, full_scale};
    unwrap(unmask::optics::check_noise(model));
    unmask::optics::add_noise(unmask::cpu{}, view_of(y), model, seed);
  });
}

}  // namespace bindings
