#pragma once

/// Visitors for a layer's one list of parameters. A layer writes
///   v.enter("proj."); v(p.weight, "weight", {out, in}, memory_order::reversed, initial::normal); v.leave();
/// and the same list binds pointers into a flat block (`parameter_binder`) or describes it (`manifest_builder`).

#include <initializer_list>
#include <string>

#include "layer_norm.hpp"
#include "parameters.hpp"

namespace unmask::inline UNMASK_ABI {

/// Points the members of a parameter struct into a flat block; `used()` is the number of elements passed so far.
template <class T>
class parameter_binder {
 public:
  explicit parameter_binder(T* block) : block_(block) {}
  void enter(const char*, index_t = -1) {}
  void leave() {}
  void operator()(T*& pointer, const char*, std::initializer_list<index_t> shape, memory_order, initial, index_t = 1) {
    index_t n = 1;
    for (index_t e : shape) n *= e;
    pointer = block_ ? block_ + used_ : nullptr;
    used_ += n;
  }
  index_t used() const { return used_; }

 private:
  T* block_;
  index_t used_ = 0;
};

/// Collects names and shapes.
class manifest_builder {
 public:
  void enter(const char* name, index_t number = -1) {
    levels_.push_back(prefix_.size());
    prefix_ += name;
    if (number >= 0) prefix_ += std::to_string(number) + ".";
  }
  void leave() {
    prefix_.resize(levels_.back());
    levels_.pop_back();
  }
  template <class T>
  void operator()(T*&, const char* name, std::initializer_list<index_t> shape, memory_order order, initial init,
                  index_t fan_in = 1) {
    result_.add(prefix_ + name, shape, order, init, fan_in);
  }
  manifest take() { return std::move(result_); }

 private:
  manifest result_;
  std::string prefix_;
  std::vector<std::size_t> levels_;
};

template <class Visitor, class T>
void visit_norm(Visitor& v, const char* name, norm_params<T>& p, index_t channels) {
  v.enter(name);
  v(p.weight, "weight", {channels}, memory_order::plain, initial::one);
  v(p.bias, "bias", {channels}, memory_order::plain, initial::zero);
  v.leave();
}

}  // namespace unmask::inline UNMASK_ABI
