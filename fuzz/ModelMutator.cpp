//===- ModelMutator.cpp - changes to an ONNX model that keep it a message
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Works on protobuf's reflection, so that no field of ONNX is forgotten.
//
//===----------------------------------------------------------------------===//
#include "ModelMutator.h"
#include <google/protobuf/message.h>
#include <limits>
#include <string>
#include <vector>

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

namespace llmc::fuzz {

namespace {

/// A field of some message inside the model that is set, or could be.
struct Place {
  Message *message;
  const FieldDescriptor *field;
};

class Mutation {
public:
  Mutation(onnx::ModelProto &model, std::mt19937 &random) : random(random) { collect(model, 0); }
  void run();

private:
  size_t below(size_t bound) { return bound ? random() % bound : 0; }
  template <typename T> const T &oneOf(const std::vector<T> &list) {
    return list[below(list.size())];
  }
  void collect(Message &message, int depth);
  void changeList(const Place &place);
  void changeScalar(const Place &place);
  void changeMessage(const Place &place);
  std::string text(const Place &place, const std::string &old);
  int64_t number(int64_t old);

  std::mt19937 &random;
  std::vector<Place> places;
  std::vector<Message *> messages;
  std::vector<std::string> names, operators;
};

} // namespace

void Mutation::collect(Message &message, int depth) {
  if (depth > 12) // graphs inside graphs
    return;
  messages.push_back(&message);
  const Reflection *reflection = message.GetReflection();
  const auto *descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor *field = descriptor->field(i);
    places.push_back({&message, field});
    bool isText = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    if (field->is_repeated()) {
      for (int k = 0; k < reflection->FieldSize(message, field); ++k) {
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
          collect(*reflection->MutableRepeatedMessage(&message, field, k), depth + 1);
        else if (isText && names.size() < 4096)
          names.push_back(reflection->GetRepeatedString(message, field, k));
      }
    } else if (reflection->HasField(message, field)) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
        collect(*reflection->MutableMessage(&message, field), depth + 1);
      else if (isText && names.size() < 4096)
        (field->name() == "op_type" ? operators : names)
            .push_back(reflection->GetString(message, field));
    }
  }
}

int64_t Mutation::number(int64_t old) {
  static const std::vector<int64_t> kBoundaries = {0,
                                                   1,
                                                   -1,
                                                   2,
                                                   3,
                                                   7,
                                                   8,
                                                   16,
                                                   -2,
                                                   31,
                                                   32,
                                                   64,
                                                   127,
                                                   128,
                                                   255,
                                                   256,
                                                   999,
                                                   1 << 16,
                                                   1 << 30,
                                                   int64_t(1) << 31,
                                                   int64_t(1) << 33,
                                                   int64_t(1) << 62,
                                                   std::numeric_limits<int64_t>::max(),
                                                   std::numeric_limits<int64_t>::min()};
  switch (below(4)) {
  case 0:
    return oneOf(kBoundaries);
  case 1:
    return int64_t(uint64_t(old) + 1);
  case 2:
    return int64_t(uint64_t(old) - 1);
  default:
    return int64_t(0 - uint64_t(old));
  }
}

std::string Mutation::text(const Place &place, const std::string &old) {
  if (place.field->name() == "op_type" && below(2) && !operators.empty())
    return oneOf(operators);
  if (place.field->name() == "op_type") {
    // Operators of very different signatures; the rest comes from the corpus.
    static const std::vector<std::string> kOperators = {
        "Add",  "MatMul", "Reshape", "Slice",     "Gather",  "Concat",          "Loop",
        "Scan", "If",     "TopK",    "ScatterND", "NonZero", "Attention",       "Einsum",
        "Pad",  "Resize", "Conv",    "Split",     "Expand",  "DequantizeLinear"};
    return oneOf(kOperators);
  }
  if (place.field->name() == "raw_data" || below(4) == 0) {
    std::string bytes = old;
    switch (below(3)) {
    case 0:
      bytes.resize(below(bytes.size() + 9), char(random()));
      break;
    case 1:
      if (!bytes.empty())
        bytes[below(bytes.size())] = char(random());
      break;
    default:
      bytes.append(1 + below(8), char(random()));
    }
    return bytes;
  }
  return names.empty() ? old : oneOf(names);
}

