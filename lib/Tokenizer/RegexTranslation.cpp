//===- RegexTranslation.cpp - Oniguruma patterns for PCRE2 ----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Differences that matter: what \w and \s contain, \h, \uHHHH, the meaning of
// (?m), long category names, and nested or intersected classes, which PCRE2
// would silently read as literal characters.
//
//===----------------------------------------------------------------------===//

#include "Regex.h"

#include <array>
#include <utility>

using namespace llmc::tokenizer;

namespace {

// Inside [...]: what Oniguruma's Unicode classes contain (tried with tokenizers
// 0.23). PCRE2 10.42's own \w lacks marks, its \s adds U+180E, its [:punct:]
// has only ASCII symbols.
constexpr std::string_view wordSet = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
// Outside of brackets, \w also has the Latin-1 fractions and superscripts.
constexpr std::string_view looseWordSet =
    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\xB2\\xB3\\xB9\\xBC-\\xBE";
constexpr std::string_view spaceSet = "\\p{White_Space}";
constexpr std::string_view hexSet = "0-9A-Fa-f";
constexpr std::string_view punctuationSet = "\\p{P}\\p{S}";

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> bracketNames = {
    {{"[:punct:]", punctuationSet},
     {"[:word:]", wordSet},
     {"[:space:]", spaceSet},
     {"[:alpha:]", "\\p{Alphabetic}"},
     {"[:alnum:]", "\\p{Alphabetic}\\p{Nd}"},
     {"[:upper:]", "\\p{Uppercase}"},
     {"[:lower:]", "\\p{Lowercase}"}}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 20> categoryNames = {
    {{"letter", "L"},
     {"uppercaseletter", "Lu"},
     {"lowercaseletter", "Ll"},
     {"titlecaseletter", "Lt"},
     {"modifierletter", "Lm"},
     {"otherletter", "Lo"},
     {"mark", "M"},
     {"nonspacingmark", "Mn"},
     {"number", "N"},
     {"decimalnumber", "Nd"},
     {"digit", "Nd"},
     {"punctuation", "P"},
     {"symbol", "S"},
     {"currencysymbol", "Sc"},
     {"mathsymbol", "Sm"},
     {"separator", "Z"},
     {"other", "C"},
     {"control", "Cc"},
     {"alpha", "Alphabetic"},
     {"space", "White_Space"}}};

class Translator {
public:
  explicit Translator(std::string_view pattern) : pattern(pattern) {}

  Expected<std::string> run() {
    while (at < pattern.size() && problem.empty()) {
      char c = pattern[at];
      if (c == '\\')
        escape(/*insideClass=*/false, out);
      else if (c == '[')
        characterClass();
      else if (pattern.substr(at, 2) == "(?")
        groupStart();
      else
        out += c, ++at;
    }
    if (!problem.empty())
      return Error{"regular expression '" + std::string(pattern) + "': " + problem};
    return std::move(out);
  }

private:
  /// Copies one escape at `at`, spelled for PCRE2.
  void escape(bool insideClass, std::string &to) {
    if (at + 1 >= pattern.size()) {
      problem = "ends with a backslash";
      return;
    }
    char kind = pattern[at + 1];
    if (!insideClass && (kind == 'b' || kind == 'B'))
      return wordBoundary(kind == 'B', to);
    std::string_view words = insideClass ? wordSet : looseWordSet;
    std::string_view set = kind == 'w' || kind == 'W'   ? words
                           : kind == 's' || kind == 'S' ? spaceSet
                           : kind == 'h' || kind == 'H' ? hexSet
                                                        : "";
    if (!set.empty()) {
      bool negated = kind < 'a';
      at += 2;
      if (!negated)
        to += insideClass ? std::string(set) : "[" + std::string(set) + "]";
      else if (!insideClass)
        to += "[^" + std::string(set) + "]";
      else if (kind == 'S')
        to += "\\P{White_Space}";
      else if (kind == 'W')
        holdsNonWord = true; // A union cannot be negated inside a class.
      else
        problem = "\\H inside a class is not supported";
      return;
    }
    if (kind == 'p' || kind == 'P') {
      property(to);
    } else if (kind == 'u') {
      if (pattern.size() < at + 6 || pattern.substr(at + 2, 4).find_first_not_of(
                                         "0123456789abcdefABCDEF") != std::string_view::npos) {
        problem = "\\u without four hexadecimal digits";
        return;
      }
      to += "\\x{" + std::string(pattern.substr(at + 2, 4)) + "}";
      at += 6;
    } else {
      to += pattern.substr(at, 2);
      at += 2;
    }
  }

  /// \b or \B, by this library's notion of a word.
  void wordBoundary(bool negated, std::string &to) {
    std::string word = "[" + std::string(looseWordSet) + "]";
    to += "(?:(?<=" + word + ")" + (negated ? "(?=" : "(?!") + word + ")|(?<!" + word + ")" +
          (negated ? "(?!" : "(?=") + word + "))";
    at += 2;
  }

  /// \p{Name}, \P{Name} or \p{^Name}, with long names shortened.
  void property(std::string &to) {
    size_t close = pattern.find('}', at);
    if (at + 2 >= pattern.size() || pattern[at + 2] != '{' || close == std::string_view::npos) {
      problem = "\\p without {name}";
      return;
    }
    std::string_view name = pattern.substr(at + 3, close - at - 3);
    std::string_view negation;
    if (name.starts_with('^')) {
      negation = "^";
      name.remove_prefix(1);
    }
    std::string folded;
    for (char c : name)
      if (c != '_' && c != ' ' && c != '-')
        folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    for (auto [longName, shortName] : categoryNames)
      if (folded == longName)
        name = shortName;
    to +=
        std::string(pattern.substr(at, 2)) + "{" + std::string(negation) + std::string(name) + "}";
    at = close + 1;
  }

  /// [...]: copied, or `(?:(?=[A])[B])` for an intersection [A&&B].
  void characterClass() {
    std::string negation = takeClassOpening();
    std::string first;
    bool intersected = false;
    std::string checks;
    holdsNonWord = false;
    while (problem.empty()) {
      if (at >= pattern.size()) {
        problem = "a character class is not closed";
      } else if (pattern[at] == ']') {
        ++at;
        break;
      } else if (pattern.substr(at, 2) == "&&") {
        at += 2;
        intersected = true;
        if (!negation.empty() || first.empty())
          problem = "this class intersection is not supported";
        checks += "(?=[" + first + "])";
        first.clear();
      } else if (pattern[at] == '[' && intersected && first.empty()) {
        operand(checks);
      } else {
        classItem(first);
      }
    }
    std::string body = first.empty() ? "" : "[" + negation + first + "]";
    if (holdsNonWord)
      out += classWithNonWord(negation, body, intersected);
    else if (!intersected)
      out += body;
    else
      out += "(?:" + checks + (first.empty() ? "(?s:.)" : body) + ")";
  }

  /// A class with \W among its items; `body` is the class without it.
  std::string classWithNonWord(const std::string &negation, const std::string &body,
                               bool intersected) {
    if (intersected)
      problem = "\\W in a class intersection is not supported";
    std::string word(wordSet);
    if (!negation.empty())
      return body.empty() ? "[" + word + "]" : "(?:(?=[" + word + "])" + body + ")";
    return body.empty() ? "[^" + word + "]" : "(?:[^" + word + "]|" + body + ")";
  }

  /// One whole [...] operand of an intersection, as a lookahead.
  void operand(std::string &checks) {
    std::string negation = takeClassOpening();
    std::string body;
    while (problem.empty() && at < pattern.size() && pattern[at] != ']')
      classItem(body);
    ++at;
    if (at > pattern.size() || (at < pattern.size() && pattern[at] != ']' && pattern[at] != '&'))
      problem = "this class intersection is not supported";
    checks += "(?=[" + negation + body + "])";
  }

  /// Passes '[' and '^'; a ']' right behind them is a literal.
  std::string takeClassOpening() {
    std::string negation;
    if (++at < pattern.size() && pattern[at] == '^') {
      negation = "^";
      ++at;
    }
    if (at < pattern.size() && pattern[at] == ']')
      problem = "an empty character class";
    return negation;
  }

  void classItem(std::string &to) {
    if (pattern[at] == '\\')
      return escape(/*insideClass=*/true, to);
    if (pattern[at] == '[') {
      size_t close = pattern.find(":]", at);
      if (pattern.substr(at, 2) != "[:" || close == std::string_view::npos) {
        problem = "nested character classes are not supported";
        return;
      }
      std::string_view name = pattern.substr(at, close + 2 - at);
      for (auto [bracketName, set] : bracketNames)
        if (pattern.substr(at, close + 2 - at) == bracketName)
          name = set;
      to += name;
      at = close + 2;
      return;
    }
    to += pattern[at++];
  }

  /// "(?" and its option letters: Ruby's m lets '.' match a newline, PCRE2's s.
  void groupStart() {
    out += "(?";
    at += 2;
    while (at < pattern.size() &&
           std::string_view("imsx-").find(pattern[at]) != std::string_view::npos) {
      out += pattern[at] == 'm' ? 's' : pattern[at];
      ++at;
    }
  }

  std::string_view pattern;
  size_t at = 0;
  /// Whether the class being read has \W.
  bool holdsNonWord = false;
  std::string out;
  std::string problem;
};

} // namespace

Expected<std::string> llmc::tokenizer::translateRegex(std::string_view text) {
  return Translator(text).run();
}
