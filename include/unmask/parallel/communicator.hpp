#pragma once

/// Several processes that work on one job, each a `rank` of 0 .. size - 1. This base class is a process by itself, so
/// that what is written for many runs with one; MPI is behind mpi/communicator.hpp. All ranks make the same calls in
/// the same order, but for `next`, `send`, `receive` and `abort`.

#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

/// Parts of a block, one a rank, in bytes. The lists live until the exchange is over.
struct rank_parts {
  const int* counts;
  const int* starts;
};

class communicator {
 public:
  using ticket = int;  ///< an exchange on its way

  communicator() = default;
  communicator(const communicator&) = delete;
  communicator& operator=(const communicator&) = delete;
  virtual ~communicator() = default;

  virtual int rank() const { return 0; }
  virtual int size() const { return 1; }
  bool first() const { return rank() == 0; }
  /// Ranks on this machine.
  virtual int neighbours() const { return 1; }

  /// Every rank's text, in the order of ranks.
  virtual std::vector<std::string> gather(const std::string& mine) { return {mine}; }
  /// Whether all say so.
  virtual bool all(bool mine) { return mine; }
  virtual void barrier() {}

  /// 0, 1, 2, ...: each number goes to one rank, whoever asks first.
  virtual index_t next() { return counter_++; }

  /// Numbers to another rank, and from it, in the order of sending. `send` copies them and waits until the copy before
  /// has left, `sent` until this one has.
  virtual void send(int /*to*/, std::span<const float>) {}
  virtual void sent() {}
  virtual void receive(int /*from*/, std::span<float>) {}

  /// Part s of `from` goes to rank s; what rank q has for this one arrives as part q of `to`. Goes on while the caller
  /// computes, and the faster the more often it calls `progress`.
  virtual ticket start_exchange(const void* /*from*/, rank_parts, void* /*to*/, rank_parts) { return 0; }
  /// Part q of a block is at rank q; afterwards all have all of it.
  virtual ticket start_spread(void* /*block*/, rank_parts) { return 0; }
  virtual void wait(ticket) {}
  virtual void progress() {}

  /// Seconds this rank has spent in calls that wait for others.
  virtual double waited() const { return 0; }

  /// Ends all ranks.
  [[noreturn]] virtual void abort(int code) { std::exit(code); }

 private:
  index_t counter_ = 0;
};

/// A process by itself, for who was given no ranks.
inline communicator& alone() {
  static communicator one;
  return one;
}

}  // namespace unmask::inline UNMASK_ABI
