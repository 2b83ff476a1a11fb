# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the node tests of the installed onnx package as folders of models and tensors.

Each case becomes NAME/model.onnx and NAME/test_data_set_I/{input,output}_J.pb; every
tensor carries the name of the graph's value. A case with parameters (see PARAMETERS) is
written a second time, as NAME.constant, with those as constants of the model.
"""
import importlib.metadata
import json
import os
import shutil
import warnings

from node_scope import tier_of

# Counts up when what is written changes, so that older folders are not used.
FORMAT = 2

# Inputs, by their names in ONNX's operator schemas, that say what an operator does rather
# than what to do it with. Exporters write them as constants, the node tests as inputs.
PARAMETERS = frozenset("""
    axes axis block_shape delta depth dft_length ends frame_length frame_step image_shape k K
    limit output_shape pads repeats roi scales shape size sizes split start starts steps
    """.split())

# ONNX's own test runner allows this much for bfloat16: two units in the last place.
BFLOAT16_RTOL = 2.0 ** -6


def installed_version():
    """Version of the onnx package, None where there is none."""
    try:
        return importlib.metadata.version("onnx")
    except importlib.metadata.PackageNotFoundError:
        return None


def all_graphs(graph):
    """`graph` and every graph inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from all_graphs(inner)


def ops_under_test(cases):
    """Name of each case -> its operator. The name starts with it where a case has several
    nodes. An `_expanded` case, the body of an operator that ONNX defines as a function,
    belongs to that operator."""
    ops = {}
    for case in cases:
        nodes = [node.op_type for node in case.model.graph.node]
        words = case.name.lower().replace("_", "")
        named = [op for op in nodes if words.startswith("test" + op.lower())]
        ops[case.name] = max(named, key=len) if named else (nodes or ["none"])[0]
    for name in ops:
        ops[name] = ops.get(base_name(name), ops[name])
    return ops


def base_name(name):
    return name.split("_expanded")[0]


def parameter_names(onnx, model):
    """Graph inputs that are parameters of a node."""
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    inputs = {value.name for value in model.graph.input}
    found = set()
    for node in model.graph.node:
        if not onnx.defs.has(node.op_type, node.domain):
            continue
        schema = onnx.defs.get_schema(node.op_type, opsets.get(node.domain, 1), node.domain)
        for name, formal in zip(node.input, schema.inputs):
            if name in inputs and (formal.name in PARAMETERS or node.op_type == "ConstantOfShape"):
                found.add(name)
    return found


def describe(onnx, case, op, parameters):
    """What reports and node_scope need to know of a case, as plain data."""
    types, kinds, domains, ops = set(), set(), set(), set()
    # Dropout's third input asks for training; its cases feed it.
    training = case.name.startswith("test_training_dropout")

    def add_type(proto):
        kind = proto.WhichOneof("value")
        kinds.add((kind or "missing").replace("_type", ""))
        if kind == "tensor_type":
            types.add(proto.tensor_type.elem_type)
        elif kind in ("sequence_type", "optional_type"):
            add_type(getattr(proto, kind).elem_type)

    for graph in all_graphs(case.model.graph):
        for value in [*graph.input, *graph.output, *graph.value_info]:
            if value.HasField("type"):
                add_type(value.type)
        types.update(tensor.data_type for tensor in graph.initializer)
        for node in graph.node:
            ops.add(node.op_type)
            domains.add(node.domain)
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    types.add(attribute.t.data_type)
                if node.op_type == "Cast" and attribute.name == "to":
                    types.add(attribute.i)
                training |= attribute.name == "training_mode" and attribute.i != 0
    outputs = {value.type.tensor_type.elem_type for value in case.model.graph.output}
    is_bfloat16 = onnx.TensorProto.BFLOAT16 in outputs
    name_of = onnx.TensorProto.DataType.Name
    return {"name": case.name, "op": op, "tier": tier_of(op), "parameters": sorted(parameters),
            "rtol": max(case.rtol, BFLOAT16_RTOL) if is_bfloat16 else case.rtol,
            "atol": case.atol, "types": sorted(name_of(t) for t in types if t),
            "kinds": sorted(kinds), "domains": sorted(domains), "ops": sorted(ops),
            "training": training}


def as_proto(onnx, value, info):
    """An input or output as the message that its file holds, named as the graph's value."""
    import numpy
    from onnx import numpy_helper
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(list(value), info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    if isinstance(value, onnx.TensorProto):
        proto = onnx.TensorProto()
        proto.CopyFrom(value)
        proto.name = info.name
        return proto
    return numpy_helper.from_array(numpy.asarray(value), info.name)


def write_folder(onnx, folder, model, data_sets):
    """`data_sets`: of each the messages of its inputs and those of its outputs."""
    os.makedirs(folder)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for index, data_set in enumerate(data_sets):
        place = os.path.join(folder, "test_data_set_%d" % index)
        os.mkdir(place)
        for prefix, protos in zip(("input", "output"), data_set):
            for number, proto in enumerate(protos):
                with open(os.path.join(place, "%s_%d.pb" % (prefix, number)), "wb") as file:
                    file.write(proto.SerializeToString())


def write_case(onnx, case, parameters, folder):
    graph = case.model.graph
    data_sets = [
        [[as_proto(onnx, value, info) for value, info in zip(values, infos, strict=True)]
         for values, infos in zip(data_set, (graph.input, graph.output))]
        for data_set in case.data_sets]
    write_folder(onnx, folder, case.model, data_sets)
    if not parameters:
        return
    assert len(data_sets) == 1, "constants of one data set would be wrong for another"
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, outputs = data_sets[0]
    model.graph.initializer.extend(proto for proto in inputs if proto.name in parameters)
    del model.graph.input[:]
    model.graph.input.extend(info for info in graph.input if info.name not in parameters)
    rest = [proto for proto in inputs if proto.name not in parameters]
    write_folder(onnx, folder + ".constant", model, [[rest, outputs]])


def write_cases(folder):
    """Writes all cases under `folder`, which is emptied first; returns descriptions."""
    import onnx
    from onnx.backend.test.case.node import collect_testcases
    with warnings.catch_warnings():  # overflows that the cases provoke on purpose
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    ops = ops_under_test(cases)
    parameters = {case.name: parameter_names(onnx, case.model) for case in cases}
    described = []
    for case in cases:
        inputs = {value.name for value in case.model.graph.input}
        # The body of a function keeps the inputs' names, but not the schema's.
        own = parameters[case.name] | parameters.get(base_name(case.name), set()) & inputs
        write_case(onnx, case, own, os.path.join(folder, case.name))
        described.append(describe(onnx, case, ops[case.name], own))
    return sorted(described, key=lambda case: case["name"])


def prepare_cases(work):
    """Makes sure that the cases of the installed onnx lie under `work`; returns their
    folder and descriptions."""
    version = installed_version()
    folder = os.path.join(work, "cases-onnx-%s-%d" % (version, FORMAT))
    index = os.path.join(folder, "index.json")
    if not os.path.exists(index):
        print("writing the cases of onnx %s to %s" % (version, folder), flush=True)
        described = write_cases(folder)
        with open(index + ".new", "w") as file:  # last and at once: a killed run leaves none
            json.dump(described, file)
        os.rename(index + ".new", index)
    with open(index) as file:
        return folder, json.load(file)
