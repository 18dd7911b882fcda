#pragma once

/// What every file of the bindings shares. Arrays are checked and brought to C order and float32 in Python
/// (unmask/_arrays.py); here they are borrowed as they are: no copy, and the interpreter is free while kernels run.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <unmask/core/tensor.hpp>
#include <unmask/unmask.hpp>

#include "instances.hpp"

namespace bindings {

namespace nb = nanobind;

using image = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using cube = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using image_out = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using cube_out = nb::ndarray<float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using released = nb::call_guard<nb::gil_scoped_release>;

/// [a, b] and [a, b, c] as the library sees them.
template <class Array>
auto view_of(const Array& a) {
  using T = std::remove_pointer_t<decltype(a.data())>;
  if constexpr (Array::Config::N == 2)
    return unmask::array_view<T, 2>(a.data(), static_cast<unmask::index_t>(a.shape(0)),
                                    static_cast<unmask::index_t>(a.shape(1)));
  else
    return unmask::array_view<T, 3>(a.data(), static_cast<unmask::index_t>(a.shape(0)),
                                    static_cast<unmask::index_t>(a.shape(1)), static_cast<unmask::index_t>(a.shape(2)));
}

template <class T, std::size_t N>
unmask::tensor<float, N> copy_of(const unmask::array_view<T, N>& from) {
  unmask::tensor<float, N> to(from.extents());
  std::copy(from.begin(), from.end(), to.begin());
  return to;
}

/// The value, or `unmask.Error` with the result's line.
inline void unwrap(unmask::result<> r) { r.value(); }
template <class T>
T unwrap(unmask::result<T>&& r) {
  return std::move(r).value();
}

/// Calls a Python callable with the interpreter's lock from code that runs without it. Once it has raised, or a signal
/// has arrived (Ctrl-C), it is not called again, and `rethrow` raises that in the caller.
class progress_bridge {
 public:
  explicit progress_bridge(nb::object callable) : callable_(std::move(callable)) {}

  /// Whether to go on.
  template <class... Arguments>
  bool operator()(Arguments... arguments) noexcept {
    if (failed_) return false;
    const nb::gil_scoped_acquire lock;
    try {
      if (!callable_.is_none()) callable_(arguments...);
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
    } catch (nb::python_error& e) {
      e.restore();
      PyErr_Fetch(&type_, &value_, &trace_);
      failed_ = true;
    } catch (...) {
      failed_ = true;
    }
    return !failed_;
  }
  /// With the lock held.
  void rethrow() {
    if (!failed_) return;
    PyErr_Restore(type_, value_, trace_);
    throw nb::python_error();
  }

 private:
  nb::object callable_;
  bool failed_ = false;
  PyObject *type_ = nullptr, *value_ = nullptr, *trace_ = nullptr;
};

void add_camera(nb::module_&);
void add_model(nb::module_&);
void add_reconstructor(nb::module_&);
void add_solvers(nb::module_&);
void add_metrics(nb::module_&);
void add_trainer(nb::module_&);

}  // namespace bindings
