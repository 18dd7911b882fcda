#pragma once

/// MPI (Open MPI, MPICH) behind parallel/communicator.hpp: the only place that names it. Opt-in: CMake's `unmask::mpi`.
///
///   auto ranks = mpi::communicator::join();   // in main, before anything else
///   options.ranks = ranks.get();              // train::trainer_options
///
/// A call that fails ends all ranks: MPI's own handler does that.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "../parallel/communicator.hpp"

#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

namespace unmask::inline UNMASK_ABI::mpi {

/// Whether mpirun or srun has started this process: MPI by itself would start services for one rank.
inline bool launched() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK"})
    if (std::getenv(name)) return true;
  return false;
}

class communicator final : public unmask::communicator {
 public:
  /// All ranks of the job; a process by itself where nothing launched it.
  static std::unique_ptr<unmask::communicator> join() {
    if (!launched()) return std::make_unique<unmask::communicator>();
    return std::unique_ptr<unmask::communicator>(new communicator);
  }

  ~communicator() override {
    sent();
    MPI_Barrier(MPI_COMM_WORLD);
    done_ = true;
    if (dealer_.joinable()) dealer_.join();
    MPI_Comm_free(&neighbours_);
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int neighbours() const override {
    int n = 1;
    MPI_Comm_size(neighbours_, &n);
    return n;
  }

  std::vector<std::string> gather(const std::string& mine) override {
    const timed t(waited_);
    const auto ranks = static_cast<std::size_t>(size_);
    std::vector<int> counts(ranks), starts(ranks);
    const int count = static_cast<int>(mine.size());
    MPI_Allgather(&count, 1, MPI_INT, counts.data(), 1, MPI_INT, MPI_COMM_WORLD);
    int total = 0;
    for (std::size_t r = 0; r < ranks; ++r) starts[r] = total, total += counts[r];
    std::string text(static_cast<std::size_t>(total), '\0');
    MPI_Allgatherv(mine.data(), count, MPI_CHAR, text.data(), counts.data(), starts.data(), MPI_CHAR, MPI_COMM_WORLD);
    std::vector<std::string> all;
    for (std::size_t r = 0; r < ranks; ++r)
      all.push_back(text.substr(static_cast<std::size_t>(starts[r]), static_cast<std::size_t>(counts[r])));
    return all;
  }
  bool all(bool mine) override {
    const timed t(waited_);
    int one = mine, together = 0;
    MPI_Allreduce(&one, &together, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
    return together != 0;
  }
  void barrier() override {
    const timed t(waited_);
    MPI_Barrier(MPI_COMM_WORLD);
  }

  /// Rank 0 has a thread that answers the others, so that nobody waits until rank 0 has computed something.
  index_t next() override {
    if (rank_ == 0) {
      if (!dealer_.joinable()) dealer_ = std::thread([this] { deal(); });
      return counter_++;
    }
    const timed t(waited_);
    long long number = 0;
    MPI_Sendrecv(nullptr, 0, MPI_LONG_LONG, 0, ask, &number, 1, MPI_LONG_LONG, 0, answer, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
    return static_cast<index_t>(number);
  }

  void send(int to, std::span<const float> numbers) override {
    sent();
    outgoing_.assign(numbers.begin(), numbers.end());
    MPI_Isend(outgoing_.data(), static_cast<int>(outgoing_.size()), MPI_FLOAT, to, 0, MPI_COMM_WORLD, &sending_);
  }
  void sent() override {
    const timed t(waited_);
    MPI_Wait(&sending_, MPI_STATUS_IGNORE);
  }
  void receive(int from, std::span<float> numbers) override {
    const timed t(waited_);
    MPI_Recv(numbers.data(), static_cast<int>(numbers.size()), MPI_FLOAT, from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  }

  ticket start_exchange(const void* from, rank_parts sent, void* to, rank_parts received) override {
    const timed t(waited_);
    MPI_Request& request = new_request();
    MPI_Ialltoallv(from, sent.counts, sent.starts, MPI_BYTE, to, received.counts, received.starts, MPI_BYTE,
                   MPI_COMM_WORLD, &request);
    return static_cast<ticket>(requests_.size()) - 1;
  }
  ticket start_spread(void* block, rank_parts parts) override {
    const timed t(waited_);
    MPI_Request& request = new_request();
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_BYTE, block, parts.counts, parts.starts, MPI_BYTE, MPI_COMM_WORLD, &request);
    return static_cast<ticket>(requests_.size()) - 1;
  }
  void wait(ticket t) override {
    const timed now(waited_);
    MPI_Wait(&requests_[static_cast<std::size_t>(t)], MPI_STATUS_IGNORE);
    if (--open_ == 0) requests_.clear();
  }
  void progress() override {
    const timed t(waited_);
    for (MPI_Request& request : requests_) {
      int done = 0;
      if (request != MPI_REQUEST_NULL) MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    }
  }

  double waited() const override { return waited_; }

  [[noreturn]] void abort(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }

 private:
  static constexpr int ask = 1, answer = 2;  // tags; 0: numbers

  /// Adds the time of a call.
  struct timed {
    explicit timed(double& to) : sum(to), start(std::chrono::steady_clock::now()) {}
    ~timed() { sum += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }
    timed(const timed&) = delete;
    timed& operator=(const timed&) = delete;
    double& sum;
    std::chrono::steady_clock::time_point start;
  };

  communicator() {
    int provided = 0;  // two threads of rank 0 talk
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided);
    if (provided < MPI_THREAD_MULTIPLE) {
      std::fprintf(stderr, "unmask: this MPI is not for programs with threads (MPI_THREAD_MULTIPLE)\n");
      abort(1);
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &neighbours_);
  }

  /// Answers until all ranks have come to the end.
  void deal() {
    while (!done_) {
      int asked = 0;
      MPI_Status who;
      MPI_Iprobe(MPI_ANY_SOURCE, ask, MPI_COMM_WORLD, &asked, &who);
      if (!asked) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      const long long number = counter_++;
      MPI_Recv(nullptr, 0, MPI_LONG_LONG, who.MPI_SOURCE, ask, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      MPI_Send(&number, 1, MPI_LONG_LONG, who.MPI_SOURCE, answer, MPI_COMM_WORLD);
    }
  }

  MPI_Request& new_request() {
    ++open_;
    return requests_.emplace_back(MPI_REQUEST_NULL);
  }

  int rank_ = 0, size_ = 1, open_ = 0;
  MPI_Comm neighbours_ = MPI_COMM_NULL;
  MPI_Request sending_ = MPI_REQUEST_NULL;
  std::vector<float> outgoing_;
  std::vector<MPI_Request> requests_;
  double waited_ = 0;
  std::atomic<long long> counter_{0};
  std::atomic<bool> done_{false};
  std::thread dealer_;
};

}  // namespace unmask::inline UNMASK_ABI::mpi
