#pragma once

/// Runs kernel bodies on the host: every thread of a block is a fiber, blocks run one after the other. What the machine
/// would do wrong is found here instead: a barrier or shuffle that not all threads reach, more shared memory than was
/// asked for, shared memory that nobody wrote (it starts as NaN), and, by running the threads in reverse order and
/// comparing bits, results that depend on the order between two barriers.

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <ucontext.h>

#include <unmask/cuda/launch.cuh>

namespace unmask_test {

using unmask::index_t;

/// Faults end the program: a test that goes on after a kernel went wrong says nothing.
[[noreturn]] inline void emulator_fault(const char* text) {
  std::fprintf(stderr, "emulated kernel: %s\n", text);
  std::abort();
}

/// The block that runs now.
class block_emulator {
 public:
  static block_emulator& get() {
    static block_emulator only;
    return only;
  }

  /// Threads run from the last to the first.
  bool reversed = false;

  /// call(body, thread) for every thread of every block.
  void run(index_t blocks, int threads, std::size_t shared, void (*call)(const void*), const void* body) {
    call_ = call, body_ = body, blocks_ = blocks, threads_ = threads;
    while (static_cast<int>(fibers_.size()) < threads) fibers_.push_back(std::make_unique<fiber>());
    shared_.resize(shared + guard);
    for (block_ = 0; block_ < blocks; ++block_) {
      std::memset(shared_.data(), 0xff, shared_.size());
      run_block();
      for (std::size_t i = shared; i < shared_.size(); ++i)
        if (shared_[i] != 0xff) emulator_fault("wrote behind its shared memory");
    }
  }

  index_t block() const { return block_; }
  index_t blocks() const { return blocks_; }
  int threads() const { return threads_; }
  int current() const { return current_; }
  unsigned char* shared(std::size_t from, std::size_t bytes) {
    if (from + bytes + guard > shared_.size()) emulator_fault("asked for more shared memory than its launch");
    return shared_.data() + from;
  }

  enum scope { of_block, of_warp };

  /// Waits for the other threads of the block or the warp, which must come to the same line.
  void wait(scope which, int line) {
    barrier& b = which == of_block ? block_barrier_ : warp_barriers_[current_ / unmask::warp_size];
    if (b.arrived > 0 && b.line != line) emulator_fault("threads of a block or warp wait at different lines");
    b.line = line;
    progress_ = true;
    if (++b.arrived == (which == of_block ? threads_ : unmask::warp_size)) {
      b.arrived = 0, ++b.turn;
      return;
    }
    fiber& own = *fibers_[index(current_)];
    own.waits = &b, own.turn = b.turn;
    yield();
  }

  /// Lane exchange: a word a lane, twice, because a lane may be one exchange ahead of the slowest.
  unsigned char* word(int thread, unsigned turn) { return words_[index(thread)][turn % 2]; }

 private:
  static constexpr std::size_t guard = 256, stack = 64 * 1024;
  struct barrier {
    int arrived = 0, line = 0;
    unsigned turn = 0;
  };
  struct fiber {
    ucontext_t start;
    std::jmp_buf at;
    std::unique_ptr<unsigned char[]> memory = std::make_unique<unsigned char[]>(stack);
    bool begun = false, done = true;
    const barrier* waits = nullptr;  ///< until its turn is over
    unsigned turn = 0;
  };
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  void run_block() {
    for (int i = 0; i < threads_; ++i) fibers_[index(i)]->done = false, fibers_[index(i)]->waits = nullptr;
    for (int left = threads_; left > 0;) {
      left = 0;
      progress_ = false;
      for (int k = 0; k < threads_; ++k) {
        current_ = reversed ? threads_ - 1 - k : k;
        fiber& f = *fibers_[index(current_)];
        if (f.done) continue;
        ++left;
        if (f.waits && f.waits->turn == f.turn) continue;
        f.waits = nullptr;
        resume(f);
        left -= f.done;
        progress_ = progress_ || f.done;
      }
      if (left > 0 && !progress_) emulator_fault("threads wait for others that ended or wait elsewhere");
    }
  }

  void resume(fiber& f) {
    if (_setjmp(scheduler_)) return;
    if (f.begun) _longjmp(f.at, 1);
    f.begun = true;
    getcontext(&f.start);
    f.start.uc_stack.ss_sp = f.memory.get();
    f.start.uc_stack.ss_size = stack;
    makecontext(&f.start, &block_emulator::loop, 0);
    setcontext(&f.start);
  }

  void yield() {
    if (!_setjmp(fibers_[index(current_)]->at)) _longjmp(scheduler_, 1);
  }

  /// A fiber lives for ever: one thread of one block after the other.
  static void loop() {
    block_emulator& e = get();
    for (;;) {
      e.call_(e.body_);
      e.fibers_[index(e.current_)]->done = true;
      e.yield();
    }
  }

  std::vector<std::unique_ptr<fiber>> fibers_;
  barrier block_barrier_, warp_barriers_[32];
  std::vector<unsigned char> shared_;
  unsigned char words_[1024][2][16] = {};
  std::jmp_buf scheduler_;
  void (*call_)(const void*) = nullptr;
  const void* body_ = nullptr;
  index_t block_ = 0, blocks_ = 0;
  int threads_ = 0, current_ = 0;
  bool progress_ = false;
};

/// The emulator's twin of unmask::device_thread.
class emulated_thread {
 public:
  index_t block() const { return machine().block(); }
  index_t blocks() const { return machine().blocks(); }
  int thread() const { return thread_; }
  int threads() const { return machine().threads(); }
  int lane() const { return thread_ % unmask::warp_size; }
  int warp() const { return thread_ / unmask::warp_size; }

  void sync(int line = __builtin_LINE()) { machine().wait(block_emulator::of_block, line); }
  void sync_warp(int line = __builtin_LINE()) { machine().wait(block_emulator::of_warp, line); }
  template <class T>
  T shuffle_xor(T value, int mask, int line = __builtin_LINE()) {
    return exchange(value, lane() ^ mask, line);
  }
  template <class T>
  T shuffle(T value, int from, int line = __builtin_LINE()) {
    return exchange(value, from, line);
  }

  template <class T>
  T* shared(index_t n) {
    const std::size_t from = used_;
    used_ += unmask::shared_bytes<T>(n);
    return reinterpret_cast<T*>(machine().shared(from, used_ - from));
  }

 private:
  static block_emulator& machine() { return block_emulator::get(); }
  int first_lane() const { return thread_ - lane(); }
  template <class T>
  T exchange(T value, int from, int line) {
    static_assert(sizeof(T) <= 16);
    const unsigned turn = turn_++;
    std::memcpy(machine().word(thread_, turn), &value, sizeof(T));
    machine().wait(block_emulator::of_warp, line);
    std::memcpy(&value, machine().word(first_lane() + from % unmask::warp_size, turn), sizeof(T));
    return value;
  }

  int thread_ = machine().current();
  std::size_t used_ = 0;
  unsigned turn_ = 0;
};

}  // namespace unmask_test

namespace unmask::inline UNMASK_ABI::detail {
template <class Body>
void emulate(index_t blocks, std::size_t shared, const Body& body) {
  unmask_test::block_emulator::get().run(
      blocks, Body::threads, shared,
      [](const void* b) {
        unmask_test::emulated_thread t;
        (*static_cast<const Body*>(b))(t);
      },
      &body);
}
}  // namespace unmask::inline UNMASK_ABI::detail
