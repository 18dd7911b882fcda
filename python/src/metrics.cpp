/// Figures with the name of their definition.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "core.hpp"

namespace bindings {

namespace {

nb::dict as_dict(const unmask::metrics::quality& q) {
  nb::dict d;
  d["psnr"] = q.psnr, d["ssim"] = q.ssim, d["sam"] = q.sam, d["ergas"] = q.ergas;
  return d;
}

nb::dict evaluate(cube truth, cube estimate, std::optional<image> mask, const std::string& definition) {
  const auto d = unwrap(unmask::metrics::definition_from_name(definition));
  const auto t = view_of(truth), e = view_of(estimate);
  unmask::metrics::regional_quality q;
  {
    const nb::gil_scoped_release run;
    if (mask)
      q = unwrap(unmask::metrics::evaluate_regions(t, e, view_of(*mask), d));
    else
      q.all = unwrap(unmask::metrics::evaluate(t, e, d));
  }
  nb::dict result = as_dict(q.all);
  result["definition"] = definition;
  if (q.hidden) result["hidden"] = as_dict(*q.hidden);
  if (q.open) result["open"] = as_dict(*q.open);
  return result;
}

}  // namespace

void add_metrics(nb::module_& m) {
  m.def("evaluate", &evaluate, nb::arg(), nb::arg(), nb::arg().none(), nb::arg());
  m.def("definitions", [] {
    std::vector<std::string> names(unmask::metrics::definition_names.begin(), unmask::metrics::definition_names.end());
    return names;
  });
}

}  // namespace bindings
