//===- BitcodeTest.cpp - embedded bitcode and selection -------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VariantTable.h"

using namespace llmc::cpu;

namespace {

TEST(Bitcode, IsEmbeddedPerLevel) {
  for (IsaLevel level : allIsaLevels) {
    auto bytes = bitcode(level);
    ASSERT_GT(bytes.size(), 1000u);
    EXPECT_EQ(std::memcmp(bytes.data(), "BC\xc0\xde", 4), 0);
    // The string table names every selected symbol.
    std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
    for (Microkernel kernel :
         {Microkernel::LinearF32F32F32, Microkernel::LinearF32F16F32,
          Microkernel::LinearF32BF16F32, Microkernel::LinearI8I4F32, Microkernel::LinearI8I8F32,
          Microkernel::LinearF32I4F32, Microkernel::LinearF32I8F32, Microkernel::QuantizeF32I8,
          Microkernel::AttentionF32, Microkernel::MatmulF32F32F32})
      EXPECT_NE(text.find(symbol(kernel, level)), std::string_view::npos)
          << symbol(kernel, level) << " at " << isaLevelName(level);
    EXPECT_NE(text.find(std::string(mathSymbolPrefix) + "exp_f32"), std::string_view::npos);
  }
}

TEST(Bitcode, NewestVariantIsSelected) {
  EXPECT_EQ(symbol(Microkernel::LinearI8I4F32, IsaLevel::X86_64_V4_VNNI),
            "llmc_uk_linear_i8_i4_f32__x86_64_v4_vnni");
  EXPECT_EQ(symbol(Microkernel::LinearI8I8F32, IsaLevel::X86_64_V4_VNNI),
            "llmc_uk_linear_i8_i8_f32__x86_64_v4_vnni");
  EXPECT_EQ(symbol(Microkernel::LinearF32F32F32, IsaLevel::X86_64_V4_VNNI),
            "llmc_uk_linear_f32_f32_f32__x86_64_v4");
  EXPECT_EQ(symbol(Microkernel::LinearI8I4F32, IsaLevel::X86_64_V3),
            "llmc_uk_linear_i8_i4_f32__x86_64_v3");
}

} // namespace
