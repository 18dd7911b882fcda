/// How long ranks take to sum their gradients, alone: mpirun -np R build/mpi/bench/exchange [threads]. A JSON line a
/// size.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <unmask/mpi/communicator.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/train/gradient_sum.hpp>
#include <vector>

using namespace unmask;

namespace {

using clock_type = std::chrono::steady_clock;

/// Seconds of one sum of N numbers, the slowest rank's, over all rounds.
std::vector<double> times(communicator& ranks, unmask::index_t size, int rounds) {
  train::gradient_sum<float, cpu> sum(ranks, ranks.size(), size);
  memory_block gradient(static_cast<std::size_t>(size) * sizeof(float));
  auto* const block = reinterpret_cast<float*>(gradient.data());
  arena count;
  sum.carve(count, block);
  memory_block rest(count.peak());
  arena memory(rest.data(), rest.bytes());
  sum.carve(memory, block);
  std::vector<double> all;
  for (int i = 0; i < rounds; ++i) {
    sum.begin();
    std::fill_n(sum.next_block(), size, 1.f);
    ranks.barrier();
    const auto start = clock_type::now();
    sum.add_part(cpu{}, 0, size);
    sum.finish(cpu{});
    const double seconds = std::chrono::duration<double>(clock_type::now() - start).count();
    double slowest = 0;
    for (const auto& text : ranks.gather(std::to_string(seconds * 1e6)))
      slowest = std::max(slowest, std::strtod(text.c_str(), nullptr) * 1e-6);
    all.push_back(slowest);
    if (block[size / 2] != 1.f) ranks.abort(1);  // the mean of ones
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

int main() {
  const auto ranks = mpi::communicator::join();
  for (unmask::index_t size = 1 << 8; size <= 1 << 22; size *= 4) {
    const int rounds = size > (1 << 19) ? 11 : 41;
    const auto t = times(*ranks, size, rounds);
    const auto at = [&](double share) {
      return t[static_cast<std::size_t>(share * static_cast<double>(t.size() - 1))];
    };
    if (ranks->first())
      std::printf("{\"ranks\": %d, \"numbers\": %td, \"seconds\": %.3e, \"low\": %.3e, \"high\": %.3e}\n",
                  ranks->size(), size, at(.5), at(.1), at(.9));
    std::fflush(stdout);
  }
}
