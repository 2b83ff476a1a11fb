//===- Einsum.cpp - sums of products over named axes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operands are combined from left to right. Each step sums the letters that
// nothing later needs: as a matrix product where the operands share some and
// the sizes agree, otherwise as a product of broadcast operands that is summed.
//
//===----------------------------------------------------------------------===//
#include "OpTable.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

namespace {

/// The dimensions of an ellipsis are letters too: kEllipsis + position from the end.
using Letters = SmallVector<int, 8>;
constexpr int kEllipsis = 256;

struct Term {
  Value value;
  Letters letters; ///< one per dimension
};

class Einsum {
public:
  explicit Einsum(Node &n) : n(n) {}
  void run();

private:
  Letters parse(StringRef text, int64_t ellipsisRank);
  Letters implicitOutput(ArrayRef<Term> terms);
  bool readOperands(StringRef inputs);
  void takeDiagonals(Term &term);
  Term sumUnused(Term term, const Letters &needed);
  Term combine(Term a, Term b, const Letters &needed);
  Term combineAsMatmul(const Term &a, const Term &b, const Letters &needed);
  bool fitsMatmul(const Term &a, const Term &b, const Letters &needed);
  Value arrange(const Term &term, const Letters &order);

  Node &n;
  int64_t ellipsisRank = 0;
  SmallVector<Term> terms;
};

} // namespace

static bool has(const Letters &letters, int letter) { return llvm::is_contained(letters, letter); }

/// The letters of one operand or of the output. `rank` dimensions are an ellipsis.
Letters Einsum::parse(StringRef text, int64_t rank) {
  Letters letters;
  bool sawEllipsis = false;
  while (!text.empty() && !n.failed()) {
    if (text.consume_front("...")) {
      if (std::exchange(sawEllipsis, true))
        n.fail("the equation has two ellipses in one operand");
      for (int64_t i = 0; i < rank; ++i)
        letters.push_back(kEllipsis + int(rank - 1 - i));
      continue;
    }
    if (!llvm::isAlpha(text.front()))
      n.fail("the equation holds '" + Twine(text.front()) + "', expected a letter or '...'");
    letters.push_back(text.front());
    text = text.drop_front();
  }
  return letters;
}

bool Einsum::readOperands(StringRef inputs) {
  SmallVector<StringRef> texts;
  inputs.split(texts, ',');
  if (int(texts.size()) != n.numInputs())
    n.fail("the equation has " + Twine(texts.size()) + " operands for " + Twine(n.numInputs()) +
           " inputs");
  for (int i = 0; i < n.numInputs() && !n.failed(); ++i) {
    int64_t letters = llvm::count_if(texts[i], [](char c) { return c != '.'; });
    int64_t rest = texts[i].contains("...") ? n.rank(n.input(i)) - letters : 0;
    if (rest < 0 || letters + rest != n.rank(n.input(i)))
      n.fail("'" + texts[i] + "' in the equation does not fit " +
             llm::formatDims(n.dims(n.input(i))));
    ellipsisRank = std::max(ellipsisRank, rest);
    terms.push_back({n.input(i), n.failed() ? Letters() : parse(texts[i], rest)});
  }
  return !n.failed();
}

/// Without "->": the ellipsis, then the letters that occur once, in order.
Letters Einsum::implicitOutput(ArrayRef<Term> terms) {
  Letters output, once;
  for (int64_t i = 0; i < ellipsisRank; ++i)
    output.push_back(kEllipsis + int(ellipsisRank - 1 - i));
  for (int letter = 0; letter < kEllipsis; ++letter) {
    int64_t count = 0;
    for (const Term &term : terms)
      count += llvm::count(term.letters, letter);
    if (count == 1)
      output.push_back(letter);
  }
  return output;
}

/// A letter that occurs twice in an operand reads its diagonal.
void Einsum::takeDiagonals(Term &term) {
  for (size_t second = 1; second < term.letters.size() && !n.failed(); ++second) {
    const int *found = llvm::find(term.letters, term.letters[second]);
    size_t first = found - term.letters.begin();
    if (first == second)
      continue;
    Dims dims = n.dims(term.value), shape = dims;
    n.requireEqual(dims[first], dims[second], "dimensions of one letter");
    shape[second] = 1;
    Value at = n.broadcast(n.iota(dims[first], int64_t(first), dims.size()), shape);
    Value diagonal = n.infer<llm::GatherElementsOp>(uint64_t(second), term.value, at);
    shape.erase(shape.begin() + second);
    term.value = n.reshape(diagonal, shape);
    term.letters.erase(term.letters.begin() + second);
    --second;
  }
}

Term Einsum::sumUnused(Term term, const Letters &needed) {
  SmallVector<int64_t> axes;
  Letters kept;
  for (auto [i, letter] : llvm::enumerate(term.letters))
    if (has(needed, letter))
      kept.push_back(letter);
    else
      axes.push_back(int64_t(i));
  if (!axes.empty())
    term.value = n.reduce(llm::ReduceKind::sum, term.value, axes, false);
  return {term.value, kept};
}

