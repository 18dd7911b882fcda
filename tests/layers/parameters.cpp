/// No function has more than eight parameters: what belongs together is a struct with names. Definitions and
/// declarations, constructors, operators and lambdas count; calls don't.

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

constexpr int most = 8;

/// The text with blanks where comments, literals and preprocessor lines were: positions and lines stay.
std::string code_of(const std::string& text) {
  std::string code = text;
  const auto blank = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, code.size()); ++i)
      if (code[i] != '\n') code[i] = ' ';
  };
  const auto end_of_line = [&](std::size_t i) {
    std::size_t end = text.find('\n', i);
    while (end != std::string::npos && text[end - 1] == '\\') end = text.find('\n', end + 1);
    return std::min(end, text.size());
  };
  bool line_begins = true;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    const bool digit_before = i > 0 && std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0;
    if ((line_begins && text[i] == '#') || text.compare(i, 2, "//") == 0)
      end = end_of_line(i);
    else if (text.compare(i, 2, "/*") == 0)
      end = std::min(text.find("*/", i), text.size()) + 2;
    else if (text[i] == '"' || (text[i] == '\'' && !digit_before))  // 1'000 is a number
      for (; end < text.size() && text[end++] != text[i];) end += text[end - 1] == '\\' ? 1 : 0;
    else
      end = i;
    line_begins =
        end == i ? text[i] == '\n' || (line_begins && std::isspace(static_cast<unsigned char>(text[i])) != 0) : false;
    blank(i, end);
    i = std::max(end, i + 1);
  }
  return code;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string trimmed(const std::string& s) {
  const auto first = s.find_first_not_of(" \n\t"), last = s.find_last_not_of(" \n\t");
  return first == std::string::npos ? "" : s.substr(first, last - first + 1);
}

/// What stands between the commas of (the inside of) a parenthesis, those inside other brackets left out.
std::vector<std::string> parts_of(const std::string& inside) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const char c = inside[i];
    const bool arrow = c == '>' && i > 0 && inside[i - 1] == '-';
    if (c == '(' || c == '[' || c == '{' || c == '<') ++depth;
    if (c == ')' || c == ']' || c == '}' || (c == '>' && !arrow)) --depth;
    if (c == ',' && depth == 0)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

/// Whether a part declares a parameter: a type, then a name or nothing. An expression has no blank between two words,
/// nor a reference or pointer behind a type.
bool declares(std::string part) {
  int depth = 0;
  for (std::size_t i = 0; i < part.size(); ++i) {  // without its default
    if (part[i] == '(' || part[i] == '{' || part[i] == '<') ++depth;
    if (part[i] == ')' || part[i] == '}' || part[i] == '>') --depth;
    if (part[i] == '=' && depth == 0) part.resize(i);
  }
  part = trimmed(part);
  while (part.ends_with("]")) part = trimmed(part.substr(0, part.rfind('[')));
  if (part.empty() || part.find_first_of("(?\"") != std::string::npos || part.starts_with("return ")) return false;
  const bool unnamed = part.back() == '&' || part.back() == '*' || part.back() == '>';
  while (!part.empty() && is_word(part.back())) part.pop_back();
  const std::string type = trimmed(part);
  const bool apart = part != type;  // a blank before the name
  if (unnamed) return std::isalpha(static_cast<unsigned char>(type.front())) != 0;
  if (type.empty() || std::isalpha(static_cast<unsigned char>(type.front())) == 0) return false;
  const char last = type.back();
  if (last == '&' || last == '*') return !apart || type.find_first_of("+-/") == std::string::npos;
  return apart && (is_word(last) || last == '>' || last == '.');
}

struct excess {
  std::size_t line;
  std::string name;
  std::size_t parameters;
};

