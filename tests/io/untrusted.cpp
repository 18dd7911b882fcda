/// Files in a child process: the same values come back, and what goes wrong there is an error here.

#include <sys/socket.h>

#include "hdf5_maker.hpp"
#include "unmask/io/hdf5_writer.hpp"
#include "unmask/io/untrusted.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNMASK_TEST_ASAN 1
#endif
#endif

using namespace unmask;
using namespace io_test;
using some_bytes = result<std::vector<std::byte>>;

TEST_CASE("io: a child process reads the same cube and refuses in the same words") {
  const temporary_folder folder;
  const std::string path = folder / "scene.h5";
  const auto cube = numbered_cube(70, 40, 5);
  REQUIRE(io::write_cube(path, cube.view(), std::vector<double>{400, 450, 500, 550, 600}));
  const auto here = io::read_cube({path, ""}), there = io::read_cube_untrusted({path, ""});
  REQUIRE_MESSAGE(there, there.error().message());
  CHECK(same(there->cube, here->cube));
  CHECK(there->wavelengths == here->wavelengths);
  CHECK(there->variable == "cube");
  CHECK(there->range.largest == here->range.largest);
  for (const std::string& name : {folder / "none.h5", path}) {
    const auto a = io::read_mask({name, ""});
    const auto b = io::read_plane_untrusted({name, ""}, {"mask"});
    REQUIRE(!b);
    CHECK(b.error().code() == a.error().code());
    CHECK(b.error().message() == a.error().message());
  }
  tensor<float, 2> mask({3, 4}, .25f);
  REQUIRE(io::write_plane(folder / "mask.h5", "mask", mask.view()));
  CHECK(io::read_plane_untrusted({folder / "mask.h5", ""})->extents() == mask.extents());
}

TEST_CASE("io: crashes, endless work, too much memory and silence of a child are errors") {
  const io::child_limits little{.seconds = .5, .memory = std::uint64_t{64} << 20, .most_result = 1000};
  check_error(io::run_in_child("x.h5", little, []() -> some_bytes { std::abort(); }), errc::unreadable,
              {"x.h5", "crashed"});
  check_error(io::run_in_child("x.h5", little,
                               []() -> some_bytes {
                                 volatile bool on = true;
                                 while (on) {
                                 }
                                 return std::vector<std::byte>();
                               }),
              errc::unreadable, {"x.h5", "took longer"});
#if !defined(__SANITIZE_ADDRESS__) && !defined(UNMASK_TEST_ASAN)  // there no memory ends the process
  check_error(io::run_in_child("x.h5", little,
                               []() -> some_bytes {
                                 const auto room = io::detail::allocate<double>(std::int64_t{1} << 26);
                                 return room ? some_bytes(std::vector<std::byte>(1))
                                             : error(errc::wrong_shape, "no memory");
                               }),
              errc::wrong_shape, {"no memory"});
#endif
  check_error(io::run_in_child("x.h5", little, []() -> some_bytes { return std::vector<std::byte>(2000); }),
              errc::unreadable, {"x.h5", "gave more"});
  check_error(io::run_in_child("x.h5", little, []() -> some_bytes { ::_exit(0); }), errc::unreadable,
              {"ended with code 0"});
  CHECK(io::run_in_child("x.h5", little, []() -> some_bytes { return std::vector<std::byte>(7); })->size() == 7);
}

TEST_CASE("io: a child process can write no file, start no program and open no connection") {
  const temporary_folder folder;
  const std::string path = folder / "x";
  spit(path, "old");
  const auto tried = io::run_in_child("x", {}, [&]() -> some_bytes {
    std::vector<std::byte> done(4);
    done[0] = std::byte{::open(path.c_str(), O_WRONLY) >= 0};
    done[1] = std::byte{::unlink(path.c_str()) == 0};
    done[2] = std::byte{::socket(AF_INET, SOCK_STREAM, 0) >= 0};
    done[3] = std::byte{::fork() >= 0};
    return done;
  });
  REQUIRE(tried);
#if UNMASK_HAS_FILTER
  for (const std::byte b : *tried) CHECK(b == std::byte{0});
#endif
  CHECK(slurp(path) == "old");
}

TEST_CASE("io: what a child sends is not believed") {
  const tensor<float, 2> plane({2, 3}, .5f);
  const std::vector<std::byte> good = io::detail::packer().add(plane).bytes;
  const auto taken = [](std::vector<std::byte> sent) {
    tensor<float, 2> to;
    return io::detail::unpacker(sent).take(to);
  };
  CHECK(taken(good));
  for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(taken({good.begin(), good.begin() + static_cast<long>(n)}));
  for (const std::int64_t extent : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1} << 40, INT64_MAX}) {
    auto bad = good;
    std::memcpy(bad.data() + 8, &extent, 8);
    CHECK_FALSE(taken(bad));
  }
  auto nan = good;
  const float none = std::nanf("");
  std::memcpy(nan.data() + 24, &none, 4);
  CHECK_FALSE(taken(nan));
}