/// The value with a dimension per letter of `order`, 1 for those it does not have.
Value Einsum::arrange(const Term &term, const Letters &order) {
  SmallVector<int64_t> permutation;
  Dims dims = n.dims(term.value), shape;
  for (int letter : order) {
    const int *found = llvm::find(term.letters, letter);
    bool isHere = found != term.letters.end() && !n.failed();
    if (isHere)
      permutation.push_back(found - term.letters.begin());
    shape.push_back(isHere ? dims[found - term.letters.begin()] : DimExpr(1));
  }
  return n.reshape(n.transpose(term.value, permutation), shape);
}

bool Einsum::fitsMatmul(const Term &a, const Term &b, const Letters &needed) {
  if (!isa<FloatType>(n.elementTypeOf(a.value)))
    return false;
  Dims x = n.dims(a.value), y = n.dims(b.value);
  bool contracts = false;
  for (auto [i, letter] : llvm::enumerate(a.letters)) {
    const int *found = llvm::find(b.letters, letter);
    if (found == b.letters.end() || has(needed, letter))
      continue;
    contracts = true;
    if (DimExpr::equal(x[i], y[found - b.letters.begin()]) == false)
      return false; // a size of 1 that broadcasts
  }
  return contracts;
}

/// [batch.., rows, contracted] times [batch.., contracted, columns].
Term Einsum::combineAsMatmul(const Term &a, const Term &b, const Letters &needed) {
  Letters batch, rows, contracted, columns;
  for (int letter : a.letters)
    (!has(b.letters, letter) ? rows : has(needed, letter) ? batch : contracted).push_back(letter);
  for (int letter : b.letters)
    if (!has(a.letters, letter))
      columns.push_back(letter);
  auto grouped = [&](const Term &term, const Letters &left, const Letters &right) {
    Letters order = batch;
    order.append(left);
    order.append(right);
    Value value = arrange(term, order);
    Dims dims = n.dims(value);
    if (n.failed())
      return Value();
    ArrayRef<DimExpr> all(dims);
    Dims shape(all.take_front(batch.size()));
    shape.push_back(llm::product(all.slice(batch.size(), left.size())));
    shape.push_back(llm::product(all.drop_front(batch.size() + left.size())));
    return n.reshape(value, shape);
  };
  Value product = n.matmul(grouped(a, rows, contracted), grouped(b, contracted, columns));
  if (n.failed())
    return {};
  Dims shape(ArrayRef<DimExpr>(n.dims(product)).take_front(batch.size()));
  auto addSizes = [&](const Term &term, const Letters &letters) {
    for (int letter : letters)
      shape.push_back(n.dims(term.value)[llvm::find(term.letters, letter) - term.letters.begin()]);
  };
  addSizes(a, rows);
  addSizes(b, columns);
  Letters letters = batch;
  letters.append(rows);
  letters.append(columns);
  return {n.reshape(product, shape), letters};
}

Term Einsum::combine(Term a, Term b, const Letters &needed) {
  Letters here = needed, there = needed;
  here.append(b.letters);
  there.append(a.letters);
  a = sumUnused(a, here);
  b = sumUnused(b, there);
  if (n.failed())
    return {};
  if (fitsMatmul(a, b, needed))
    return combineAsMatmul(a, b, needed);
  Letters all = a.letters;
  for (int letter : b.letters)
    if (!has(all, letter))
      all.push_back(letter);
  Value product = n.binary(BinaryKind::mul, arrange(a, all), arrange(b, all));
  return sumUnused({product, all}, needed);
}

void Einsum::run() {
  std::string equation = n.stringAttr("equation", "");
  llvm::erase(equation, ' ');
  auto [inputs, outputText] = StringRef(equation).split("->");
  if (!readOperands(inputs))
    return;
  Letters output =
      StringRef(equation).contains("->") ? parse(outputText, ellipsisRank) : implicitOutput(terms);
  for (Term &term : terms)
    takeDiagonals(term);
  for (auto [i, letter] : llvm::enumerate(output)) {
    bool isKnown = llvm::any_of(terms, [&](const Term &t) { return has(t.letters, letter); });
    if (!isKnown || llvm::count(output, letter) != 1)
      n.fail("letter " + Twine(i) + " of the equation's output is " +
             (isKnown ? "there twice" : "in no operand"));
  }
  Term result;
  for (size_t i = 0; i < terms.size() && !n.failed(); ++i) {
    Letters needed = output;
    for (const Term &later : ArrayRef(terms).drop_front(i + 1))
      needed.append(later.letters);
    result = i == 0 ? sumUnused(terms[0], needed) : combine(result, terms[i], needed);
  }
  n.setOutput(n.failed() ? Value() : arrange(result, output));
}

static void einsumOp(Node &n) { Einsum(n).run(); }

void llmc::importer::addEinsumOps(OpTable &t) {
  t.add("", "Einsum", 12, {einsumOp, 1, kVariadic, 1, "equation"});
}