/// Functions of more parameters than `most`. A parenthesis is a parameter list where all its parts declare something
/// but two at most, which may be unnamed.
std::vector<excess> too_many(const std::string& text) {
  const std::string code = code_of(text);
  std::vector<excess> found;
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i] == '(') open.push_back(i);
    if (code[i] != ')' || open.empty()) continue;
    const std::size_t from = open.back();
    open.pop_back();
    const std::vector<std::string> parts = parts_of(code.substr(from + 1, i - from - 1));
    if (static_cast<int>(parts.size()) <= most) continue;
    const auto declared = static_cast<std::size_t>(std::count_if(parts.begin(), parts.end(), declares));
    if (declared + 2 < parts.size()) continue;
    std::size_t first = from;
    while (first > 0 && (is_word(code[first - 1]) || code[first - 1] == ':')) --first;
    const std::string name = code.substr(first, from - first);
    if (name == "requires") continue;  // names for a concept, nobody calls it
    const auto line = static_cast<std::size_t>(std::count(code.begin(), code.begin() + static_cast<long>(from), '\n'));
    found.push_back({line + 1, name, parts.size()});
  }
  return found;
}

}  // namespace

TEST_CASE("no function of the library or the program has more than eight parameters") {
  for (const fs::path root : {UNMASK_INCLUDE_DIR, UNMASK_APP_DIR}) {
    int files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      const fs::path& path = entry.path();
      if (path.extension() != ".hpp" && path.extension() != ".cpp" && path.extension() != ".cuh") continue;
      ++files;
      std::ifstream file(path);
      const std::string text(std::istreambuf_iterator<char>(file), {});
      const std::string where = fs::relative(path, root.parent_path()).generic_string() + ":";
      for (const excess& e : too_many(text))
        FAIL_CHECK(where << e.line << ": " << e.name << " has " << e.parameters << " parameters, at most " << most);
      const auto lines = std::count(text.begin(), text.end(), '\n');
      if (lines > 250) FAIL_CHECK(where << " " << lines << " lines, at most 250");
    }
    CHECK(files > 10);
  }
}

TEST_CASE("the check itself finds functions, and nothing else") {
  const auto count = [](const std::string& text) { return too_many(text).size(); };
  const std::string eight = "int a, int b, int c, int d, int e, int f, int g, int h";
  CHECK(count("void f(" + eight + ");") == 0);
  CHECK(count("void f(" + eight + ", int i);") == 1);
  CHECK(count("void f(" + eight + ", int i) { g(i); }") == 1);
  CHECK(count("struct s { s(" + eight + ", int i) : a(i) {} };") == 1);
  CHECK(count("void operator()(" + eight + ", int i) const;") == 1);
  CHECK(count("auto f = [&](" + eight + ", int i) { return i; };") == 1);
  CHECK(
      count(
          "template <class T> void f(T* y, const T* x, std::map<int, int> m, T&& r, T (*g)(int, int), int n = f(1, 2),"
          "\n  view<T, 3> v, index_t, const std::type_identity_t<T>& last);") == 1);
  CHECK(too_many("\n\nvoid many(" + eight + ", int i);").front().line == 3);
  CHECK(too_many("void many(" + eight + ", int i);").front().name == "many");
  CHECK(too_many("void many(" + eight + ", int i);").front().parameters == 9);
  CHECK(count("// void f(" + eight + ", int i);\n/* void f(" + eight + ", int i); */") == 0);
  CHECK(count("#define F(a, b, c, d, e, f, g, h, i) \\\n  void f(" + eight + ", int i)\n") == 0);
  CHECK(count("const char* s = \"void f(" + eight + ", int i)\"; int n = 1'000;") == 0);
  CHECK(count("concept C = requires(" + eight + ", int i) { f(a); };") == 0);
  CHECK(count("f(a, b, c, d, e, f, g, h, i, j);") == 0);
  CHECK(count("f(a + 1, b * c, x.y, {1, 2}, g(a, b), &d, *e, p->q, static_cast<T>(r), a < b);") == 0);
}
