# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a model with equal initializers under different names: `a` and `copy_of_a`, the
4-bit matrices `q` and `copy_of_q` with their scales, and `other`, of the same shape as `a`."""


def numbers(count, seed):
    return ",".join(str((i * 7 + seed) % 13) for i in range(count))


matrix, other = numbers(32 * 32, 1), numbers(32 * 32, 2)
blocks, scales = numbers(32 * 16, 3), numbers(128, 4)
print(f"""<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]>
g (float[batch, 32] x) => (float[batch, 128] y)
<float[32,32] a = {{{matrix}}}, float[32,32] copy_of_a = {{{matrix}}},
 float[32,32] other = {{{other}}},
 uint8[128,1,16] q = {{{",".join([blocks] * 4)}}}, float[128,1] scale_q = {{{scales}}},
 uint8[128,1,16] copy_of_q = {{{",".join([blocks] * 4)}}}, float[128,1] copy_of_scale = {{{scales}}}>
{{
  h0 = MatMul(x, a)
  h1 = Relu(h0)
  h2 = MatMul(h1, copy_of_a)
  h3 = Relu(h2)
  h4 = MatMul(h3, other)
  n0 = com.microsoft.MatMulNBits <K = 32, N = 128, bits = 4, block_size = 32> (h4, q, scale_q)
  n1 = com.microsoft.MatMulNBits <K = 32, N = 128, bits = 4, block_size = 32> (h0, copy_of_q, copy_of_scale)
  y = Add(n0, n1)
}}""")
