#include <unmask/optics/initial_estimate.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace unmask;
using optics::initial_kind;

namespace {

std::string refusal(const std::map<std::string, std::string>& description) {
  const auto read = optics::described_initial(description, 3);
  return read ? "accepted" : read.error().message();
}

}  // namespace

TEST_CASE("initial estimates have names") {
  for (const auto kind :
       {initial_kind::hm, initial_kind::gap_tv, initial_kind::gap_tv_camera, initial_kind::spectral_tv})
    CHECK(optics::initial_by_name(optics::initial_name(kind)).value() == kind);
  CHECK_FALSE(bool(optics::initial_by_name("gap")));
}

TEST_CASE("initial estimates come back from a description to the bit") {
  tensor<float, 2> spread({2, 3});
  float value = -1.f / 3;
  for (float& v : spread) v = value *= -.7f;
  spread(1, 1) = 1e-30f;
  std::map<std::string, std::string> words;
  optics::describe_initial(words, {initial_kind::spectral_tv, spread});
  const auto read = optics::described_initial(words, 3);
  REQUIRE(read);
  CHECK(read->kind == initial_kind::spectral_tv);
  CHECK(read->spectral_basis.extents() == spread.extents());
  CHECK(std::equal(read->spectral_basis.begin(), read->spectral_basis.end(), spread.begin()));

  words.clear();
  optics::describe_initial(words, {initial_kind::gap_tv, {}});
  CHECK(words.size() == 1);
  CHECK(optics::described_initial(words, 3)->kind == initial_kind::gap_tv);
  CHECK(optics::described_initial({}, 3)->kind == initial_kind::hm);
}

TEST_CASE("initial estimates: a damaged description is refused") {
  const auto spectral = [](const std::string& spread) {
    return refusal({{"initial", "spectral-tv"}, {"spread", spread}});
  };
  CHECK(spectral("1 3 .1 .2 .3") == "accepted");
  CHECK(refusal({{"initial", "other"}}).find("'other'") != std::string::npos);
  CHECK(refusal({{"initial", "spectral-tv"}}).find("without a 'spread'") != std::string::npos);
  for (const char* text : {"", "1", "x 3 1 2 3"})
    CHECK(spectral(text).find("expected at most 3 rows") != std::string::npos);
  CHECK(spectral("1 4 .1 .2 .3 .4").find("[1 x 4], expected at most 3 rows of 3") != std::string::npos);
  CHECK(spectral("4 3 .1 .2 .3").find("[4 x 3]") != std::string::npos);
  for (const char* text : {"1 3 .1 .2", "1 3 .1 nan .3", "1 3 .1 .2 inf", "1 3 .1 .2 x"})
    CHECK(spectral(text).find("no finite number") != std::string::npos);
  CHECK(spectral("1 3 .1 .2 .3 .4").find("more values than 3") != std::string::npos);
}
