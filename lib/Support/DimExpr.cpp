//===- DimExpr.cpp - symbolic sizes in canonical form
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Support/DimExpr.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>

using namespace llmc;

namespace {

using Wide = __int128;

int64_t saturate(Wide value) {
  if (value >= DimExpr::kInfinity)
    return DimExpr::kInfinity;
  if (value <= -Wide(DimExpr::kInfinity))
    return -DimExpr::kInfinity;
  return int64_t(value);
}

bool isInfinite(int64_t value) {
  return value == DimExpr::kInfinity || value == -DimExpr::kInfinity;
}

int64_t multiply(int64_t a, int64_t b) {
  if (a == 0 || b == 0)
    return 0;
  if (isInfinite(a) || isInfinite(b))
    return (a < 0) == (b < 0) ? DimExpr::kInfinity : -DimExpr::kInfinity;
  return saturate(Wide(a) * b);
}

int64_t add(int64_t a, int64_t b) {
  if (isInfinite(a))
    return a;
  if (isInfinite(b))
    return b;
  return saturate(Wide(a) + b);
}

int64_t floorDivide(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

std::string factorsKey(const std::vector<DimExpr::AtomRef> &factors) {
  std::string key;
  for (const auto &factor : factors)
    key += (key.empty() ? "" : " * ") + factor->key;
  return key;
}

/// Recursive descent over the little grammar of dimension expressions.
class Parser {
public:
  explicit Parser(std::string_view text) : text(text) {}

  std::optional<DimExpr> parse() {
    std::optional<DimExpr> result = sum();
    skipSpace();
    return position == text.size() ? result : std::nullopt;
  }

private:
  void skipSpace() {
    while (position < text.size() && std::isspace((unsigned char)text[position]))
      ++position;
  }
  bool eat(std::string_view token) {
    skipSpace();
    if (text.substr(position, token.size()) != token)
      return false;
    position += token.size();
    return true;
  }

  std::optional<DimExpr> sum() {
    if (++depth > 64)
      return std::nullopt;
    std::optional<DimExpr> left = product();
    while (left) {
      bool plus = eat("+");
      if (!plus && !eat("-"))
        break;
      std::optional<DimExpr> right = product();
      if (!right)
        return std::nullopt;
      left = plus ? *left + *right : *left - *right;
    }
    --depth;
    return left;
  }

  std::optional<DimExpr> product() {
    std::optional<DimExpr> left = primary();
    while (left) {
      char op = eat("*") ? '*' : (eat("//") || eat("/")) ? '/' : eat("%") ? '%' : 0;
      if (!op)
        break;
      std::optional<DimExpr> right = primary();
      if (!right)
        return std::nullopt;
      left = op == '*'   ? *left * *right
             : op == '/' ? DimExpr::floorDiv(*left, *right)
                         : DimExpr::mod(*left, *right);
    }
    return left;
  }

  std::optional<DimExpr> primary() {
    skipSpace();
    if (position >= text.size())
      return std::nullopt;
    if (eat("-")) {
      skipSpace();
      if (isDigit())
        return number(/*isNegative=*/true);
      if (++depth > 64)
        return std::nullopt;
      std::optional<DimExpr> value = primary();
      --depth;
      return value ? std::optional(-*value) : std::nullopt;
    }
    if (eat("(")) {
      std::optional<DimExpr> inner = sum();
      return inner && eat(")") ? inner : std::nullopt;
    }
    if (isDigit())
      return number(/*isNegative=*/false);
    return nameOrCall();
  }

  bool isDigit() const {
    return position < text.size() && std::isdigit((unsigned char)text[position]);
  }

  std::optional<DimExpr> number(bool isNegative) {
    Wide value = 0;
    while (isDigit()) {
      value = value * 10 + (text[position++] - '0');
      if (value > Wide(DimExpr::kInfinity) + isNegative)
        return std::nullopt;
    }
    return DimExpr(int64_t(isNegative ? -value : value));
  }

  std::optional<DimExpr> nameOrCall() {
    size_t start = position;
    auto isName = [](char c) {
      return std::isalnum((unsigned char)c) || c == '_' || c == '.' || c == ':' || c == '$';
    };
    while (position < text.size() && isName(text[position]))
      ++position;
    if (position == start)
      return std::nullopt;
    std::string_view name = text.substr(start, position - start);
    if (!eat("("))
      return DimExpr::symbol(name);
    std::optional<DimExpr> a = sum();
    if (!a || !eat(","))
      return std::nullopt;
    std::optional<DimExpr> b = sum();
    if (!b || !eat(")"))
      return std::nullopt;
    if (name == "floordiv")
      return DimExpr::floorDiv(*a, *b);
    if (name == "mod" || name == "Mod")
      return DimExpr::mod(*a, *b);
    if (name == "min" || name == "Min")
      return DimExpr::min(*a, *b);
    if (name == "max" || name == "Max")
      return DimExpr::max(*a, *b);
    return std::nullopt;
  }

  std::string_view text;
  size_t position = 0;
  int depth = 0; ///< bounds recursion on hostile text
};

} // namespace

DimExpr::DimExpr(int64_t constant) {
  if (constant != 0)
    termList.push_back({saturate(constant), {}}); // so that it has a negative
}

DimExpr DimExpr::symbol(std::string_view name) {
  DimExpr result;
  result.termList.push_back(
      {1, {std::make_shared<Atom>(Atom{AtomKind::Symbol, std::string(name), {}})}});
  return result;
}

std::optional<DimExpr> DimExpr::parse(std::string_view text) { return Parser(text).parse(); }

std::string DimExpr::str() const {
  if (termList.empty())
    return "0";
  std::string text;
  for (const Term &term : termList) {
    int64_t magnitude = term.coefficient;
    if (!text.empty()) {
      // The lowest number has no magnitude of its type.
      bool isSubtracted = magnitude < 0 && magnitude != std::numeric_limits<int64_t>::min();
      text += isSubtracted ? " - " : " + ";
      magnitude = isSubtracted ? -magnitude : magnitude;
    }
    if (term.factors.empty()) {
      text += std::to_string(magnitude);
      continue;
    }
    if (magnitude == -1)
      text += "-";
    else if (magnitude != 1)
      text += std::to_string(magnitude) + " * ";
    text += factorsKey(term.factors);
  }
  return text;
}

void DimExpr::addTerm(int64_t coefficient, std::vector<AtomRef> factors) {
  std::sort(factors.begin(), factors.end(),
            [](const AtomRef &a, const AtomRef &b) { return a->key < b->key; });
  // Symbols first, the constant last: that is how people write sizes.
  auto order = [](const Term &term) {
    return std::pair(term.factors.empty(), factorsKey(term.factors));
  };
  Term term{coefficient, std::move(factors)};
  auto it = std::lower_bound(termList.begin(), termList.end(), term,
                             [&](const Term &a, const Term &b) { return order(a) < order(b); });
  if (it != termList.end() && order(*it) == order(term)) {
    it->coefficient = saturate(Wide(it->coefficient) + coefficient);
    if (it->coefficient == 0)
      termList.erase(it);
  } else if (coefficient != 0) {
    termList.insert(it, std::move(term));
  }
}

DimExpr DimExpr::operator+(const DimExpr &other) const {
  DimExpr result = *this;
  for (const Term &term : other.termList)
    result.addTerm(term.coefficient, term.factors);
  return result;
}

DimExpr DimExpr::operator-(const DimExpr &other) const {
  DimExpr result = *this;
  for (const Term &term : other.termList)
    result.addTerm(-term.coefficient, term.factors);
  return result;
}

DimExpr DimExpr::operator*(const DimExpr &other) const {
  DimExpr result;
  for (const Term &a : termList)
    for (const Term &b : other.termList) {
      std::vector<AtomRef> factors = a.factors;
      factors.insert(factors.end(), b.factors.begin(), b.factors.end());
      result.addTerm(saturate(Wide(a.coefficient) * b.coefficient), std::move(factors));
    }
  return result;
}

DimExpr DimExpr::atom(AtomKind kind, const DimExpr &a, const DimExpr &b) {
  static const char *const names[] = {"", "floordiv", "mod", "min", "max"};
  std::string key = std::string(names[int(kind)]) + "(" + a.str() + ", " + b.str() + ")";
  DimExpr result;
  result.termList.push_back({1, {std::make_shared<Atom>(Atom{kind, std::move(key), {a, b}})}});
  return result;
}

/// x where the term is a multiple of mod(x, divisor).
static const DimExpr *dividendOfMod(const DimExpr::Term &term, int64_t divisor) {
  bool isMod = term.factors.size() == 1 && term.factors[0]->kind == DimExpr::AtomKind::Mod &&
               term.factors[0]->args[1].isConstant(divisor);
  return isMod ? &term.factors[0]->args[0] : nullptr;
}

DimExpr DimExpr::withoutMods(int64_t divisor) const {
  DimExpr result;
  for (const Term &term : termList) {
    if (const DimExpr *dividend = dividendOfMod(term, divisor))
      result = result + *dividend * term.coefficient;
    else
      result.addTerm(term.coefficient, term.factors);
  }
  return result;
}

/// floordiv(floordiv(x, d) + c, divisor) = floordiv(x + c * d, d * divisor), where `a` is
/// such a sum.
static std::optional<DimExpr> flatQuotient(const DimExpr &a, int64_t divisor) {
  const std::vector<DimExpr::Term> &terms = a.terms();
  if (terms.empty() || terms.size() > 2 || terms[0].coefficient != 1 ||
      terms[0].factors.size() != 1 || terms[0].factors[0]->kind != DimExpr::AtomKind::FloorDiv ||
      (terms.size() == 2 && !terms[1].factors.empty()))
    return std::nullopt;
  std::optional<int64_t> inner = terms[0].factors[0]->args[1].constant();
  if (!inner || *inner <= 0)
    return std::nullopt;
  DimExpr added = terms.size() == 2 ? DimExpr(terms[1].coefficient) * *inner : DimExpr(0);
  return DimExpr::floorDiv(terms[0].factors[0]->args[0] + added, DimExpr(*inner) * divisor);
}

/// The term that long division eliminates next: of the highest degree, the first by keys
/// among those. Products keep this order, as division needs.
static const DimExpr::Term &leadingTerm(const DimExpr &expr) {
  return *std::min_element(
      expr.terms().begin(), expr.terms().end(), [](const DimExpr::Term &x, const DimExpr::Term &y) {
        if (x.factors.size() != y.factors.size())
          return x.factors.size() > y.factors.size();
        return std::lexicographical_compare(
            x.factors.begin(), x.factors.end(), y.factors.begin(), y.factors.end(),
            [](const auto &f, const auto &g) { return f->key < g->key; });
      });
}

DimExpr DimExpr::floorDiv(const DimExpr &a, const DimExpr &b) {
  if (b.isConstant(1))
    return a;
  if (a == b && b.provablyPositive())
    return 1;
  if (auto divisor = b.constant(); divisor && *divisor != 0) {
    if (auto dividend = a.constant())
      return floorDivide(*dividend, *divisor);
    // Terms that the divisor divides leave the floor; the rest stays inside.
    DimExpr outside, inside;
    for (const Term &term : a.termList)
      if (term.coefficient % *divisor == 0)
        outside.addTerm(term.coefficient / *divisor, term.factors);
      else
        inside.addTerm(term.coefficient, term.factors);
    if (inside.termList.empty())
      return outside;
    if (auto rest = inside.constant())
      return outside + floorDivide(*rest, *divisor);
    if (std::optional<DimExpr> flat = *divisor > 0 ? flatQuotient(inside, *divisor) : std::nullopt)
      return outside + *flat;
    // mod(x, d) = x - d * floordiv(x, d): what is added to reach a multiple of d.
    DimExpr multiple = inside.withoutMods(*divisor), quotients;
    bool isMultiple =
        std::all_of(multiple.termList.begin(), multiple.termList.end(),
                    [&](const Term &term) { return term.coefficient % *divisor == 0; });
    if (isMultiple) {
      for (const Term &term : inside.termList)
        if (const DimExpr *dividend = dividendOfMod(term, *divisor))
          quotients = quotients + floorDiv(*dividend, b) * term.coefficient;
      return outside + floorDiv(multiple, b) - quotients;
    }
    return outside + atom(AtomKind::FloorDiv, inside, b);
  }
  // Polynomial long division, kept where nothing remains:
  // (64 * batch * past + 64 * batch * seq) / (batch * past + batch * seq) = 64.
  constexpr int kMaxQuotientTerms = 16;
  DimExpr quotient, rest = a;
  for (int i = 0; i < kMaxQuotientTerms && !b.termList.empty() && !rest.termList.empty(); ++i) {
    const Term &divisor = leadingTerm(b);
    const Term dividend = leadingTerm(rest); // a copy: the rest changes
    if (dividend.coefficient % divisor.coefficient != 0)
      break;
    std::vector<AtomRef> factors = dividend.factors;
    bool divides = true;
    for (const AtomRef &factor : divisor.factors) {
      auto it = std::find_if(factors.begin(), factors.end(),
                             [&](const AtomRef &f) { return f->key == factor->key; });
      divides &= it != factors.end();
      if (!divides)
        break;
      factors.erase(it);
    }
    if (!divides)
      break;
    DimExpr term;
    term.addTerm(dividend.coefficient / divisor.coefficient, std::move(factors));
    quotient = quotient + term;
    rest = rest - term * b;
  }
  if (!a.termList.empty() && rest.termList.empty())
    return quotient;
  // What all terms share cancels, so that equal quotients look alike. A size of 0 would
  // make both meaningless.
  auto byKey = [](const AtomRef &x, const AtomRef &y) { return x->key < y->key; };
  std::vector<AtomRef> common;
  if (!b.termList.empty())
    common = b.termList[0].factors;
  int64_t divisor = 0;
  for (const DimExpr *expr : {&a, &b})
    for (const Term &term : expr->termList) {
      divisor = std::gcd(divisor, term.coefficient);
      std::vector<AtomRef> kept; // factors are sorted by key
      std::set_intersection(common.begin(), common.end(), term.factors.begin(), term.factors.end(),
                            std::back_inserter(kept), byKey);
      common = std::move(kept);
    }
  if (a.termList.empty() || (common.empty() && divisor <= 1))
    return atom(AtomKind::FloorDiv, a, b);
  auto cancel = [&](const DimExpr &expr) {
    DimExpr result;
    for (const Term &term : expr.termList) {
      std::vector<AtomRef> factors;
      std::set_difference(term.factors.begin(), term.factors.end(), common.begin(), common.end(),
                          std::back_inserter(factors), byKey);
      result.addTerm(term.coefficient / divisor, std::move(factors));
    }
    return result;
  };
  return floorDiv(cancel(a), cancel(b));
}

DimExpr DimExpr::ceilDiv(const DimExpr &a, const DimExpr &b) { return floorDiv(a + b - 1, b); }

DimExpr DimExpr::mod(const DimExpr &a, const DimExpr &b) {
  if (b.isConstant(1) || a == b)
    return 0;
  auto dividend = a.constant(), divisor = b.constant();
  if (dividend && divisor && *divisor != 0)
    return *dividend - floorDivide(*dividend, *divisor) * *divisor;
  DimExpr quotient = floorDiv(a, b);
  if (quotient * b == a)
    return 0;
  if (divisor && *divisor > 0) {
    DimExpr rest; // without multiples of the divisor
    for (const Term &term : a.withoutMods(*divisor).termList)
      rest.addTerm(term.factors.empty()
                       ? term.coefficient - floorDivide(term.coefficient, *divisor) * *divisor
                       : term.coefficient % *divisor,
                   term.factors);
    return rest == a ? atom(AtomKind::Mod, a, b) : mod(rest, b);
  }
  return atom(AtomKind::Mod, a, b);
}

DimExpr DimExpr::min(const DimExpr &a, const DimExpr &b) {
  if (a == b || (b - a).provablyNonNegative())
    return a;
  if ((a - b).provablyNonNegative())
    return b;
  return a.str() < b.str() ? atom(AtomKind::Min, a, b) : atom(AtomKind::Min, b, a);
}

/// Whether `expr` is the minimum of `size` and something else.
static bool isMinimumOf(const DimExpr &expr, const DimExpr &size) {
  const std::vector<DimExpr::Term> &terms = expr.terms();
  if (terms.size() != 1 || terms[0].coefficient != 1 || terms[0].factors.size() != 1)
    return false;
  const DimExpr::Atom &atom = *terms[0].factors[0];
  return atom.kind == DimExpr::AtomKind::Min && (atom.args[0] == size || atom.args[1] == size);
}

DimExpr DimExpr::max(const DimExpr &a, const DimExpr &b) {
  if (a == b || isMinimumOf(b, a) || (a - b).provablyNonNegative())
    return a;
  if (isMinimumOf(a, b) || (b - a).provablyNonNegative())
    return b;
  return a.str() < b.str() ? atom(AtomKind::Max, a, b) : atom(AtomKind::Max, b, a);
}

std::optional<int64_t> DimExpr::constant() const {
  if (termList.empty())
    return 0;
  if (termList.size() == 1 && termList[0].factors.empty())
    return termList[0].coefficient;
  return std::nullopt;
}

std::optional<std::string> DimExpr::asSymbol() const {
  if (termList.size() != 1 || termList[0].coefficient != 1 || termList[0].factors.size() != 1 ||
      termList[0].factors[0]->kind != AtomKind::Symbol)
    return std::nullopt;
  return termList[0].factors[0]->key;
}

void DimExpr::forEachSymbol(const std::function<void(const std::string &)> &visit) const {
  for (const Term &term : termList)
    for (const AtomRef &factor : term.factors) {
      if (factor->kind == AtomKind::Symbol)
        visit(factor->key);
      for (const DimExpr &arg : factor->args)
        arg.forEachSymbol(visit);
    }
}

static std::optional<int64_t> applyAtom(DimExpr::AtomKind kind, int64_t a, int64_t b) {
  switch (kind) {
  case DimExpr::AtomKind::FloorDiv:
    return b == 0 ? std::nullopt : std::optional(floorDivide(a, b));
  case DimExpr::AtomKind::Mod:
    return b == 0 ? std::nullopt : std::optional(a - floorDivide(a, b) * b);
  case DimExpr::AtomKind::Min:
    return std::min(a, b);
  case DimExpr::AtomKind::Max:
    return std::max(a, b);
  case DimExpr::AtomKind::Symbol:
    break;
  }
  return std::nullopt;
}

std::optional<int64_t> DimExpr::evaluate(const Lookup &lookup) const {
  Wide sum = 0;
  for (const Term &term : termList) {
    Wide product = term.coefficient;
    for (const AtomRef &factor : term.factors) {
      std::optional<int64_t> value;
      if (factor->kind == AtomKind::Symbol) {
        value = lookup(factor->key);
      } else {
        auto a = factor->args[0].evaluate(lookup);
        auto b = factor->args[1].evaluate(lookup);
        if (a && b)
          value = applyAtom(factor->kind, *a, *b);
      }
      if (!value)
        return std::nullopt;
      product *= *value;
      if (isInfinite(saturate(product)))
        return std::nullopt;
    }
    sum += product;
    if (isInfinite(saturate(product)) || isInfinite(saturate(sum)))
      return std::nullopt;
  }
  return int64_t(sum);
}

DimExpr DimExpr::substitute(const Substitution &replacement) const {
  DimExpr result;
  for (const Term &term : termList) {
    DimExpr product(term.coefficient);
    for (const AtomRef &factor : term.factors) {
      if (factor->kind == AtomKind::Symbol) {
        auto value = replacement(factor->key);
        product = product * (value ? *value : symbol(factor->key));
        continue;
      }
      DimExpr a = factor->args[0].substitute(replacement);
      DimExpr b = factor->args[1].substitute(replacement);
      switch (factor->kind) {
      case AtomKind::FloorDiv:
        product = product * floorDiv(a, b);
        break;
      case AtomKind::Mod:
        product = product * mod(a, b);
        break;
      case AtomKind::Min:
        product = product * min(a, b);
        break;
      default:
        product = product * max(a, b);
        break;
      }
    }
    result = result + product;
  }
  return result;
}

static DimExpr::Interval atomBounds(DimExpr::AtomKind kind, DimExpr::Interval a,
                                    DimExpr::Interval b) {
  switch (kind) {
  case DimExpr::AtomKind::FloorDiv: {
    if (b.lower <= 0)
      return {-DimExpr::kInfinity, DimExpr::kInfinity};
    auto divide = [](int64_t x, int64_t y) {
      if (isInfinite(x))
        return x;
      return isInfinite(y) ? int64_t(x < 0 ? -1 : 0) : floorDivide(x, y);
    };
    int64_t corners[] = {divide(a.lower, b.lower), divide(a.lower, b.upper),
                         divide(a.upper, b.lower), divide(a.upper, b.upper)};
    return {*std::min_element(corners, corners + 4), *std::max_element(corners, corners + 4)};
  }
  case DimExpr::AtomKind::Mod:
    if (b.lower <= 0)
      return {-DimExpr::kInfinity, DimExpr::kInfinity};
    return {0, isInfinite(b.upper) ? b.upper : b.upper - 1};
  case DimExpr::AtomKind::Min:
    return {std::min(a.lower, b.lower), std::min(a.upper, b.upper)};
  default:
    return {std::max(a.lower, b.lower), std::max(a.upper, b.upper)};
  }
}

DimExpr::Interval DimExpr::bounds(const Bounds &symbolBounds) const {
  Interval sum{0, 0};
  for (const Term &term : termList) {
    Interval product{term.coefficient, term.coefficient};
    for (const AtomRef &factor : term.factors) {
      Interval range;
      if (factor->kind == AtomKind::Symbol) {
        if (symbolBounds)
          range = symbolBounds(factor->key);
      } else {
        range = atomBounds(factor->kind, factor->args[0].bounds(symbolBounds),
                           factor->args[1].bounds(symbolBounds));
      }
      int64_t corners[] = {
          multiply(product.lower, range.lower), multiply(product.lower, range.upper),
          multiply(product.upper, range.lower), multiply(product.upper, range.upper)};
      product = {*std::min_element(corners, corners + 4), *std::max_element(corners, corners + 4)};
    }
    sum = {add(sum.lower, product.lower), add(sum.upper, product.upper)};
  }
  return sum;
}

DimExpr DimExpr::fromLowestAtoms() const {
  DimExpr result;
  for (const Term &term : termList) {
    DimExpr product(term.coefficient);
    for (const AtomRef &factor : term.factors) {
      DimExpr whole;
      whole.addTerm(1, {factor});
      int64_t lower = factor->kind == AtomKind::Symbol ? 0 : whole.bounds().lower;
      product = product * (isInfinite(lower) ? whole : symbol(factor->key) + lower);
    }
    result = result + product;
  }
  return result;
}

bool DimExpr::provablyNonNegative() const {
  if (bounds().lower >= 0 || fromLowestAtoms().bounds().lower >= 0)
    return true;
  DimExpr below; // no more than this
  bool differs = false;
  for (const Term &term : termList) {
    bool isQuotient = term.factors.size() == 1 && term.factors[0]->kind == AtomKind::FloorDiv;
    std::optional<int64_t> divisor =
        isQuotient ? term.factors[0]->args[1].constant() : std::nullopt;
    if (divisor && *divisor > 0 && term.coefficient % *divisor == 0) {
      DimExpr dividend = term.factors[0]->args[0];
      if (term.coefficient > 0)
        dividend = dividend - (*divisor - 1);
      below = below + dividend * (term.coefficient / *divisor);
      differs = true;
    } else {
      below.addTerm(term.coefficient, term.factors);
    }
  }
  return differs && below.provablyNonNegative();
}

std::optional<bool> DimExpr::equal(const DimExpr &a, const DimExpr &b) {
  DimExpr difference = a - b;
  if (difference.isConstant(0))
    return true;
  if ((difference - 1).provablyNonNegative() || (-difference - 1).provablyNonNegative())
    return false;
  return std::nullopt;
}

std::optional<bool> DimExpr::less(const DimExpr &a, const DimExpr &b) {
  Interval range = (b - a).bounds();
  if (range.lower > 0)
    return true;
  if (range.upper <= 0)
    return false;
  return std::nullopt;
}
