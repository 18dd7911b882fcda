/// Recorded runs give the bits of ordinary ones: sessions and training steps on a stream of their own.

#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include <unmask/cuda.cuh>

#include "../../model/network_case.hpp"
#include "../../train/tiny_training.hpp"

using namespace unmask;
using unmask::index_t;

namespace {

struct own_stream {
  cudaStream_t id = nullptr;
  own_stream() { REQUIRE(cudaStreamCreateWithFlags(&id, cudaStreamNonBlocking) == cudaSuccess); }
  ~own_stream() { cudaStreamDestroy(id); }
};

}  // namespace

TEST_CASE("a session that is played back") {
  const s2_config c = unmask_test::tiny_config(0);
  const index_t height = 18, width = 23, size = height * width * c.bands;
  const auto parameters = unmask_test::lively_parameters<float>(c);
  const auto mask = unmask_test::seeded<float>(height * width, 1, 0, 1);
  own_stream stream;
  const auto cubes = [&](cuda be) {
    auto s = session<s2_network<float, cuda>>::create(be, c, parameters, height, width,
                                                      array_view<const float, 2>(mask.data(), height, width));
    REQUIRE(bool(s));
    std::vector<float> all;
    for (std::uint64_t i = 0; i < 4; ++i) {  // ordinary, recorded, played back twice
      auto image = unmask_test::seeded<float>(size, 10 + i, 0, 1);
      const array_view<float, 3> view(image.data(), height, width, index_t{c.bands});
      s->run(view, view);
      const auto done = finish(be);
      REQUIRE_MESSAGE(bool(done), done.error().message());
      all.insert(all.end(), image.begin(), image.end());
    }
    return all;
  };
  CHECK(cubes(cuda{.stream = stream.id}) == cubes(cuda{}));  // the default stream records nothing
}

TEST_CASE("training steps that are played back") {
  own_stream stream;
  const auto weights = [&](cuda be) {
    auto t = train::trainer<s2_network<float, cuda>>::create(be, tiny_training::tiny, tiny_training::options()).value();
    const auto s = tiny_training::source();
    auto samples = s.make_batch<float>();
    for (index_t i = 0; i < 12; ++i) {
      s.fill(ref{}, samples, 11, i);
      CHECK(t.step(samples, tiny_training::specs()[static_cast<std::size_t>(i) / 4]).updated);
    }
    const auto done = finish(be);
    REQUIRE_MESSAGE(bool(done), done.error().message());
    const auto p = t.parameters();
    return std::vector<float>(p.begin(), p.end());
  };
  CHECK(weights(cuda{.stream = stream.id}) == weights(cuda{}));
}
