#pragma once

/// Every image the network keeps or works in, carved from one block. Saved for backward: the input of each block and
/// its branches' results, the stages' convolution inputs, the ends of the network. In inference blocks take turns on
/// two images, and peak memory is a number known before anything runs.

#include <vector>

#include "s2_parameters.hpp"

namespace unmask::inline UNMASK_ABI {

struct s2_sizes {
  index_t batch = 1, height = 0, width = 0;  ///< unpadded
};

enum class s2_mode { inference, training };

template <class T>
struct s2_plan {
  struct block_memory {
    s2_block shape;
    T *x = nullptr, *y = nullptr, *a = nullptr, *b = nullptr;  ///< [B, H', W', E] input, output, branches
  };

  std::vector<block_memory> blocks;
  std::vector<block_scratch<T>> scratch;  ///< one a stage (heads may differ), all in the same place
  std::vector<T*> pins;                   ///< [B, H', W', bands] a stage, training
  T *input, *last;                        ///< [B, H', W', bands] padded input, padded output
  T *first, *body, *sum;                  ///< [B, H', W', E] f0, LN(t), conv_after_body + f0
  T* norms;                               ///< [4, B H' W'] mean and 1/deviation of the two outer layer norms
  T *d, *dstage, *dfirst;                 ///< [B, H', W', E]
  T *dlast, *dinput;                      ///< [B, H', W', bands]
  T *packed, *partials;                   ///< rearranged weights and chunk gradients of the outer operations

  s2_plan(const s2_config& config, s2_sizes s, s2_mode m)
      : scratch(static_cast<std::size_t>(config.stages)),
        pins(static_cast<std::size_t>(config.stages), nullptr),
        c_(config),
        s_(s),
        mode_(m) {
    for (int i = 0; i < c_.stages; ++i)
      for (int j = 0; j < c_.depths[static_cast<std::size_t>(i)]; ++j) {
        blocks.push_back({make_block(c_, i, j, c_.padded(s_.height), c_.padded(s_.width))});
        stage_of_.push_back(static_cast<std::size_t>(i));
      }
    ends_.resize(static_cast<std::size_t>(c_.stages) + 1);
  }

  bool training() const { return mode_ == s2_mode::training; }
  T* stage_input(std::size_t i) const { return ends_[i]; }
  T* stage_output(std::size_t i) const { return ends_[i + 1]; }
  T* last_stage() const { return ends_.back(); }

  template <class Backend>
  void carve(arena& a, const Backend& be) {
    const index_t n = s_.batch * c_.padded(s_.height) * c_.padded(s_.width), wide = n * c_.channels,
                  narrow = n * c_.bands;
    input = a.take<T>(narrow);
    first = a.take<T>(wide);
    norms = a.take<T>(4 * n);
    if (training())
      carve_training(a, wide, narrow);
    else
      carve_inference(a, wide, narrow);
    const index_t wider = std::max<index_t>(c_.channels, c_.bands);
    const conv_sizes widest{s_.batch, c_.padded(s_.height), c_.padded(s_.width), wider, wider};
    const std::size_t level = a.level();
    packed = a.take<T>(widest.packed());
    partials = training() ? a.take<T>(max_chunks * widest.partial()) : nullptr;
    a.release(level);
    for (std::size_t k = 0; k < blocks.size(); ++k) {
      if (k > 0 && stage_of_[k] == stage_of_[k - 1]) continue;
      scratch[stage_of_[k]].carve(a, be, blocks[k].shape, s_.batch, training());
      a.release(level);
    }
  }

 private:
  void carve_training(arena& a, index_t wide, index_t narrow) {
    for (T*& end : ends_) end = a.take<T>(wide);
    for (std::size_t k = 0; k < blocks.size(); ++k) {
      const bool starts = k == 0 || stage_of_[k] != stage_of_[k - 1];
      blocks[k].x = starts ? ends_[stage_of_[k]] : blocks[k - 1].y;
      for (T** p : {&blocks[k].y, &blocks[k].a}) *p = a.take<T>(wide);
      blocks[k].b = blocks[k].shape.branches() == 2 ? a.take<T>(wide) : nullptr;
    }
    for (T*& p : pins) p = a.take<T>(narrow);
    for (T** p : {&body, &sum, &d, &dstage, &dfirst}) *p = a.take<T>(wide);
    for (T** p : {&last, &dlast, &dinput}) *p = a.take<T>(narrow);
  }

  void carve_inference(arena& a, index_t wide, index_t narrow) {
    T *start = a.take<T>(wide), *even = a.take<T>(wide), *odd = a.take<T>(wide), *left = a.take<T>(wide),
      *right = a.take<T>(wide);
    for (std::size_t i = 0; i < ends_.size(); ++i) ends_[i] = start;
    for (std::size_t k = 0; k < blocks.size(); ++k) {
      const bool starts = k == 0 || stage_of_[k] != stage_of_[k - 1];
      blocks[k].x = starts ? start : blocks[k - 1].y;
      blocks[k].y = blocks[k].x == even ? odd : even;
      blocks[k].a = left;
      blocks[k].b = right;
    }
    body = even, sum = odd;
    last = a.take<T>(narrow);
    d = dstage = dfirst = dlast = dinput = nullptr;
  }

  s2_config c_;
  s2_sizes s_;
  s2_mode mode_;
  std::vector<std::size_t> stage_of_;
  std::vector<T*> ends_;  ///< stage i reads ends_[i] and writes ends_[i + 1]
};

}  // namespace unmask::inline UNMASK_ABI
