#include "unmask/io/safetensors.hpp"

#include <random>

#include "helpers.hpp"

using namespace unmask;
using namespace io_test;

namespace {

/// A file with any header text and any data.
std::string file_of(const std::string& header, const std::string& data = "", std::uint64_t length = 0) {
  const std::uint64_t n = length ? length : header.size();
  return std::string(reinterpret_cast<const char*>(&n), 8) + header + data;
}

result<io::safetensors> parse(const std::string& file) {
  return io::parse_safetensors(std::as_bytes(std::span(file.data(), file.size())), "w.safetensors");
}

void refused(const std::string& file, const std::vector<std::string>& pieces) {
  CAPTURE(file);
  std::vector<std::string> all{"w.safetensors: "};
  all.insert(all.end(), pieces.begin(), pieces.end());
  check_error(parse(file), errc::unreadable, all);
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

}  // namespace

TEST_CASE("io: safetensors go out and come back") {
  const temporary_folder folder;
  const std::vector<float> values{1.5f, -2.f, 0.f, 3e-42f, 5.f, 6.f};
  io::safetensors file;
  file.metadata = {{"format", "1"},
                   {"note",
                    "Gr\xc3\xbc\xc3\x9f"
                    "e \"quoted\"\n"}};
  file.tensors.push_back(io::make_tensor("z.weight", {2, 3}, values));
  file.tensors.push_back(io::make_tensor("a.scalar", {}, std::span(values).first(1)));
  file.tensors.push_back(io::make_tensor("none", {0, 4}, {}));
  REQUIRE(io::write_safetensors(folder / "w.safetensors", file));
  const auto back = io::read_safetensors(folder / "w.safetensors");
  REQUIRE(back);
  CHECK(back->metadata == file.metadata);
  REQUIRE(back->tensors.size() == 3);
  const io::tensor_entry* z = back->find("z.weight");
  REQUIRE(z);
  CHECK(z->shape == std::vector<index_t>{2, 3});
  CHECK(*io::to_floats(*z) == values);
  CHECK(back->find("a.scalar")->bytes.size() == 4);
  CHECK(back->find("none")->shape == std::vector<index_t>{0, 4});
  CHECK(back->find("other") == nullptr);
  CHECK(folder.files() == 1);

  file.tensors.push_back(io::make_tensor("z.weight", {1}, std::span(values).first(1)));
  check_error(io::write_safetensors(folder / "w.safetensors", file), errc::bad_argument, {"'z.weight' is there twice"});
  file.tensors.back().name = "short";
  file.tensors.back().shape = {2};
  check_error(io::write_safetensors(folder / "w.safetensors", file), errc::bad_argument, {"'short' has 4 bytes"});
  CHECK(io::read_safetensors(folder / "w.safetensors"));
}

TEST_CASE("io: halves, brain floats and doubles become floats") {
  const auto floats = [](const std::string& dtype, std::initializer_list<std::uint16_t> bits) {
    io::tensor_entry t{"t", dtype, {static_cast<index_t>(bits.size())}, {}};
    for (const std::uint16_t b : bits) {
      t.bytes.push_back(static_cast<std::byte>(b & 255));
      t.bytes.push_back(static_cast<std::byte>(b >> 8));
    }
    return *io::to_floats(t);
  };
  const auto half = floats("F16", {0x0000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x7c00, 0xfc00, 0x7e00});
  CHECK(half[0] == 0.f);
  CHECK(half[1] == 1.f);
  CHECK(half[2] == -2.f);
  CHECK(half[3] == 65504.f);
  CHECK(half[4] == 5.9604644775390625e-08f);  // 2^-24, the smallest subnormal
  CHECK(half[5] == 1023.f / 16777216.f);
  CHECK(half[6] == 6.103515625e-05f);  // 2^-14, the smallest normal
  CHECK(half[7] == HUGE_VALF);
  CHECK(half[8] == -HUGE_VALF);
  CHECK(std::isnan(half[9]));
  const auto brain = floats("BF16", {0x3f80, 0xc040, 0x7f80});
  CHECK(brain[0] == 1.f);
  CHECK(brain[1] == -3.f);
  CHECK(brain[2] == HUGE_VALF);
  const double third = 1.0 / 3.0;
  io::tensor_entry d{"d", "F64", {1}, std::vector<std::byte>(8)};
  std::memcpy(d.bytes.data(), &third, 8);
  CHECK((*io::to_floats(d))[0] == 1.f / 3.f);
  d.dtype = "I64";
  check_error(io::to_floats(d), errc::wrong_value, {"'d' is I64", "expected F32"});
}

TEST_CASE("io: a hostile safetensors header is refused in one line") {
  const std::string four(4, '\0'), eight(8, '\0');
  REQUIRE(parse(file_of(one(R"("F32")", "[1]", "[0,4]"), four)));

  refused("", {"truncated"});
  refused("1234567", {"truncated", "7 bytes"});
  refused(file_of("{}", "", std::uint64_t{1} << 60), {"header claims 1152921504606846976 bytes", "10"});
  refused(file_of("{}", "", ~std::uint64_t{0}), {"header claims 18446744073709551615"});
  refused(file_of("{}", "", 3), {"header claims 3 bytes"});
  refused(file_of(""), {"not a JSON object"});
  refused(file_of("[]"), {"not a JSON object"});
  refused(file_of("{\"a\":"), {"not a JSON object"});
  refused(file_of("{\"\xff\":1}"), {"not a JSON object"});
  refused(file_of(std::string(100000, '{')), {"not a JSON object"});
  refused(file_of("{\"a\":" + std::string(100000, '[')), {"not a JSON object"});
  refused(file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                  R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                  eight),
          {"'a' twice"});
  refused(file_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four), {"'dtype' twice"});
  refused(file_of(R"({"__metadata__":{"a":1}})"), {"metadata 'a' is not a string"});
  refused(file_of(R"({"__metadata__":[]})"), {"metadata is not a JSON object"});
  refused(file_of(R"({"t":1})"), {"'t' is not a JSON object"});
  refused(file_of(R"({"t\n":1})"), {"'t?'"});
  refused(file_of(R"({"t":{"shape":[1],"data_offsets":[0,4]}})", four), {"'t' has no dtype"});
  refused(file_of(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", four), {"unknown key 'x'"});
  refused(file_of(one("\"F33\"", "[1]", "[0,4]"), four), {"unknown dtype 'F33'"});
  refused(file_of(one(R"("F32")", "[-1]", "[0,4]"), four), {"shape"});
  refused(file_of(one(R"("F32")", "[1.0]", "[0,4]"), four), {"shape"});
  refused(file_of(one(R"("F32")", "1", "[0,4]"), four), {"no shape"});
  refused(file_of(one(R"("F32")", "[4294967296,4294967296]", "[0,4]"), four), {"more than 2^33"});
  refused(file_of(one(R"("F32")", "[18446744073709551615]", "[0,4]"), four), {"more than 2^33"});
  refused(file_of(one(R"("F32")", "[0,18446744073709551615,18446744073709551615]", "[0,0]")), {"more than 2^33"});
  refused(file_of(one(R"("F32")", "[2]", "[0,4]"), four), {"has 4 bytes, F32 [2] needs 8"});
  refused(file_of(one(R"("F32")", "[1]", "[4,0]"), four), {"data_offsets"});
  refused(file_of(one(R"("F32")", "[1]", "[0]"), four), {"data_offsets"});
  refused(file_of(one(R"("F32")", "[1]", "[0,\"4\"]"), four), {"data_offsets"});
  refused(file_of(one(R"("F32")", "[1]", "[0,4]")), {"ends at byte 4 of the data, the file has 0"});
  refused(file_of(one(R"("F32")", "[1]", "[4,8]"), eight), {"starts at byte 4", "gap"});
  refused(file_of(one(R"("F32")", "[1]", "[0,4]"), eight), {"4 bytes after the last tensor"});
  refused(file_of(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},)"
                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}})",
                  eight),
          {"'b' starts at byte 4", "overlap"});
}

TEST_CASE("io: truncated and damaged safetensors never crash") {
  io::safetensors file;
  const std::vector<float> values(40, 1.f);
  file.metadata = {{"k", "v"}};
  file.tensors.push_back(io::make_tensor("first", {5, 8}, values));
  file.tensors.push_back(io::make_tensor("second", {40}, values));
  const auto bytes = *io::format_safetensors(file);
  for (std::size_t n = 0; n < bytes.size(); ++n) REQUIRE_FALSE(io::parse_safetensors(std::span(bytes).first(n), "x"));
  std::mt19937 random(2);
  for (int i = 0; i < 3000; ++i) {
    auto damaged = bytes;
    for (auto n = 1 + random() % 3; n > 0; --n) damaged[random() % 200] = static_cast<std::byte>(random());
    const auto r = io::parse_safetensors(damaged, "x");
    if (!r) REQUIRE(r.error().message().find('\n') == std::string::npos);
  }
}
