#pragma once

/// A batch one sample after the other, alone or shared with other ranks: `trainer_options::by_sample`.

#include <algorithm>
#include <array>
#include <vector>

#include "gradient_sum.hpp"
#include "trainer_report.hpp"
#include "training_pass.hpp"

namespace unmask::inline UNMASK_ABI::train {

template <Model N>
class by_sample {
 public:
  using T = typename N::value_type;
  using Backend = typename N::backend_type;

  by_sample(const trainer_options& o, index_t parameters) : ranks_(o.ranks ? o.ranks : &alone()), batch_(o.batch) {
    if (!o.by_sample) return;
    sum_ = gradient_sum<T, Backend>(*ranks_, batch_, parameters);
    losses_.resize(static_cast<std::size_t>(batch_));
    for (int r = 0; r < ranks_->size(); ++r) {
      const sample_range s = share_of(r, ranks_->size(), batch_);
      counts_.push_back(static_cast<int>(s.count) * static_cast<int>(sizeof(sample_loss)));
      starts_.push_back(static_cast<int>(s.first) * static_cast<int>(sizeof(sample_loss)));
    }
  }

  sample_range share() const { return sum_.share(); }

  void carve(arena& a, const training_pass<N>& pass) {
    sum_.carve(a, pass.blocks.gradients);
    keep_ = a.take<T>(pass.network.branches());
  }

  /// The mean loss of the batch, and its gradient and that one's norm, in the pass. `samples`: this rank's; `keep`
  /// [branches, batch]: of all samples, or null.
  batch_loss differentiate(training_pass<N>& pass, const batch<T>& samples, const loss_spec& spec, const T* keep) {
    const sample_range mine = share();
    sum_.begin();
    for (index_t i = 0; i < mine.count; ++i) {
      pass.place_sample(samples, i);
      for (index_t k = 0; keep && k < pass.network.branches(); ++k) keep_[k] = keep[k * batch_ + mine.first + i];
      const T* const kept = keep ? keep_ : nullptr;
      T* const block = sum_.next_block();
      if (i + 1 < mine.count) {
        pass.differentiate_to({block}, spec, kept);
        sum_.add(pass.backend);
      } else {
        differentiate_last(pass, block, spec, kept);
      }
      losses_[static_cast<std::size_t>(mine.first + i)] = {pass.sums[0], pass.sums[1]};
    }
    const auto ticket = ranks_->start_spread(losses_.data(), {counts_.data(), starts_.data()});
    sum_.finish(pass.backend);
    ranks_->wait(ticket);
    pass.measure_gradient();
    batch_loss mean{0, 0};
    for (const sample_loss& l : losses_) mean.value += l.auxiliary + l.rest, mean.encoding += l.auxiliary;
    mean.value /= static_cast<double>(batch_), mean.encoding /= static_cast<double>(batch_);
    return mean;
  }

 private:
  struct sample_loss {
    double auxiliary = 0, rest = 0;
  };

  /// With what is finished going to the other ranks before the rest is.
  void differentiate_last(training_pass<N>& pass, T* block, const loss_spec& spec, const T* keep) {
    std::array<sample_range, 32> told{};  // [first, first + count) of the parameters
    std::size_t parts = 0;
    auto finished = [&](index_t from, index_t to) {
      if (parts == told.size()) return;  // the rest comes at the end
      told[parts++] = {from, to - from};
      sum_.add_part(pass.backend, from, to);
    };
    pass.differentiate_to({.parameters = block, .finished = finished}, spec, keep);
    std::sort(told.begin(), told.begin() + static_cast<std::ptrdiff_t>(parts),
              [](sample_range a, sample_range b) { return a.first < b.first; });
    index_t at = 0;
    for (std::size_t k = 0; k < parts; ++k) {
      sum_.add_part(pass.backend, at, told[k].first);
      at = told[k].first + told[k].count;
    }
    sum_.add_part(pass.backend, at, pass.parameters);
  }

  communicator* ranks_;
  index_t batch_;
  gradient_sum<T, Backend> sum_;
  std::vector<sample_loss> losses_;
  std::vector<int> counts_, starts_;
  T* keep_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI::train
