# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a node test is about: its tier, whether llmc promises it, why it is out of scope.

A case is described by a dictionary that node_cases.describe makes.
"""

TIERS = {
    "1 language model operators": """
        Abs Add And ArgMax ArgMin Cast CastLike Ceil Clip Concat Constant ConstantOfShape Cos
        CumSum Div Dropout Einsum Equal Erf Exp Expand Flatten Floor Gather GatherElements
        GatherND Gelu Gemm Greater GreaterOrEqual Identity If IsInf IsNaN LayerNormalization
        LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max Mean Min Mod Mul Neg NonZero Not
        OneHot Or Pad Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
        ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round
        ScatterElements ScatterND Shape Sigmoid Sign Sin Size Slice Softmax Softplus Split Sqrt
        Squeeze Sub Sum Tanh Tile TopK Transpose Trilu Unsqueeze Where Xor""",
    "2 quantization": """
        QuantizeLinear DequantizeLinear DynamicQuantizeLinear MatMulInteger""",
    "3 attention and transformers": """
        Attention RMSNormalization RotaryEmbedding TensorScatter Swish CausalConvWithState
        LinearAttention SwiGLU FlexAttention""",
    "4 convolution and loops": "Conv Loop Scan",
}
OTHER_TIER = "5 everything else"

# Tiers 1 to 3 in these types are what llmc promises.
CORE_TYPES = frozenset("FLOAT FLOAT16 BFLOAT16 INT64 INT32 INT8 UINT8 BOOL".split())
CORE_TIERS = tuple(TIERS)[:3]

RANDOM_OPS = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
              "RandomUniformLike"}
OPTIONAL_OPS = {"Optional", "OptionalHasElement", "OptionalGetElement"}

# Reason, and the test of a case for it; the first that holds is reported.
OUT_OF_SCOPE = [
    ("strings: llmc compiles numbers; text is the tokenizer's, outside the model",
     lambda case: "STRING" in case["types"]),
    ("sequences: a value is one tensor", lambda case: "sequence" in case["kinds"]),
    ("optionals: a value is one tensor",
     lambda case: "optional" in case["kinds"] or OPTIONAL_OPS & set(case["ops"])),
    ("classical machine learning (ai.onnx.ml)", lambda case: "ai.onnx.ml" in case["domains"]),
    ("training: llmc compiles inference only",
     lambda case: "ai.onnx.preview.training" in case["domains"] or case["training"]),
    ("decodes image files", lambda case: "ImageDecoder" in case["ops"]),
    ("random numbers: no generator is prescribed, so no result is",
     lambda case: RANDOM_OPS & set(case["ops"])),
]


def tier_of(op):
    for tier, ops in TIERS.items():
        if op in ops.split():
            return tier
    return OTHER_TIER


def scope_reason(case):
    """Why a case is out of scope, or None."""
    for reason, holds in OUT_OF_SCOPE:
        if holds(case):
            return reason
    return None


def is_core(case):
    return case["tier"] in CORE_TIERS and CORE_TYPES.issuperset(case["types"])
