/// unmask._core: the library as Python sees it. The package's own files give it defaults, checks and documentation.

#include "core.hpp"

NB_MODULE(_core, m) {
  bindings::nb::exception<unmask::failure>(m, "Error", PyExc_ValueError);
  bindings::add_camera(m);
  bindings::add_model(m);
  bindings::add_reconstructor(m);
  bindings::add_solvers(m);
  bindings::add_metrics(m);
  bindings::add_trainer(m);
  m.attr("version") = UNMASK_VERSION_STRING;
}
