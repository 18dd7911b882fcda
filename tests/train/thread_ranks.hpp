#pragma once

/// Ranks that are threads of this process, for tests of what ranks do together: as MPI's, without MPI.

#include <barrier>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "unmask/parallel/communicator.hpp"

namespace thread_ranks {

/// What the ranks of one job share. Exchanges happen when they are waited for, all of them in the order of starting.
struct job {
  explicit job(int ranks) : size(ranks), meet(ranks), texts(static_cast<std::size_t>(ranks)), open(texts.size()) {}

  struct exchange {
    const char* from = nullptr;
    char* to = nullptr;
    unmask::rank_parts sent{}, received{};
  };

  int size;
  std::barrier<> meet;
  std::vector<std::string> texts;
  std::vector<std::vector<exchange>> open;  ///< [rank][ticket]
};

class rank_of final : public unmask::communicator {
 public:
  rank_of(job& shared, int rank) : job_(shared), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return job_.size; }
  std::vector<std::string> gather(const std::string& mine) override {
    job_.texts[index(rank_)] = mine;
    job_.meet.arrive_and_wait();
    auto all = job_.texts;
    job_.meet.arrive_and_wait();
    return all;
  }
  bool all(bool mine) override {
    for (const std::string& text : gather(mine ? "1" : "0"))
      if (text == "0") return false;
    return true;
  }
  void barrier() override { job_.meet.arrive_and_wait(); }

  ticket start_exchange(const void* from, unmask::rank_parts sent, void* to, unmask::rank_parts received) override {
    auto& open = job_.open[index(rank_)];
    open.push_back({static_cast<const char*>(from), static_cast<char*>(to), sent, received});
    return static_cast<ticket>(open.size()) - 1;
  }
  ticket start_spread(void* block, unmask::rank_parts parts) override {
    auto& open = job_.open[index(rank_)];
    open.push_back({static_cast<const char*>(block), static_cast<char*>(block), {}, parts});
    return static_cast<ticket>(open.size()) - 1;
  }
  void wait(ticket t) override {
    job_.meet.arrive_and_wait();
    const auto& mine = job_.open[index(rank_)][index(t)];
    for (int q = 0; q < size(); ++q) {
      const auto& theirs = job_.open[index(q)][index(t)];
      const bool spread = !theirs.sent.counts;
      if (spread && q == rank_) continue;
      const auto part = index(spread ? q : rank_);
      const auto& parts = spread ? theirs.received : theirs.sent;
      // both sides must agree on how much it is
      if (parts.counts[part] != mine.received.counts[index(q)]) std::abort();
      std::memcpy(mine.to + mine.received.starts[index(q)], theirs.from + parts.starts[part],
                  static_cast<std::size_t>(parts.counts[part]));
    }
    job_.meet.arrive_and_wait();
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  job& job_;
  int rank_;
};

/// body(communicator) on so many ranks.
inline void run(int ranks, const std::function<void(unmask::communicator&)>& body) {
  job shared(ranks);
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      rank_of me(shared, r);
      body(me);
    });
  for (auto& t : threads) t.join();
}

}  // namespace thread_ranks
