// Functions of every kind of element, and loops that copy or fill: no library is called.
// RUN: %llmc compile %s -o %t.llmc --cpu=x86-64-v3
// RUN: llvm-nm -D --undefined-only %t.llmc | count 0
!d = tensor<300xf64>
!b = tensor<300xbf16>
!h = tensor<300xf16>
!x = tensor<2x6x40xf32>
!y = tensor<2x6x38xf32>
func.func @run(%d: !d, %e: !d, %b: !b, %h: !h, %x: !x, %w: tensor<6x1x3xf32>, %i: tensor<3x1xi64>,
               %u: tensor<3x6x40xf32>) -> (!d, !d, !d, !b, tensor<300xf16>, tensor<300xf8E5M2>, !y, !x, !d, !h) {
  %0 = llm.unary exp %d : !d
  %1 = llm.binary pow %d, %e : !d, !d
  %2 = llm.binary fmod %d, %e : !d, !d
  %3 = llm.unary tan %b : !b
  %4 = llm.cast %d : !d to tensor<300xf16>
  %5 = llm.cast %d : !d to tensor<300xf8E5M2>
  %6 = llm.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>, groups = 6 : i64} : (!x, tensor<6x1x3xf32>) -> !y
  %7 = llm.scatter_nd replace %x, %i, %u : !x, tensor<3x1xi64>, tensor<3x6x40xf32>
  // Two roundings that LLVM joins.
  %8 = llm.unary sinh %h : !h
  return %0, %1, %2, %3, %4, %5, %6, %7, %d, %8 : !d, !d, !d, !b, tensor<300xf16>, tensor<300xf8E5M2>, !y, !x, !d, !h
}
