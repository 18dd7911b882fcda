#pragma once

/// Visitors for a layer's one list of parameters. A layer writes
///   v.enter("proj."); v(p.weight, "weight", {out, in}, memory_order::reversed, initial::normal); v.leave();
/// and the same list binds pointers into a flat block (`parameter_binder`) or describes it (`manifest_builder`).

#include <initializer_list>
#include <string>

#include "layer_norm.hpp"
#include "parameters.hpp"
#include "partial_sums.hpp"

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
  [[gnu::cold]] void enter(const char* name, index_t number = -1) {
    levels_.push_back(prefix_.size());
    prefix_ += name;
    if (number >= 0) prefix_ += std::to_string(number) + ".";
  }
  [[gnu::cold]] void leave() {
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

/// Adds copies of parameters, each a flat block of a chunk, to where the list's pointers say; `finish` adds the rest.
/// Pointers that follow one another are one loop, but need not.
template <class Backend, class T>
class partial_adder {
 public:
  partial_adder(const Backend& be, chunk_buffers<const T> parts) : be_(be), parts_(parts) {}
  void enter(const char*, index_t = -1) {}
  void leave() {}
  void operator()(T*& pointer, const char*, std::initializer_list<index_t> shape, memory_order, initial, index_t = 1) {
    index_t n = 1;
    for (index_t e : shape) n *= e;
    if (pointer != to_ + size_) finish(), to_ = pointer;
    size_ += n;
  }
  void finish() {
    if (size_ > 0) reduce_partials(be_, to_, parts_, size_);
    parts_.first += size_;
    size_ = 0;
  }

 private:
  const Backend& be_;
  chunk_buffers<const T> parts_;
  T* to_ = nullptr;
  index_t size_ = 0;
};

/// The parameters of a layer in a flat block, in the order of its list: `Layer::params<T>` by visit_parameters.
template <class T, class Layer>
auto bind_parameters(const Layer& l, T* block) {
  typename Layer::template params<T> p{};
  parameter_binder<T> bind(block);
  visit_parameters(bind, l, p);
  return p;
}

/// Numbers of that block.
template <class Layer>
index_t parameter_count(const Layer& l) {
  typename Layer::template params<float> p{};
  parameter_binder<float> count(nullptr);
  visit_parameters(count, l, p);
  return count.used();
}

/// Where the parts of a batch add a layer's gradients: on a host each chunk of parts has a copy, on a device operations
/// sum over the batch themselves and add to the gradients.
template <class Layer, class T>
struct gradient_copies {
  using params = typename Layer::template params<T>;
  const Layer& layer;
  const params& own;
  chunk_buffers<T> copies;

  params of(index_t chunk) const {
    return copies.first ? bind_parameters(layer, copies.first + chunk * copies.stride) : own;
  }
  template <class Backend>
  void clear(const Backend& be) const {
    if constexpr (!at_once<Backend>)
      parallel_for(be, copies.limit,
                   [&](index_t i, int) { std::fill_n(copies.first + i * copies.stride, copies.stride, T(0)); });
  }
  /// Adds the copies to the gradients.
  template <class Backend>
  void add(const Backend& be) const {
    if constexpr (!at_once<Backend>) {
      partial_adder<Backend, T> adder(be, {copies.first, copies.stride, copies.limit});
      params to = own;
      visit_parameters(adder, layer, to);
      adder.finish();
    }
  }
};

/// `room` holds gradient_room numbers.
template <class Backend, class Layer, class T>
gradient_copies<Layer, T> copies_for(const Backend&, const Layer& l, const typename Layer::template params<T>& own,
                                     T* room) {
  return {l, own, {at_once<Backend> ? nullptr : room, parameter_count(l), max_chunks}};
}

/// Numbers that `copies_for` needs.
template <class Backend, class Layer>
index_t gradient_room(const Backend&, const Layer& l) {
  return at_once<Backend> ? 0 : max_chunks * parameter_count(l);
}

template <class Visitor, class T>
void visit_norm(Visitor& v, const char* name, norm_params<T>& p, index_t channels) {
  v.enter(name);
  v(p.weight, "weight", {channels}, memory_order::plain, initial::one);
  v(p.bias, "bias", {channels}, memory_order::plain, initial::zero);
  v.leave();
}

}  // namespace unmask::inline UNMASK_ABI
