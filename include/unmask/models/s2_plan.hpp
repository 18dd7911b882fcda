#pragma once

/// Every image the network keeps or works in, carved from one block. Saved for backward: the input of each block and
/// its attention's results, the stages' convolution inputs, the ends of the network. In inference blocks share one or
/// two images, and peak memory is a number known before anything runs.

#include <vector>

#include "../nn/image_ops.hpp"
#include "../nn/s2_block.hpp"
#include "s2_parameters.hpp"

namespace unmask::inline UNMASK_ABI {

/// Frugal training keeps one image a block instead of two and computes the other again.
using s2_sizes = network_sizes;
using s2_mode = network_mode;

template <class T, class Backend>
struct s2_plan {
  using block_kernel = kernel<op::s2_block, Backend>;
  struct block_memory {
    s2_block shape;
    block_images<T> images;                            ///< [B, H', W', E]
    typename block_kernel::template prepared<T> made;  ///< from weights and mask
  };

  std::vector<block_memory> blocks;
  /// One a stage (heads may differ), all in the same place.
  std::vector<typename block_kernel::template scratch<T>> scratch;
  std::vector<T*> pins;    ///< [B, H', W', bands] a stage, training
  T* input;                ///< [B, H', W', inputs] padded
  T* last;                 ///< [B, H', W', bands] padded output
  T *first, *body, *sum;   ///< [B, H', W', E] f0, LN(t), conv_after_body + f0
  T* norms;                ///< [4, B H' W'] mean and 1/deviation of the two outer layer norms
  T *d, *dstage, *dfirst;  ///< [B, H', W', E]
  T *dlast, *dinput;       ///< gradients of last and input
  T* work;                 ///< scratch of the outer operation at work

  [[gnu::cold]] s2_plan(const s2_config& config, s2_sizes s, s2_mode m)
      : scratch(static_cast<std::size_t>(config.stages)),
        pins(static_cast<std::size_t>(config.stages), nullptr),
        c_(config),
        s_(s),
        mode_(m) {
    for (int i = 0; i < c_.stages; ++i)
      for (int j = 0; j < c_.depths[static_cast<std::size_t>(i)]; ++j) {
        blocks.push_back({make_block(c_, i, j, c_.padded(s_.height), c_.padded(s_.width)), {}, {}});
        stage_of_.push_back(static_cast<std::size_t>(i));
      }
    ends_.resize(static_cast<std::size_t>(c_.stages) + 1);
  }

  bool training() const { return mode_ != s2_mode::inference; }
  T* stage_input(std::size_t i) const { return ends_[i]; }
  T* stage_output(std::size_t i) const { return ends_[i + 1]; }
  T* last_stage() const { return ends_.back(); }

  void carve(arena& a, const Backend& be) {
    const index_t n = s_.batch * c_.padded(s_.height) * c_.padded(s_.width), wide = n * c_.channels,
                  narrow = n * c_.bands, given = n * c_.input_channels();
    input = a.take<T>(given);
    first = a.take<T>(wide);
    norms = a.take<T>(4 * n);
    for (block_memory& b : blocks) b.made.carve(a, b.shape, s_.batch, training());
    if (training())
      carve_training(a, wide, narrow);
    else
      carve_inference(a, wide, narrow);
    const std::size_t level = a.level();
    work = a.take<T>(outer_scratch(be, n));
    dinput = training() ? a.take<T>(given) : nullptr;  // written when no block needs its scratch any more
    a.release(level);
    for (std::size_t k = 0; k < blocks.size(); ++k) {
      if (!starts(k)) continue;
      scratch[stage_of_[k]].carve(a, be, blocks[k].shape, s_.batch, training());
      a.release(level);
    }
  }

 private:
  /// The most that an operation outside the blocks works in.
  index_t outer_scratch(const Backend& be, index_t n) const {
    using conv = kernel<op::conv3x3, Backend>;
    const index_t e = c_.channels, bands = c_.bands, h = c_.padded(s_.height), w = c_.padded(s_.width);
    index_t most = 0;
    for (const conv_sizes& s :
         {conv_sizes{s_.batch, h, w, c_.input_channels(), e}, {s_.batch, h, w, e, e}, {s_.batch, h, w, e, bands}})
      most = std::max(most, conv::scratch(be, s, training()));
    if (!training()) return most;
    return std::max(
        {most, image_norm_scratch(be, row_sizes{n, e}), image_linear_scratch(be, linear_sizes{n, e, bands})});
  }

  void carve_training(arena& a, index_t wide, index_t narrow) {
    for (T*& end : ends_) end = a.take<T>(wide);
    bool some_again = false;
    for (block_memory& b : blocks) {
      b.images.again = mode_ == s2_mode::frugal_training && block_kernel::template repeats<T>(b.shape);
      some_again = some_again || b.images.again;
    }
    T* const shared = some_again ? a.take<T>(wide) : nullptr;
    const auto last_extra = [&](bool again) { return again ? shared : a.take<T>(wide); };
    for (std::size_t k = 0; k < blocks.size(); ++k) {
      block_images<T>& m = blocks[k].images;
      m.x = starts(k) ? ends_[stage_of_[k]] : blocks[k - 1].images.y;
      m.y = a.take<T>(wide);
      const index_t extra = block_kernel::template extra_images<T>(blocks[k].shape, true);
      m.a = extra > 0 ? last_extra(m.again && extra == 1) : nullptr;
      m.b = extra > 1 ? last_extra(m.again) : nullptr;
    }
    for (T*& p : pins) p = a.take<T>(narrow);
    // what only the forward pass and the first convolutions of the backward pass read makes room for gradients
    for (T** p : {&d, &dstage, &dfirst}) *p = a.take<T>(wide);
    sum = d, body = dstage;
    last = dlast = a.take<T>(narrow);
  }

  /// Blocks take turns on two images besides the stage's input, or work in place on one.
  void carve_inference(arena& a, index_t wide, index_t narrow) {
    bool in_place = true;
    index_t extra = 0;
    for (const block_memory& b : blocks) {
      in_place = in_place && block_kernel::template in_place<T>(b.shape);
      extra = std::max(extra, block_kernel::template extra_images<T>(b.shape, false));
    }
    T *start = a.take<T>(wide), *even = a.take<T>(wide), *odd = in_place ? even : a.take<T>(wide);
    T *left = extra > 0 ? a.take<T>(wide) : nullptr, *right = extra > 1 ? a.take<T>(wide) : nullptr;
    for (T*& end : ends_) end = start;
    for (std::size_t k = 0; k < blocks.size(); ++k) {
      T* x = starts(k) ? start : blocks[k - 1].images.y;
      blocks[k].images = {x, x == even ? odd : even, left, right};
    }
    body = even, sum = first;
    last = a.take<T>(narrow);
    d = dstage = dfirst = dlast = nullptr;
  }

  bool starts(std::size_t k) const { return k == 0 || stage_of_[k] != stage_of_[k - 1]; }

  s2_config c_;
  s2_sizes s_;
  s2_mode mode_;
  std::vector<std::size_t> stage_of_;
  std::vector<T*> ends_;  ///< stage i reads ends_[i] and writes ends_[i + 1]
};

}  // namespace unmask::inline UNMASK_ABI
