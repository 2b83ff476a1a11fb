//===- DimExpr.h - symbolic sizes in canonical form
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A dimension that is known only when a module runs, as a polynomial over named
// symbols with integer coefficients: `2 * batch * seq + past`. Division, modulo,
// minimum and maximum that do not simplify are opaque atoms with canonical
// arguments. Two expressions that print alike are equal; every symbol is >= 0.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_SUPPORT_DIMEXPR_H
#define LLMC_SUPPORT_DIMEXPR_H

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmc {

class DimExpr {
public:
  enum class AtomKind { Symbol, FloorDiv, Mod, Min, Max };
  /// A factor of a term: a symbol, or an operation on two expressions.
  struct Atom {
    AtomKind kind;
    std::string key;           ///< canonical text; orders and identifies
    std::vector<DimExpr> args; ///< two for all but Symbol
  };
  using AtomRef = std::shared_ptr<const Atom>;
  /// coefficient * product of factors; factors sorted by key, repeats allowed.
  struct Term {
    int64_t coefficient;
    std::vector<AtomRef> factors;
  };
  struct Interval {
    int64_t lower = 0;
    int64_t upper = kInfinity;
  };
  static constexpr int64_t kInfinity = std::numeric_limits<int64_t>::max();

  DimExpr() = default;
  DimExpr(int64_t constant);
  static DimExpr symbol(std::string_view name);

  /// Parses what str() prints, and the expressions that exporters write on
  /// dimensions: + - * // / % ( ) floordiv(a, b) mod(a, b) min(a, b) max(a, b),
  /// integers and names. Anything else is nullopt.
  static std::optional<DimExpr> parse(std::string_view text);
  std::string str() const;

  DimExpr operator+(const DimExpr &other) const;
  DimExpr operator-(const DimExpr &other) const;
  DimExpr operator*(const DimExpr &other) const;
  DimExpr operator-() const { return DimExpr(0) - *this; }
  /// Exact where the divisor divides every term; an atom otherwise. Division
  /// by a zero constant gives the atom, never a trap.
  static DimExpr floorDiv(const DimExpr &a, const DimExpr &b);
  static DimExpr ceilDiv(const DimExpr &a, const DimExpr &b);
  static DimExpr mod(const DimExpr &a, const DimExpr &b);
  static DimExpr min(const DimExpr &a, const DimExpr &b);
  static DimExpr max(const DimExpr &a, const DimExpr &b);

  bool operator==(const DimExpr &other) const { return str() == other.str(); }
  bool operator!=(const DimExpr &other) const { return !(*this == other); }

  std::optional<int64_t> constant() const;
  bool isConstant(int64_t value) const { return constant() == value; }
  /// The symbol's name where the expression is exactly one symbol.
  std::optional<std::string> asSymbol() const;
  const std::vector<Term> &terms() const { return termList; }

  /// Calls `visit` for every symbol, inside atoms too.
  void forEachSymbol(const std::function<void(const std::string &)> &visit) const;
  using Lookup = std::function<std::optional<int64_t>(const std::string &)>;
  /// The value where all symbols have one and nothing overflows.
  std::optional<int64_t> evaluate(const Lookup &lookup) const;
  using Substitution = std::function<std::optional<DimExpr>(const std::string &)>;
  DimExpr substitute(const Substitution &replacement) const;
  using Bounds = std::function<Interval(const std::string &)>;
  /// Interval arithmetic with saturation; symbols without bounds are [0, inf).
  Interval bounds(const Bounds &symbolBounds = {}) const;

  /// Knows that symbols are not negative, that `e - k < k * floordiv(e, k) <= e`, and
  /// that (x + 1) * (y + 1) is not negative where x and y are -1 or more.
  bool provablyNonNegative() const;
  bool provablyPositive() const { return bounds().lower > 0; }
  /// True, false, or unknown; knows that symbols are not negative.
  static std::optional<bool> equal(const DimExpr &a, const DimExpr &b);
  static std::optional<bool> less(const DimExpr &a, const DimExpr &b);

private:
  static DimExpr atom(AtomKind kind, const DimExpr &a, const DimExpr &b);
  /// What this differs from by multiples of `divisor` only: x in place of mod(x, divisor).
  DimExpr withoutMods(int64_t divisor) const;
  /// The same with atoms counted from their lowest value on, by symbols in their place:
  /// products of sums become sums of products that are not negative.
  DimExpr fromLowestAtoms() const;
  void addTerm(int64_t coefficient, std::vector<AtomRef> factors);
  std::vector<Term> termList; ///< sorted by factors' keys, no zero coefficient
};

} // namespace llmc

#endif // LLMC_SUPPORT_DIMEXPR_H
