/// Measurement in, cube out.

#include <nanobind/stl/string.h>

#include <chrono>

#include "core.hpp"

namespace bindings {

namespace {

/// With the seconds of the last run, which tell what a call from Python costs beside it.
struct reconstructor : unmask::reconstructor<unmask::cpu> {
  explicit reconstructor(unmask::reconstructor<unmask::cpu> made)
      : unmask::reconstructor<unmask::cpu>(std::move(made)) {}
  double seconds = 0;
};

const char* stage_name(unmask::reconstruct_stage s) {
  switch (s) {
    case unmask::reconstruct_stage::estimate:
      return "estimate";
    case unmask::reconstruct_stage::network:
      return "network";
    case unmask::reconstruct_stage::refinement:
      return "refinement";
    default:
      return "tiles";
  }
}

unmask::reconstructor<unmask::cpu> make(const unmask::model& model, const unmask::optics::camera& camera, int threads,
                                        const unmask::reconstruct_options& options) {
  const nb::gil_scoped_release run;
  return unwrap(unmask::reconstructor<unmask::cpu>::create({.threads = threads}, model, camera, options));
}

}  // namespace

void add_reconstructor(nb::module_& m) {
  nb::class_<unmask::reconstruct_options>(m, "ReconstructOptions")
      .def(nb::init<>())
      .def_static("fast", &unmask::fast_reconstruction)
      .def_rw("network", &unmask::reconstruct_options::network)
      .def_rw("refinements", &unmask::reconstruct_options::refinements)
      .def_rw("check_rows", &unmask::reconstruct_options::check_rows)
      .def_rw("noise_weight", &unmask::reconstruct_options::noise_weight)
      .def_rw("memory_limit", &unmask::reconstruct_options::memory_limit)
      .def_rw("tile", &unmask::reconstruct_options::tile)
      .def_rw("halo", &unmask::reconstruct_options::halo);
  nb::class_<reconstructor>(m, "Reconstructor")
      .def("__init__",
           [](reconstructor* self, const unmask::model& model, const unmask::optics::camera& camera, int threads,
              const unmask::reconstruct_options& options) {
             new (self) reconstructor(make(model, camera, threads, options));
           })
      .def_prop_ro("bytes", [](const reconstructor& r) { return r.bytes(); })
      .def_ro("seconds", &reconstructor::seconds)
      .def_prop_ro("used_network", [](const reconstructor& r) { return r.taken().network; })
      .def_prop_ro("passes", [](const reconstructor& r) { return r.taken().passes; })
      .def(
          "run",
          [](reconstructor& r, cube_out x, image y, const unmask::optics::camera& camera, nb::object progress) {
            const auto to = view_of(x);
            const auto from = view_of(y);
            unwrap(camera.check(to.extents()));
            unwrap(camera.check(from.extents()));
            progress_bridge tell(std::move(progress));
            {
              const nb::gil_scoped_release run;
              const auto start = std::chrono::steady_clock::now();
              r.run(to, from, [&](const unmask::reconstruct_progress& p) {
                return tell(stage_name(p.stage), p.done, p.of, p.residual);
              });
              r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            }
            tell.rethrow();
            unwrap(r.status());  // NaN or infinity, by stage
          },
          nb::arg(), nb::arg(), nb::arg(), nb::arg().none());
}

}  // namespace bindings
