//===- Verify.cpp - llmc-run verify ---------------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Repeats recorded calls on a module and compares every recorded output.
//
//===----------------------------------------------------------------------===//
#include "CommandLine.h"
#include "Commands.h"
#include "LoadedModel.h"
#include "RecordedCall.h"
#include "TensorCompare.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace llmc::run {
namespace {

struct VerifyOptions {
  std::string modelPath, folder;
  Tolerance tolerance;
  uint32_t threads = 0;
  LoadOptions load;
};

struct Totals {
  size_t numCalls = 0, numFailedCalls = 0;
  size_t numOutputs = 0, numMatches = 0;
};

/// A copy of what the runtime returned; borrowed memory ends with the next run.
HostTensor copyOutput(const llmc_tensor_t &output) {
  HostTensor tensor;
  tensor.dtype = output.dtype;
  tensor.dims.assign(output.dims, output.dims + output.rank);
  const auto *data = static_cast<const uint8_t *>(output.data);
  size_t sizeBytes = tensor.numElements() * dtypeSizeBytes(tensor.dtype);
  if (data)
    tensor.bytes.assign(data, data + sizeBytes);
  return tensor;
}

void printComparison(const std::string &name, const HostTensor &expected,
                     const Comparison &comparison) {
  std::printf("  %-36s ", name.c_str());
  if (!comparison.problem.empty()) {
    std::printf("FAIL: %s\n", comparison.problem.c_str());
    return;
  }
  std::printf("%-22s max abs %9.3e  max rel %9.3e  ",
              typeText(expected.dtype, expected.dims).c_str(), comparison.maxAbsError,
              comparison.maxRelError);
  if (comparison.isMatch)
    std::printf("ok\n");
  else
    std::printf("FAIL: %zu of %zu elements, first at %zu\n", comparison.numMismatches,
                comparison.numCompared, comparison.firstMismatch);
}

/// Runs and compares one call; false, with a line printed, where one fails.
bool verifyCall(Session &session, const RecordedCall &call, const Tolerance &tolerance,
                Totals &totals) {
  std::vector<llmc_tensor_t> outputs(call.outputs.size());
  totals.numOutputs += outputs.size();
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!call.outputs[i].name.empty())
      outputs[i].name = call.outputs[i].name.c_str();
  std::string error;
  if (!session.run(call.inputs, outputs, error)) {
    std::printf("  FAIL: %s\n", error.c_str());
    return false;
  }
  bool allMatch = true;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const HostTensor &expected = call.outputs[i];
    Comparison comparison = compareTensors(expected, copyOutput(outputs[i]), tolerance);
    printComparison(expected.name.empty() ? "output " + std::to_string(i) : expected.name, expected,
                    comparison);
    totals.numMatches += comparison.isMatch;
    allMatch &= comparison.isMatch;
  }
  return allMatch;
}

int runVerify(const VerifyOptions &options) {
  std::string error;
  std::optional<std::vector<std::string>> folders = findRecordedCalls(options.folder, error);
  if (!folders)
    return reportError(error);
  std::optional<Model> model = Model::load(options.modelPath, options.load, error);
  if (!model)
    return reportError(error);
  std::optional<Session> session = Session::create(*model, {options.threads, 0}, error);
  if (!session)
    return reportError(error);

  Totals totals;
  for (const std::string &folder : *folders) {
    std::printf("%s\n", folder.c_str());
    ++totals.numCalls;
    std::optional<RecordedCall> call = readRecordedCall(folder, error);
    if (!call)
      std::printf("  FAIL: %s\n", error.c_str());
    if (!call || !verifyCall(*session, *call, options.tolerance, totals))
      ++totals.numFailedCalls;
  }
  std::printf("%s: %zu of %zu calls match, %zu of %zu outputs (rtol %g of %s, atol %g)\n",
              totals.numFailedCalls ? "FAILED" : "ok", totals.numCalls - totals.numFailedCalls,
              totals.numCalls, totals.numMatches, totals.numOutputs, options.tolerance.relative,
              options.tolerance.isElementwise ? "each element" : "the largest magnitude",
              options.tolerance.absolute);
  return totals.numFailedCalls ? 1 : 0;
}

} // namespace

void addVerifyCommand(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App *command = app.add_subcommand("verify", "repeat recorded calls and compare the outputs");
  addModelArgument(*command, options->modelPath);
  command
      ->add_option("folder", options->folder,
                   "folder with input_*.pb and output_*.pb, or any above such "
                   "folders")
      ->required()
      ->type_name("DIR");
  addRealOption(*command, "--rtol", options->tolerance.relative, 0, 1e6,
                "allowed error, as a part of the output's largest magnitude");
  addRealOption(*command, "--atol", options->tolerance.absolute, 0, 1e30,
                "allowed error on top of that");
  command->add_flag("--elementwise", options->tolerance.isElementwise,
                    "--rtol is a part of each element; NaN matches NaN only");
  addThreadsOption(*command, options->threads);
  addLoadOptions(*command, options->load);
  command->footer("Exit code 0 when every output of every call matches, 1 "
                  "otherwise. NaN in an expected\noutput is not compared without "
                  "--elementwise; integers and booleans must be equal.");
  command->callback([options, &exitCode] { exitCode = runVerify(*options); });
}

} // namespace llmc::run
