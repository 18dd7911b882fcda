#pragma once

/// A CUDA graph of a session's run or a trainer's step: an S2-Transformer is several hundred kernels, most of them
/// shorter than the 2 to 3 microseconds that a launch takes.

#include <memory>

#include "../core/recording.hpp"
#include "error.cuh"

namespace unmask::inline UNMASK_ABI {

#if defined(__CUDACC__)
namespace detail {
struct destroy_graph {
  void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
};
}  // namespace detail
#endif

/// The first run is an ordinary one (cuBLAS and the driver set themselves up, which a recording may not), the second
/// records, the third and later ones play back; another key starts anew. The default stream cannot be recorded: there,
/// and where recording fails, every run is an ordinary one.
template <>
class recording<cuda> {
 public:
  template <class Work>
  void run(const cuda& be, const recording_key& key, Work&& work) {
#if defined(__CUDACC__) && !defined(UNMASK_CUDA_SYNCHRONOUS)
    if (be.stream && !hopeless_) {
      if (key != key_ || !warm_) {
        graph_.reset();
        key_ = key;
        warm_ = true;
        work();
        return;
      }
      if (!graph_) record(be, work);
      if (graph_) {
        if (!detail::first_fault().text) detail::keep(cudaGraphLaunch(graph_.get(), be.stream));
        return;
      }
    }
#else
    (void)be, (void)key;
#endif
    work();
  }

#if defined(__CUDACC__)
 private:
  template <class Work>
  void record(const cuda& be, Work& work) {
    if (detail::first_fault().text) return;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t playable = nullptr;
    // other threads may allocate meanwhile: only this one is held to what a recording allows
    bool ok = cudaStreamBeginCapture(be.stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess;
    if (ok) {
      work();
      ok = cudaStreamEndCapture(be.stream, &graph) == cudaSuccess;
    }
    ok = ok && !detail::first_fault().text && cudaGraphInstantiate(&playable, graph, 0) == cudaSuccess;
    if (graph) cudaGraphDestroy(graph);
    hopeless_ = !ok;
    if (ok) return graph_.reset(playable);
    // nothing of it ran: the ordinary run that follows will meet a fault again if it is one
    cudaGetLastError();
    detail::first_fault() = {};
  }

  std::unique_ptr<CUgraphExec_st, detail::destroy_graph> graph_;
  recording_key key_{};
  bool warm_ = false, hopeless_ = false;
#endif
};

}  // namespace unmask::inline UNMASK_ABI
