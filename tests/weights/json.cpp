/// The reader of JSON says of a text what another one says, and rounds numbers as it does.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <unmask/weights/json_reader.hpp>
#include <vector>

using unmask::weights::detail::json_reader;

TEST_CASE("strings") {
  const std::vector<std::string> texts = {R"("")",
                                          R"("a")",
                                          R"("\"\\\/\b\f\n\r\t")",
                                          R"("\u0041\u00e4\u20AC\ud83d\ude00\u0000")",
                                          "\"\xc3\xa4\"",
                                          "\"\xf0\x9f\x98\x80\"",
                                          R"("\x")",
                                          R"("\ud83d")",
                                          R"("\ude00")",
                                          R"("\ud83dx")",
                                          R"("\ud83d\u0041")",
                                          R"("\u12")",
                                          R"("\u12g4")",
                                          "\"\x01\"",
                                          "\"\n\"",
                                          "\"\xff\"",
                                          "\"\xc3\"",
                                          "\"\xc0\x80\"",
                                          "\"\xe0\x80\x80\"",
                                          "\"\xed\xa0\x80\"",
                                          "\"\xf4\x90\x80\x80\"",
                                          "\"\xf0\x80\x80\x80\"",
                                          "\"",
                                          "\"\\",
                                          "\"\\\"",
                                          "\"a\"b",
                                          "\"\x7f\"",
                                          "\"\xef\xbf\xbf\""};
  for (const std::string& text : texts) {
    CAPTURE(text);
    const auto expected = nlohmann::json::parse(text, nullptr, false);
    json_reader json(text);
    std::string_view raw;
    const bool fine = json.string(raw) && json.finished();
    CHECK(fine == expected.is_string());
    if (!fine) continue;
    std::string decoded(raw.size(), '?');
    decoded.resize(static_cast<std::size_t>(unmask::weights::detail::decode(raw, decoded.data()) - decoded.data()));
    CHECK(decoded == expected.get<std::string>());
  }
}

TEST_CASE("numbers") {
  for (const char* text : {"0",
                           "-0",
                           "1",
                           "-1",
                           "453.3",
                           "1e3",
                           "1E+3",
                           "1e-3",
                           "0.1",
                           "0.30000000000000004",
                           "2.2250738585072011e-308",
                           "1.7976931348623157e308",
                           "1e400",
                           "-1e400",
                           "4.9e-324",
                           "123456789012345678901234567890",
                           "01",
                           "-",
                           "+1",
                           ".5",
                           "1.",
                           "1.e3",
                           "1e",
                           "1e+",
                           "0x10",
                           "NaN",
                           "Infinity",
                           "1 2",
                           "",
                           "- 1",
                           "9007199254740993",
                           "1,5",
                           "--1"}) {
    CAPTURE(text);
    const auto expected = nlohmann::json::parse(std::string(text), nullptr, false);
    json_reader json(text);
    double value = 0;
    const bool fine = json.number(value) && json.finished();
    CHECK(fine == expected.is_number());
    if (fine) CHECK(value == expected.get<double>());
  }
  for (const char* text :
       {"0", "18446744073709551615", "18446744073709551616", "00", "1.0", "1e0", "-1", "99999999999999999999999"}) {
    CAPTURE(text);
    const auto expected = nlohmann::json::parse(std::string(text), nullptr, false);
    json_reader json(text);
    std::uint64_t value = 0;
    const bool fine = json.unsigned_integer(value) && json.finished();
    CHECK(fine == expected.is_number_unsigned());
    if (fine) CHECK(value == expected.get<std::uint64_t>());
  }
  for (const char* text : {"1000000", "-1000000", "1000001", "-1000001", "- 1", "1.5", "-0"}) {
    CAPTURE(text);
    json_reader json(text);
    int value = 7;
    const bool fine = json.integer(value) && json.finished();
    CHECK(fine == (std::string(text).size() <= 8 && std::string(text).find_first_of(" .") == std::string::npos &&
                   std::abs(std::atoi(text)) <= 1000000));
    if (fine) CHECK(value == std::atoi(text));
  }
}

TEST_CASE("objects and arrays: commas, brackets, what stands behind") {
  const auto fine = [](const std::string& text) {
    json_reader json(text);
    std::string_view name;
    for (bool more = json.object(); more && json.key(name);)
      for (bool again = json.array(); again && json.element();) {
        std::uint64_t value = 0;
        json.unsigned_integer(value);
      }
    return json.finished();
  };
  for (const char* text : {"{}",
                           " { } ",
                           R"({"a":[]})",
                           R"({"a":[1]})",
                           R"({"a":[1,2],"b":[ 3 , 4 ]})",
                           "{,}",
                           "{\"a\"}",
                           "{\"a\":}",
                           R"({"a":[1,]})",
                           R"({"a":[,1]})",
                           R"({"a":[1 2]})",
                           R"({"a":[1],})",
                           R"({"a":[1]"b":[2]})",
                           R"({"a":[1]]})",
                           R"({"a":[1})",
                           R"({"a":[1]}})",
                           "{",
                           "",
                           "}",
                           R"({a:[1]})",
                           R"({"a":[1]} x)",
                           R"({"a";[1]})",
                           R"({"a" : [1]})",
                           "{\"a\":[1]\v}"}) {
    CAPTURE(text);
    CHECK(fine(text) == nlohmann::json::accept(std::string(text)));
  }
}
