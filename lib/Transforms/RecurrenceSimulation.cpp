//===- RecurrenceSimulation.cpp - recurrences on random data --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RecurrenceSimulation.h"
#include <cmath>

using namespace mlir;
using namespace llmc;
using llmc::reference::Tensor;

bool llmc::isPerHead(const Tensor &tensor, int64_t heads) {
  int64_t each = std::max<int64_t>(1, tensor.numElements() / heads);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    if (tensor.getFloat(i) != tensor.getFloat(i / each * each))
      return false;
  return true;
}

std::vector<float> llmc::perHead(const Tensor &tensor, int64_t heads) {
  std::vector<float> numbers;
  int64_t each = tensor.numElements() / heads; // 0 of a scalar
  for (int64_t h = 0; h < heads; ++h)
    numbers.push_back(float(tensor.getFloat(h * each)));
  return numbers;
}

std::vector<float> llmc::ratesOf(const Tensor &tensor, const RecurrentMatrix &matrix,
                                 bool isSwapped) {
  std::vector<float> rates;
  int64_t each = tensor.numElements() / matrix.heads;
  bool isPerHead = llmc::isPerHead(tensor, matrix.heads);
  for (int64_t h = 0; h < matrix.heads; ++h)
    for (int64_t i = 0; i < matrix.keyDim; ++i)
      for (int64_t j = 0; j < matrix.valueDim; ++j) {
        int64_t at = isSwapped ? j * matrix.keyDim + i : i * matrix.valueDim + j;
        rates.push_back(float(tensor.getFloat(h * each + (isPerHead ? 0 : at))));
      }
  return rates;
}

double llmc::toleranceOf(const Tensor &tensor) {
  double largest = 1e-3;
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    largest = std::max(largest, std::abs(tensor.getFloat(i)));
  // The graph rounds to its elements' type after every operation, a recurrence does not: about
  // ten roundings, of which those of past tokens decay.
  constexpr double kRoundings = 10;
  auto type = cast<FloatType>(tensor.elementType());
  double epsilon = std::ldexp(1, -int(type.getFPMantissaWidth()));
  return std::max(1e-4, kRoundings * epsilon) * largest;
}

bool llmc::isClose(const Tensor &tensor, const Tensor &expected) {
  if (tensor.shape() != expected.shape())
    return false;
  double tolerance = toleranceOf(expected);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    if (!(std::abs(tensor.getFloat(i) - expected.getFloat(i)) <= tolerance)) // or NaN
      return false;
  return true;
}

std::vector<double> llmc::rowsOf(const Tensor &tensor, const TokenRows &rows) {
  SmallVector<unsigned> axes;
  if (rows.batchAxis)
    axes.push_back(*rows.batchAxis);
  if (rows.tokenAxis)
    axes.push_back(*rows.tokenAxis);
  axes.append(rows.channelAxes);
  std::vector<double> result(tensor.numElements());
  for (int64_t to = 0; to < tensor.numElements(); ++to) {
    int64_t left = to, from = 0;
    for (unsigned axis : llvm::reverse(axes)) {
      int64_t stride = 1;
      for (size_t d = axis + 1; d < tensor.shape().size(); ++d)
        stride *= tensor.dim(d);
      from += left % tensor.dim(axis) * stride;
      left /= tensor.dim(axis);
    }
    result[to] = tensor.getFloat(from);
  }
  return result;
}

bool llmc::isModerate(const Tensor &tensor) {
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    if (!(std::abs(tensor.getFloat(i)) < 1e30))
      return false;
  return true;
}

namespace {
/// The recurrence of one choice of roles on one sample; gives up at the first difference,
/// so that the many wrong choices cost little.
class Simulation {
public:
  Simulation(const RecurrenceSample &sample, const RecurrentMatrix &matrix,
             const RecurrenceRoles &roles, const Tensor *past, const Tensor *state)
      : sample(sample), matrix(matrix), roles(roles), past(past), state(state) {}

