/// A header of the program that writes the library's names without their namespace includes what allows it
/// (app/names.hpp), itself or through others. The program is compiled several sources at a time, so the compiler does
/// not tell: whoever includes such a header alone finds out (tests/fuzz does).

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace fs = std::filesystem;

namespace {

using texts = std::map<std::string, std::string>;  ///< of headers, by name

/// Whether `name` includes `wanted`, over any number of headers of `all`.
bool reaches(const std::string& name, const std::string& wanted, const texts& all, std::set<std::string>& seen) {
  if (name == wanted) return true;
  if (!all.contains(name) || !seen.insert(name).second) return false;
  const std::string& text = all.at(name);
  const std::regex include("#include [\"<]([^\">]+)[\">]");
  for (std::sregex_iterator i(text.begin(), text.end(), include), end; i != end; ++i)
    if (reaches((*i)[1].str(), wanted, all, seen)) return true;
  return false;
}

/// Whether a name of app/names.hpp stands there without `unmask::`, and no `using` of the header's own says which.
bool writes_short_names(const std::string& text) {
  const std::regex name("(^|[^:\\w.\"])(index_t|array_view|result|tensor)(?=[ <>&])|(^|[^:\\w])errc::"),
      comment("//[^\n]*"), own("using unmask::index_t|using namespace unmask;");
  return std::regex_search(std::regex_replace(text, comment, ""), name) && !std::regex_search(text, own);
}

}  // namespace

TEST_CASE("headers of the program include the names that they write") {
  texts all;
  for (const auto& entry : fs::directory_iterator(UNMASK_APP_DIR))
    if (entry.path().extension() == ".hpp") {
      std::ifstream file(entry.path());
      all[entry.path().filename().string()] = {std::istreambuf_iterator<char>(file), {}};
    }
  REQUIRE(all.contains("names.hpp"));
  int found = 0;
  for (const auto& [name, text] : all) {
    if (name == "names.hpp" || !writes_short_names(text)) continue;
    std::set<std::string> seen;
    INFO(name);
    CHECK(reaches(name, "names.hpp", all, seen));
    ++found;
  }
  CHECK(found > 20);
}

TEST_CASE("the check of names finds what it looks for") {
  CHECK(writes_short_names("inline result<int> f();\n"));
  CHECK(writes_short_names("struct a {\n  index_t n = 0;\n};\n"));
  CHECK(writes_short_names("return error(errc::wrong_value, x);\n"));
  CHECK_FALSE(writes_short_names("unmask::result<int> f();  // a result <of it>\n"));
  CHECK_FALSE(writes_short_names("using unmask::index_t;\nindex_t n;\n"));
  std::set<std::string> seen;
  const texts all{{"a", "#include \"b\"\n"}, {"b", "#include \"a\"\n#include <c>\n"}};
  CHECK(reaches("a", "c", all, seen));
  seen.clear();
  CHECK_FALSE(reaches("a", "d", all, seen));
}
