// RUN: llmc-opt %s -llmc-plan-weights | FileCheck %s --check-prefixes=CHECK,WIDE
// RUN: llmc-opt %s -llmc-plan-weights=panel-width=16 | FileCheck %s --check-prefixes=CHECK,NARROW

// 5 * 4 = 20 bytes; the next weight starts at 64.
// CHECK: exec.weight @dense
// CHECK-SAME: bytes = 20 : i64, offset = 0 : i64
exec.weight @dense dense dense<1.0> : tensor<5xf32>

// 33 outputs are 2 panels of 32 or 3 of 16, of 3 columns:
// 64 * 3 * 4 = 768 bytes, 48 * 3 * 4 = 576 bytes.
// CHECK: exec.weight @panels
// WIDE-SAME: bytes = 768 : i64, columns = 3 : i64, offset = 64 : i64
// NARROW-SAME: bytes = 576 : i64, columns = 3 : i64, offset = 64 : i64
exec.weight @panels panels {columns = 3 : i64, outputs = 33 : i64} dense<1.0> : tensor<3x33xf32>

// Elements of 16 bits take half of that: 384 bytes, or 288 in 320.
// CHECK: exec.weight @half
// WIDE-SAME: bytes = 384 : i64, columns = 3 : i64, offset = 832 : i64
// NARROW-SAME: bytes = 288 : i64, columns = 3 : i64, offset = 640 : i64
exec.weight @half panels {columns = 3 : i64, outputs = 33 : i64} dense<1.0> : tensor<3x33xbf16>

// 17 outputs are 2 blocks of 16, 64 columns 2 groups of 32. A group of a block has
// 32 * 16 / 2 = 256 bytes of nibbles and 16 * 4 = 64 of scales: 320.
// 2 * 2 * 320 = 1280. It starts at 832 + 384 = 1216 or 640 + 320 = 960.
// CHECK: exec.weight @row_blocks
// CHECK-SAME: bytes = 1280 : i64
// WIDE-SAME: offset = 1216 : i64
// NARROW-SAME: offset = 960 : i64
exec.weight @row_blocks row_blocks {columns = 64 : i64, outputs = 17 : i64, group_size = 32 : i64, scales = dense<1.0> : tensor<17x2xf32>} dense<1> : tensor<17x2x16xui8>

// Zero points add a byte per output: 2 * 2 * (320 + 16) = 1344, from 1216 + 1280.
// CHECK: exec.weight @zero_points
// CHECK-SAME: bytes = 1344 : i64
// WIDE-SAME: offset = 2496 : i64
// NARROW-SAME: offset = 2240 : i64
exec.weight @zero_points row_blocks {columns = 64 : i64, outputs = 17 : i64, group_size = 32 : i64, scales = dense<1.0> : tensor<17x2xf32>, zero_points = dense<8> : tensor<17x1xui8>} dense<1> : tensor<17x2x16xui8>