  bool agrees() {
    for (int64_t b = 0; b < sample.batch; ++b)
      for (int64_t h = 0; h < matrix.heads; ++h)
        if (!runHead(b, h))
          return false;
    return true;
  }

private:
  /// Channel `c` of `width` that head `h` reads at a token.
  double at(const Leaf &leaf, int64_t row, int64_t h, int64_t c, int64_t width) const {
    int64_t groups = leaf.rows.channels / width;
    return sample
        .rows[leaf.index][row * leaf.rows.channels + h / (matrix.heads / groups) * width + c];
  }
  /// The same of a leaf that may have a number per head instead.
  double atHead(const Leaf &leaf, int64_t row, int64_t h, int64_t c, int64_t width) const {
    bool isPerHead = leaf.rows.channels <= matrix.heads;
    return at(leaf, row, h, isPerHead ? 0 : c, isPerHead ? 1 : width);
  }

  double factor(int64_t row, int64_t h, int64_t i, int64_t j) const {
    const Leaf &decay = *roles.decay;
    if (roles.form == DecayForm::rates)
      return std::exp(atHead(decay, row, h, j, matrix.valueDim) *
                      roles.constant[(h * matrix.keyDim + i) * matrix.valueDim + j]);
    double number = atHead(decay, row, h, i, matrix.keyDim);
    if (roles.form == DecayForm::factor)
      return number;
    return std::exp(roles.form == DecayForm::scaled ? number * roles.constant[h] : number);
  }

  /// Where the past and the state have the matrix's element.
  int64_t place(int64_t b, int64_t h, int64_t i, int64_t j) const {
    int64_t first = (b * matrix.heads + h) * matrix.keyDim * matrix.valueDim;
    return first + (matrix.transposed ? j * matrix.keyDim + i : i * matrix.valueDim + j);
  }

  bool runHead(int64_t b, int64_t h) {
    int64_t rows = matrix.keyDim, columns = matrix.valueDim;
    std::vector<double> s(rows * columns, 0.0);
    for (int64_t i = 0; past && i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        s[i * columns + j] = past->getFloat(place(b, h, i, j));
    for (int64_t t = 0; t < sample.tokens; ++t)
      if (!runToken(b * sample.tokens + t, h, s))
        return false;
    for (int64_t i = 0; state && i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        if (!(std::abs(s[i * columns + j] - state->getFloat(place(b, h, i, j))) <=
              sample.stateTolerance))
          return false;
    return true;
  }

  /// Takes a token into the matrix and compares its output.
  bool runToken(int64_t row, int64_t h, std::vector<double> &s) const {
    int64_t rows = matrix.keyDim, columns = matrix.valueDim;
    for (int64_t j = 0; j < columns; ++j) {
      double update = at(*roles.value, row, h, j, columns), output = 0;
      if (roles.step)
        update *= atHead(*roles.step, row, h, j, columns);
      for (int64_t i = 0; i < rows; ++i) {
        double &element = s[i * columns + j];
        if (roles.decay)
          element *= factor(row, h, i, j);
        if (roles.delta)
          update -= element * at(*roles.key, row, h, i, rows);
      }
      if (roles.beta)
        update *= at(*roles.beta, row, h, 0, 1);
      for (int64_t i = 0; i < rows; ++i) {
        double &element = s[i * columns + j];
        element += at(*roles.key, row, h, i, rows) * update;
        output += element * at(*roles.query, row, h, i, rows);
      }
      output *= roles.scale;
      if (!roles.skip.empty())
        output += roles.skip[h] * at(*roles.skipped, row, h, j, columns);
      double due = sample.outputRows[(row * matrix.heads + h) * columns + j];
      if (!(std::abs(output - due) <= sample.outputTolerance))
        return false;
    }
    return true;
  }

  const RecurrenceSample &sample;
  const RecurrentMatrix &matrix;
  const RecurrenceRoles &roles;
  const Tensor *past, *state;
};
} // namespace

bool llmc::simulatesSame(const RecurrenceSample &sample, const RecurrentMatrix &matrix,
                         const RecurrenceRoles &roles, const Tensor *past, const Tensor *state) {
  return Simulation(sample, matrix, roles, past, state).agrees();
}
