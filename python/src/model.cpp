/// Models: what a weights file holds.

#include <nanobind/stl/array.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <unmask/io/weights.hpp>

#include "core.hpp"

namespace bindings {

namespace {

using unmask::model;

/// A list of the parameters: name, shape in file order.
std::vector<std::tuple<std::string, std::vector<unmask::index_t>>> parameter_list(const model& m) {
  std::vector<std::tuple<std::string, std::vector<unmask::index_t>>> list;
  for (const auto& p : unmask::make_manifest(m.config).entries) list.emplace_back(p.name, p.shape);
  return list;
}

/// One of them, flat, in file order.
unmask::parameter find_parameter(const model& m, const std::string& name) {
  for (const auto& p : unmask::make_manifest(m.config).entries)
    if (p.name == name) return p;
  throw nb::key_error(name.c_str());
}

std::vector<float> get_parameter(const model& m, const std::string& name) {
  const auto p = find_parameter(m, name);
  std::vector<float> values(static_cast<std::size_t>(p.size));
  if (m.parameters.empty()) throw nb::key_error((name + ": this model has no network").c_str());
  unmask::export_parameter(p, m.parameters.data(), values.data());
  return values;
}

void set_parameter(model& m, const std::string& name, const std::vector<float>& values) {
  const auto p = find_parameter(m, name);
  if (static_cast<unmask::index_t>(values.size()) != p.size)
    throw nb::value_error(
        (name + ": found " + std::to_string(values.size()) + " numbers, expected " + std::to_string(p.size)).c_str());
  m.parameters.resize(static_cast<std::size_t>(unmask::make_manifest(m.config).size));
  unmask::import_parameter(p, m.parameters.data(), values.data());
}

/// The same estimate without a network behind it.
model without_network(const model& m, const std::string& kind) {
  model bare;
  bare.config.bands = m.config.bands;
  bare.initial.kind = unwrap(unmask::initial_by_name(kind));
  if (bare.initial.kind == unmask::initial_kind::spectral_tv) bare.initial.spectral_basis = m.initial.spectral_basis;
  bare.dispersion_step = m.dispersion_step, bare.direction = m.direction, bare.wavelengths = m.wavelengths;
  unwrap(check(bare));
  return bare;
}

}  // namespace

void add_model(nb::module_& m) {
  nb::class_<model>(m, "Model")
      .def_static("load",
                  [](const std::string& path) {
                    const nb::gil_scoped_release run;
                    return unwrap(unmask::io::read_weights(path));
                  })
      .def(
          "save", [](const model& self, const std::string& path) { unwrap(unmask::io::write_weights(path, self)); },
          released())
      .def("copy", [](const model& self) { return self; })
      .def("without_network", &without_network)
      .def_prop_ro("config", [](const model& self) { return unmask::io::config_to_json(self.config).dump(); })
      .def_prop_ro("bands", [](const model& self) { return self.config.bands; })
      .def_prop_ro("step", [](const model& self) { return self.dispersion_step; })
      .def_prop_ro("direction", [](const model& self) { return std::string(unmask::dispersion_name(self.direction)); })
      .def_prop_ro("wavelengths", [](const model& self) { return self.wavelengths; })
      .def_prop_ro("initial", [](const model& self) { return std::string(unmask::initial_name(self.initial.kind)); })
      .def_prop_ro("range", [](const model& self) { return self.range; })
      .def_prop_rw(
          "card", [](const model& self) { return self.card; },
          [](model& self, const std::map<std::string, std::string>& card) { self.card = card; })
      .def_prop_ro("size", [](const model& self) { return self.parameters.size(); })
      .def_prop_ro(
          "spectral_basis",
          [](const model& self) {
            const auto& b = self.initial.spectral_basis;
            return nb::ndarray<nb::numpy, const float, nb::ndim<2>>(
                b.data(), {static_cast<std::size_t>(b.extent(0)), static_cast<std::size_t>(b.extent(1))});
          },
          nb::rv_policy::reference_internal)
      .def("parameter_list", &parameter_list)
      .def("get_parameter", &get_parameter)
      .def("set_parameter", &set_parameter)
      .def("fits", [](const model& self, const unmask::optics::camera& c, const std::vector<double>& wavelengths) {
        unwrap(unmask::fits(self, c.geometry().bands, c.geometry().step, c.geometry().direction, wavelengths));
      });
}

}  // namespace bindings
