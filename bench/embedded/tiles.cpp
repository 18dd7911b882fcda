/// Register tiles of R rows x W packs, as the kernels' are (nn/cpu/conv_panel.hpp, nn/cpu/matmul.hpp), for
/// bench/embedded/tiles.

#include <unmask/simd/pack.hpp>

namespace {

using pack = unmask::simd::pack<float>;
using unmask::index_t;

}  // namespace

template <int R, int W>
[[gnu::noinline]] void tile(float* sum, const float* a, index_t stride, const float* b, index_t k) {
  pack::type s[R][W];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) s[r][w] = pack::load(sum + (r * W + w) * pack::lanes);
  for (index_t p = 0; p < k; ++p) {
    pack::type right[W];
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) right[w] = pack::load(b + (p * W + w) * pack::lanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const auto left = pack::all(a[r * stride + p]);
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) s[r][w] = pack::fma(left, right[w], s[r][w]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) pack::store(sum + (r * W + w) * pack::lanes, s[r][w]);
}

template void tile<4, 2>(float*, const float*, index_t, const float*, index_t);
template void tile<6, 2>(float*, const float*, index_t, const float*, index_t);
template void tile<8, 2>(float*, const float*, index_t, const float*, index_t);
template void tile<10, 2>(float*, const float*, index_t, const float*, index_t);
template void tile<12, 2>(float*, const float*, index_t, const float*, index_t);
template void tile<4, 4>(float*, const float*, index_t, const float*, index_t);
template void tile<6, 4>(float*, const float*, index_t, const float*, index_t);
template void tile<7, 4>(float*, const float*, index_t, const float*, index_t);