void Mutation::changeScalar(const Place &place) {
  auto [message, field] = place;
  const Reflection *reflection = message->GetReflection();
  if (below(8) == 0)
    return reflection->ClearField(message, field);
  switch (field->cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32:
    return reflection->SetInt32(message, field,
                                int32_t(number(reflection->GetInt32(*message, field))));
  case FieldDescriptor::CPPTYPE_INT64:
    return reflection->SetInt64(message, field, number(reflection->GetInt64(*message, field)));
  case FieldDescriptor::CPPTYPE_UINT64:
    return reflection->SetUInt64(message, field,
                                 uint64_t(number(int64_t(reflection->GetUInt64(*message, field)))));
  case FieldDescriptor::CPPTYPE_FLOAT:
    return reflection->SetFloat(message, field, float(number(1)) * 0.5f);
  case FieldDescriptor::CPPTYPE_ENUM:
    return reflection->SetEnumValue(message, field, int(below(24)));
  case FieldDescriptor::CPPTYPE_STRING:
    return reflection->SetString(message, field,
                                 text(place, reflection->GetString(*message, field)));
  default:
    return;
  }
}

void Mutation::changeList(const Place &place) {
  auto [message, field] = place;
  const Reflection *reflection = message->GetReflection();
  int size = reflection->FieldSize(*message, field);
  int at = int(below(size_t(size)));
  if (size > 0 && below(4) == 0) {
    reflection->SwapElements(message, field, at, size - 1);
    return reflection->RemoveLast(message, field);
  }
  if (size > 1 && below(4) == 0)
    return reflection->SwapElements(message, field, at, int(below(size_t(size))));
  bool adds = size == 0 || below(3) == 0;
  switch (field->cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32:
    return adds ? reflection->AddInt32(message, field, int32_t(number(1)))
                : reflection->SetRepeatedInt32(message, field, at, int32_t(number(2)));
  case FieldDescriptor::CPPTYPE_INT64:
    return adds
               ? reflection->AddInt64(message, field, number(1))
               : reflection->SetRepeatedInt64(
                     message, field, at, number(reflection->GetRepeatedInt64(*message, field, at)));
  case FieldDescriptor::CPPTYPE_FLOAT:
    return adds ? reflection->AddFloat(message, field, float(number(1)))
                : reflection->SetRepeatedFloat(message, field, at, float(number(2)));
  case FieldDescriptor::CPPTYPE_STRING: {
    std::string old = size ? reflection->GetRepeatedString(*message, field, at) : std::string();
    return adds ? reflection->AddString(message, field, text(place, old))
                : reflection->SetRepeatedString(message, field, at, text(place, old));
  }
  case FieldDescriptor::CPPTYPE_MESSAGE:
    if (size > 0 && size < 1000) {
      Message *copy = reflection->MutableRepeatedMessage(message, field, at)->New();
      copy->CopyFrom(reflection->GetRepeatedMessage(*message, field, at));
      reflection->AddAllocatedMessage(message, field, copy);
    }
    return;
  default:
    return;
  }
}

void Mutation::changeMessage(const Place &place) {
  auto [message, field] = place;
  const Reflection *reflection = message->GetReflection();
  if (below(4) == 0)
    return reflection->ClearField(message, field);
  std::vector<Message *> alike;
  for (Message *other : messages)
    if (other->GetDescriptor() == field->message_type())
      alike.push_back(other);
  if (alike.empty())
    return;
  // A copy first: the source may be an ancestor of the place.
  std::string bytes;
  if (oneOf(alike)->SerializePartialToString(&bytes) && bytes.size() < (1u << 16))
    (void)reflection->MutableMessage(message, field)->ParsePartialFromString(bytes);
}

void Mutation::run() {
  Place place = places[below(places.size())];
  if (place.field->is_repeated())
    changeList(place);
  else if (place.field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
    changeMessage(place);
  else
    changeScalar(place);
}

void mutate(onnx::ModelProto &model, std::mt19937 &random) { Mutation(model, random).run(); }

} // namespace llmc::fuzz
