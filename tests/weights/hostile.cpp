/// Damaged and hostile weights files are refused in one line, and nothing is half loaded.

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <unmask/io/weights.hpp>
#include <unmask/weights/mapped_file.hpp>

#include "loaded.hpp"

using namespace unmask;

namespace {

io::safetensors seed(const char* name) {
  auto file = io::read_safetensors(std::string(UNMASK_SEEDS_DIR "/") + name);
  REQUIRE(file);
  return std::move(*file);
}

/// `text` must be in the message.
void refused(std::span<const std::byte> bytes, const std::string& text) {
  const unmask_test::loaded found(bytes);
  const std::string message = found.found.message();
  CAPTURE(message);
  CAPTURE(text);
  CHECK_FALSE(found.found);
  CHECK(found.model.parameters.empty());
  CHECK(message.find(text) != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
}

void refused(io::safetensors file, const std::string& text, bool sealed = true) {
  if (sealed) io::detail::seal(file);
  const auto bytes = io::format_safetensors(file);
  REQUIRE(bytes);
  refused(std::span<const std::byte>(*bytes), text);
}

std::vector<std::byte> file_of(std::string header, std::size_t data) {
  const std::uint64_t length = header.size();
  std::vector<std::byte> bytes(8 + header.size() + data);
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

void header_refused(const std::string& header, std::size_t data, const std::string& text) {
  const auto bytes = file_of(header, data);
  refused(std::span<const std::byte>(bytes), text);
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

}  // namespace

TEST_CASE("the seeds themselves are fine") {
  for (const char* name : {"single.safetensors", "half.safetensors"}) {
    weights::mapped_file file;
    REQUIRE(file.open((std::string(UNMASK_SEEDS_DIR "/") + name).c_str()));
    const unmask_test::loaded found(file.bytes());
    CHECK(found.found.message() == std::string());
    CHECK(found.model.parameters.size() == 74);
  }
}

TEST_CASE("every byte that changes is noticed, every cut too") {
  const auto bytes = io::read_file(UNMASK_SEEDS_DIR "/half.safetensors");
  REQUIRE(bytes);
  const auto data = std::span<const std::byte>(*bytes);
  std::size_t through = 0;
  for (std::size_t i = 0; i < bytes->size(); ++i) {
    auto changed = *bytes;
    changed[i] ^= std::byte{static_cast<unsigned char>(1u << (i % 7))};
    const unmask_test::loaded found(changed);
    if (found.found) ++through;
    CHECK((found.found || found.model.parameters.empty()));
    if (i % 16 == 0) CHECK_FALSE(unmask_test::loaded(data.first(i)).found);
  }
  // What may change: blanks behind the header's JSON, and the name under which the metadata's own sum is found.
  CHECK(through <= 16);
}

TEST_CASE("headers that claim what is not there") {
  header_refused("", 0, "not a JSON object");
  header_refused("[]", 0, "not a JSON object");
  header_refused("{", 0, "JSON");
  header_refused("{}x", 0, "JSON");
  header_refused("{},", 0, "JSON");
  header_refused(R"({"a":1})", 0, "has no dtype");
  header_refused(one("F64", "[1]", "[0,8]"), 8, "neither F32, F16 nor I8");
  header_refused(one("F32", "[1,1,1,1,1]", "[0,4]"), 4, "more than 4 dimensions");
  header_refused(one("F32", "[1]", "[0,4,4]"), 4, "more than two data_offsets");
  header_refused(one("F32", "[2]", "[0,4]"), 4, "other bytes");
  header_refused(one("F32", "[5]", "[0,4]"), 4, "claims more");
  header_refused(one("F32", "[2]", "[0,12]"), 12, "other bytes");
  header_refused(one("F32", "[18446744073709551615,2]", "[0,4]"), 4, "claims more");
  header_refused(one("F32", "[0,18446744073709551615]", "[0,0]"), 0, "claims more");
  header_refused(one("F32", "[4294967296,4294967296,0]", "[0,0]"), 0, "claims more");
  header_refused(one("F32", "[18446744073709551616]", "[0,4]"), 4, "has no dtype");
  header_refused(one("F32", "[-1]", "[0,4]"), 4, "has no dtype");
  header_refused(one("F32", "[1.0]", "[0,4]"), 4, "has no dtype");
  header_refused(one("F32", "[1]", "[4,0]"), 4, "outside");
  header_refused(one("F32", "[1]", "[0,8]"), 4, "outside");
  header_refused(one("F32", "[1]", "[4,8]"), 8, "does not start where");
  header_refused(one("F32", "[1]", "[0,4]"), 8, "follow the last tensor");
  header_refused(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "one twice");
  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})",
                    b = R"("\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]})";
  header_refused("{" + a + "," + b + "}", 8, "'a' twice");
  header_refused(R"({"__metadata__":{"a":"","a":""}})", 0, "'a' twice");
  header_refused(R"({"__metadata__":{},"__metadata__":{}})", 0, "'__metadata__' twice");
  header_refused(R"({"__metadata__":{"a":1}})", 0, "JSON");
  header_refused("{" + std::string(100000, '['), 0, "JSON");
  const std::uint64_t huge = ~std::uint64_t{0};
  std::vector<std::byte> bytes(16);
  std::memcpy(bytes.data(), &huge, 8);
  refused(std::span<const std::byte>(bytes), "truncated");
  refused(std::span<const std::byte>(bytes).first(7), "truncated");
}

TEST_CASE("files whose sums are right and whose words are not") {
  auto file = seed("half.safetensors");
  const auto with = [&](const char* key, const std::string& text) {
    auto changed = file;
    changed.metadata[key] = text;
    return changed;
  };
  refused(with("format", "unmask weights 1"), "--rewrite");
  refused(with("format", "pt"), "not a weights file");
  refused(with("architecture", "U-Net"), "'U-Net'");
  refused(with("config", ""), "'config' is not");
  refused(with("config", "{}"), "must state every value");
  std::string config = file.metadata["config"];
  refused(with("config", config + " 1"), "'config' is not");
  refused(with("config", "{\"bands\":1," + config.substr(1)), "'bands'");
  refused(with("config", "{\"colour\":1," + config.substr(1)), "'colour'");
  refused(with("config", "{\"inputs\":0," + config.substr(1)), "'inputs'");
  refused(with("config", "{\"depths\":[1,1]," + config.substr(1)), "'depths'");
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = config;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  refused(with("config", replaced("\"heads\":[1]", "\"heads\":[1,1]")), "differ in length");
  refused(with("config", replaced("\"heads\":[1]", "\"heads\":[]")), "differ in length");
  refused(with("config", replaced("\"bands\":1", "\"bands\":4096")), "shape");
  refused(with("config", replaced("\"bands\":1", "\"bands\":4294967297")), "'bands'");
  refused(with("config", replaced("\"bands\":1", "\"bands\":1.5")), "'bands'");
  refused(with("config", replaced("\"shifted\":true", "\"shifted\":1")), "'shifted'");
  refused(with("config", replaced("\"spatial\"", "\"spatial_\"")), "'layout'");
  refused(with("model", "{}"), "'initial' is missing");
  const std::string words = file.metadata["model"];
  refused(with("model", "{\"range\":[0,1]," + words.substr(1)), "'range'");
  const auto model = [](const std::string& nm, const std::string& range, const std::string& step = "2") {
    return R"({"direction":"right","dispersion_step":)" + step + R"(,"initial":"spectral-tv","range":)" + range +
           R"(,"wavelengths":)" + nm + "}";
  };
  refused(with("model", model("[1,2]", "[0,1]")), "'wavelengths'");
  refused(with("model", model("[-1]", "[0,1]")), "ascending");
  refused(with("model", model("[1e400]", "[0,1]")), "'wavelengths'");
  refused(with("model", model("[1e7]", "[0,1]")), "ascending");
  refused(with("model", model("[1]", "[1,0]")), "'range'");
  refused(with("model", model("[1]", "[0,1e39]")), "'range'");
  refused(with("model", model("[1]", "[0]")), "'range'");
  refused(with("model", model("[1]", "[0,NaN]")), "'range'");
  refused(with("model", model("[1]", "[0,1]", "-1")), "'dispersion_step'");
  refused(with("model", model("[1]", "[0,1]", "65537")), "'dispersion_step'");
  refused(with("selftest", "{\"seed\":-1}"), "'selftest'");
  refused(with("selftest", "{\"seed\":1,\"x\":1}"), "'selftest'");
  refused(with("card.data", "other"), "metadata is damaged", false);
  refused(with("checksums", "{}"), "checksum", false);
  refused(with("checksums", "{\"conv_first.bias\":\"0123\"}"), "'checksums'", false);

  auto nan = file;
  for (auto& t : nan.tensors)
    if (t.name == "conv_first.bias") t.bytes[1] = std::byte{0x7e};
  refused(nan, "'conv_first.bias' has a value that is NaN");
  auto less = file;
  less.tensors.erase(less.tensors.begin());
  refused(less, "missing");
  auto more = file;
  more.tensors.push_back(io::make_tensor("more", {1}, std::vector<float>{1}));
  refused(more, "'more' is no parameter");
  auto plain =
      with("model", R"({"direction":"right","dispersion_step":2,"initial":"hm","range":[0,1],"wavelengths":[]})");
  refused(plain, "spectral basis");
}

TEST_CASE("what is no file to map") {
  weights::mapped_file file;
  CHECK(file.open("/nowhere/at/all").code() == errc::not_found);
  CHECK_FALSE(file.open("/"));
  CHECK_FALSE(file.open("/dev/null"));
  CHECK(file.bytes().empty());
}
