//===- SessionFile.cpp - sequences in a file ------------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is restored is read straight into blocks and slots that no sequence uses, which
// become sequences when the file has proved to be whole: no second copy in memory, and
// nothing to undo in the session. Files are read, not mapped: a file that somebody cuts
// meanwhile is an error then and not a signal.
//
//===----------------------------------------------------------------------===//

#include "SessionFile.h"

#include "Error.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llmc::runtime;

static constexpr uint8_t sessionMagic[8] = {'L', 'L', 'M', 'C', 'S', 'E', 'S', '\n'};
static constexpr uint32_t sessionVersion = 1;

//===----------------------------------------------------------------------===//
// Checksums
//===----------------------------------------------------------------------===//

static constexpr uint64_t fnvPrime = 0x100000001b3u;

void Checksum::update(const void *data, size_t sizeBytes) {
  auto *bytes = static_cast<const uint8_t *>(data);
  while (sizeBytes) {
    if (numPartial == 0) {
      for (; sizeBytes >= 8; bytes += 8, sizeBytes -= 8) {
        uint64_t word;
        std::memcpy(&word, bytes, 8);
        hash = (hash ^ word) * fnvPrime;
      }
      if (!sizeBytes)
        return;
    }
    partial |= uint64_t{*bytes++} << (8 * numPartial);
    --sizeBytes;
    if (++numPartial == 8) {
      hash = (hash ^ partial) * fnvPrime;
      partial = numPartial = 0;
    }
  }
}

uint64_t Checksum::value() const { return numPartial ? (hash ^ partial) * fnvPrime : hash; }

/// Differs between weights that differ in more than a few places, and touches few pages.
static uint64_t sampleWeights(const Weights &weights) {
  constexpr size_t numProbes = 256, probeBytes = 64;
  Checksum sum;
  if (weights.dataBytes <= numProbes * probeBytes) {
    sum.update(weights.data, weights.dataBytes);
    return sum.value();
  }
  size_t stride = (weights.dataBytes - probeBytes) / (numProbes - 1);
  for (size_t i = 0; i < numProbes; ++i)
    sum.update(weights.data + i * stride, probeBytes);
  return sum.value();
}

static uint64_t sumLayout(const llmc_module_desc_t &desc) {
  Checksum sum;
  auto number = [&](uint64_t value) { sum.update(&value, sizeof(value)); };
  auto text = [&](const char *value) {
    size_t size = value ? std::strlen(value) : 0;
    number(size);
    sum.update(value, size);
  };
  text(desc.name);
  number(desc.block_tokens);
  number(desc.num_states);
  for (uint32_t i = 0; i < desc.num_states; ++i) {
    const llmc_state_desc_t &state = desc.states[i];
    text(state.name);
    for (uint64_t value : {uint64_t{state.kind}, uint64_t{state.dtype}, state.bytes, state.window})
      number(value);
  }
  return sum.value();
}

/// The header with everything that the module decides.
static SessionFileHeader headerFor(const llmc_session &session) {
  SessionFileHeader header = {};
  std::memcpy(header.magic, sessionMagic, sizeof(sessionMagic));
  header.version = sessionVersion;
  header.headerBytes = sizeof(header);
  header.codeChecksum = session.module.codeChecksum;
  header.weightsChecksum = session.module.weights.headerChecksum;
  header.weightsSample = sampleWeights(session.module.weights);
  header.stateLayout = sumLayout(session.desc);
  header.vocabSize = session.desc.vocab_size;
  return header;
}

static uint64_t headerChecksum(const SessionFileHeader &header) {
  Checksum sum;
  sum.update(&header, offsetof(SessionFileHeader, headerChecksum));
  return sum.value();
}

/// The bytes that follow the header. False if they overflow.
static bool bodyBytes(const llmc_session &session, const SessionFileHeader &header,
                      uint64_t &total) {
  total = sizeof(uint64_t);
  auto add = [&](uint64_t count, uint64_t size) {
    uint64_t bytes;
    return !__builtin_mul_overflow(count, size, &bytes) &&
           !__builtin_add_overflow(total, bytes, &total);
  };
  bool isSane = add(header.numSequences, sizeof(SavedSequence)) &&
                add(header.numEntries, sizeof(int32_t)) &&
                add(header.numLogits, sizeof(uint32_t)) &&
                add(header.numLogits, header.vocabSize * sizeof(float));
  for (uint32_t i = 0; isSane && i < session.desc.num_states; ++i) {
    const llmc_state_desc_t &state = session.desc.states[i];
    isSane =
        add(state.kind == LLMC_STATE_BLOCKS ? header.numBlocks : header.numSequences, state.bytes);
  }
  return isSane;
}

namespace {

/// An open file and what was read or written so far.
class SummedFile {
public:
  ~SummedFile() {
    if (fd >= 0)
      close(fd);
    // Left behind by a save that failed.
    if (temporaryPath.size() && !isRenamed)
      unlink(temporaryPath.data());
  }

  ErrorWriter &fail(ErrorWriter &&writer, const char *what, const char *path, int reason) {
    return (writer << "cannot " << what << " '" << path << "': ").systemError(reason);
  }

  Checksum sum;
  int fd = -1;
  Array<char> temporaryPath;
  bool isRenamed = false;
};

//===----------------------------------------------------------------------===//
// Saving
//===----------------------------------------------------------------------===//

class Saver {
public:
  Saver(const llmc_session &session, StepRows saved, const char *path, llmc_error_t *error)
      : session(session), saved(saved), path(path), error(error) {}

  llmc_status_t save() {
    SessionFileHeader header = headerFor(session);
    if (llmc_status_t status = collect(header))
      return status;
    if (llmc_status_t status = open())
      return status;
    if (!put(&header, sizeof(header)))
      return failedWrite();
    file.sum = Checksum();
    if (!putBody(header))
      return failedWrite();
    uint64_t checksum = file.sum.value();
    if (!put(&checksum, sizeof(checksum)) || !flush() || fsync(file.fd) != 0)
      return failedWrite();
    if (rename(file.temporaryPath.data(), path) != 0) {
      int reason = errno;
      return file.fail(ErrorWriter(error, LLMC_STATUS_IO), "rename a file to", path, reason);
    }
    file.isRenamed = true;
    return LLMC_STATUS_OK;
  }

private:
  /// Numbers the blocks and completes the header.
  llmc_status_t collect(SessionFileHeader &header) {
    const BlockTable &blocks = session.blocks;
    const llmc_allocator_t &from = session.settings.allocator;
    for (size_t i = 0; i < saved.count; ++i)
      header.numEntries +=
          blocks.endBlock(saved.sequences[i]) - blocks.firstBlock(saved.sequences[i]);
    if (!fileNumbers.allocate(from, blocks.numBlocks()) ||
        !sessionBlocks.allocate(from, blocks.numBlocks()) ||
        !entries.allocate(from, header.numEntries) || !records.allocate(from, saved.count) ||
        !buffer.allocate(from, bufferBytes) || !logitsRows.allocate(from, session.logitsRows) ||
        !logitsOwners.allocate(from, session.logitsRows))
      return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory to save a session";
    size_t entry = 0;
    for (size_t i = 0; i < saved.count; ++i) {
      uint32_t sequence = saved.sequences[i];
      records[i] = {sequence, blocks.firstBlock(sequence),
                    static_cast<uint64_t>(session.lengths[sequence])};
      for (uint32_t place = blocks.firstBlock(sequence); place < blocks.endBlock(sequence);
           ++place) {
        int32_t block = blocks.row(sequence)[place];
        int32_t &number = fileNumbers[static_cast<size_t>(block)]; // 0: none yet
        if (!number) {
          sessionBlocks[header.numBlocks] = block;
          number = static_cast<int32_t>(++header.numBlocks);
        }
        entries[entry++] = number - 1;
      }
    }
    for (uint32_t row = 0; row < session.logitsRows; ++row)
      for (uint32_t i = 0; i < saved.count; ++i)
        if (saved.sequences[i] == session.logitsSequences[row]) {
          logitsRows[header.numLogits] = row;
          logitsOwners[header.numLogits++] = i;
        }
    header.numSequences = static_cast<uint32_t>(saved.count);
    header.fileBytes = 0;
    static_cast<void>(bodyBytes(session, header, header.fileBytes)); // it is all in memory
    header.fileBytes += sizeof(header);
    Checksum tables;
    tables.update(records.data(), records.size() * sizeof(SavedSequence));
    tables.update(entries.data(), entries.size() * sizeof(int32_t));
    tables.update(logitsOwners.data(), header.numLogits * sizeof(uint32_t));
    header.tableChecksum = tables.value();
    header.headerChecksum = headerChecksum(header);
    return LLMC_STATUS_OK;
  }

  llmc_status_t open() {
    static const char suffix[] = ".XXXXXX";
    size_t length = std::strlen(path);
    if (!file.temporaryPath.allocate(session.settings.allocator, length + sizeof(suffix)))
      return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory to save a session";
    std::memcpy(file.temporaryPath.data(), path, length);
    std::memcpy(file.temporaryPath.data() + length, suffix, sizeof(suffix));
    file.fd = mkostemp(file.temporaryPath.data(), O_CLOEXEC);
    if (file.fd >= 0)
      return LLMC_STATUS_OK;
    int reason = errno;
    file.isRenamed = true; // nothing to remove
    return file.fail(ErrorWriter(error, LLMC_STATUS_IO), "create a file beside", path, reason);
  }

  llmc_status_t failedWrite() {
    return file.fail(ErrorWriter(error, LLMC_STATUS_IO), "write", path, errno);
  }

  bool putBody(const SessionFileHeader &header) {
    if (!put(records.data(), records.size() * sizeof(SavedSequence)) ||
        !put(entries.data(), entries.size() * sizeof(int32_t)) ||
        !put(logitsOwners.data(), header.numLogits * sizeof(uint32_t)))
      return false;
    for (uint32_t s = 0; s < session.desc.num_states; ++s) {
      const llmc_state_desc_t &state = session.desc.states[s];
      bool isBlocks = state.kind == LLMC_STATE_BLOCKS;
      for (uint32_t i = 0; i < (isBlocks ? header.numBlocks : header.numSequences); ++i) {
        uint64_t place =
            isBlocks ? static_cast<uint64_t>(sessionBlocks[i]) : uint64_t{saved.sequences[i]};
        if (!put(session.slotAt(s, place), state.bytes))
          return false;
      }
    }
    uint64_t vocabulary = session.desc.vocab_size;
    for (uint32_t i = 0; i < header.numLogits; ++i)
      if (!put(session.logits.data() + logitsRows[i] * vocabulary, vocabulary * sizeof(float)))
        return false;
    return true;
  }

  bool put(const void *data, size_t sizeBytes) {
    file.sum.update(data, sizeBytes);
    if (buffered + sizeBytes > bufferBytes && !flush())
      return false;
    if (sizeBytes >= bufferBytes)
      return write(data, sizeBytes);
    if (sizeBytes)
      std::memcpy(buffer.data() + buffered, data, sizeBytes);
    buffered += sizeBytes;
    return true;
  }
  bool flush() {
    size_t count = buffered;
    buffered = 0;
    return write(buffer.data(), count);
  }
  bool write(const void *data, size_t sizeBytes) {
    auto *next = static_cast<const uint8_t *>(data);
    while (sizeBytes) {
      ssize_t count = ::write(file.fd, next, sizeBytes);
      if (count < 0 && errno == EINTR)
        continue;
      if (count <= 0)
        return false;
      next += count;
      sizeBytes -= static_cast<size_t>(count);
    }
    return true;
  }

  static constexpr size_t bufferBytes = size_t{1} << 16;

  const llmc_session &session;
  StepRows saved;
  const char *path;
  llmc_error_t *error;
  SummedFile file;
  Array<int32_t> fileNumbers;   ///< of each block of the session: its number here, from 1
  Array<int32_t> sessionBlocks; ///< the reverse, from 0
  Array<SavedSequence> records;
  Array<int32_t> entries;
  Array<uint32_t> logitsRows, logitsOwners;
  Array<uint8_t> buffer;
  size_t buffered = 0;
};

//===----------------------------------------------------------------------===//
// Restoring
//===----------------------------------------------------------------------===//

class Restorer {
public:
  Restorer(llmc_session &session, const char *path, llmc_error_t *error)
      : session(session), path(path), error(error) {}
  /// Gives back what a restore that failed has taken.
  ~Restorer() {
    for (size_t i = 0; i < numTaken; ++i)
      session.freeSequence(numbers[i]);
  }

  llmc_status_t restore(uint32_t *result, size_t capacity, size_t &count) {
    if (llmc_status_t status = open())
      return status;
    if (llmc_status_t status = readHeader())
      return status;
    if (result && capacity < header.numSequences)
      return ErrorWriter(error, LLMC_STATUS_INVALID_ARGUMENT)
             << "'" << path << "' has " << header.numSequences << " sequences, there is room for "
             << uint64_t{capacity} << " numbers";
    if (llmc_status_t status = readSequences())
      return status;
    if (llmc_status_t status = takeBlocks())
      return status;
    if (llmc_status_t status = readStates())
      return status;
    for (size_t i = 0; i < numTaken; ++i) {
      session.lengths[numbers[i]] = static_cast<int64_t>(sequences[i].length);
      if (result)
        result[i] = numbers[i];
    }
    session.logitsRows = header.numLogits;
    for (uint32_t i = 0; i < header.numLogits; ++i)
      session.logitsSequences[i] = numbers[logitsOwners[i]];
    if (logits.size())
      std::memcpy(session.logits.data(), logits.data(), logits.size() * sizeof(float));
    count = numTaken;
    numTaken = 0; // they stay
    return LLMC_STATUS_OK;
  }

private:
  ErrorWriter refuse(llmc_status_t code = LLMC_STATUS_BAD_SESSION_FILE) {
    ErrorWriter writer(error, code);
    writer << "session file '" << path << "' ";
    return writer;
  }
  llmc_status_t noMemory() {
    return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory to restore '" << path << "'";
  }

  llmc_status_t open() {
    // NONBLOCK: opening a pipe must not wait for its writer.
    file.fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int reason = errno;
    if (file.fd < 0)
      return file.fail(ErrorWriter(error, reason == ENOENT || reason == ENOTDIR
                                              ? LLMC_STATUS_NOT_FOUND
                                              : LLMC_STATUS_IO),
                       "open", path, reason);
    struct stat facts;
    if (fstat(file.fd, &facts) != 0 || !S_ISREG(facts.st_mode))
      return refuse() << "is not a regular file";
    fileBytes = static_cast<uint64_t>(facts.st_size);
    return LLMC_STATUS_OK;
  }

  llmc_status_t readHeader() {
    if (fileBytes < sizeof(header))
      return refuse() << "has " << fileBytes << " bytes: it is truncated or no session file";
    if (llmc_status_t status = get(&header, sizeof(header)))
      return status;
    if (std::memcmp(header.magic, sessionMagic, sizeof(sessionMagic)) != 0)
      return refuse() << "does not begin as session files do";
    if (header.version != sessionVersion || header.headerBytes != sizeof(header))
      return refuse(LLMC_STATUS_VERSION_MISMATCH)
             << "has version " << header.version << ", this runtime reads " << sessionVersion;
    if (header.headerChecksum != headerChecksum(header))
      return refuse() << "is corrupted: its header has another checksum";
    if (header.fileBytes != fileBytes)
      return refuse() << "has " << fileBytes << " of " << header.fileBytes
                      << " bytes: it is truncated or was appended to";
    SessionFileHeader mine = headerFor(session);
    if (header.codeChecksum != mine.codeChecksum || header.stateLayout != mine.stateLayout ||
        header.vocabSize != mine.vocabSize)
      return refuse(LLMC_STATUS_MODULE_MISMATCH)
             << "was saved by another module: its code has checksum " << Hex{header.codeChecksum}
             << ", that of '" << session.desc.name << "' " << Hex{mine.codeChecksum};
    if (header.weightsChecksum != mine.weightsChecksum ||
        header.weightsSample != mine.weightsSample)
      return refuse(LLMC_STATUS_MODULE_MISMATCH) << "was saved with other weights";
    uint64_t body = 0;
    if (!bodyBytes(session, header, body) || body + sizeof(header) != fileBytes)
      return refuse() << "contradicts itself: its parts do not sum up to its size";
    file.sum = Checksum();
    return LLMC_STATUS_OK;
  }

  /// Reads and checks everything but states and logits. Sizes are those of the file by
  /// now, which bounds what a crafted header can make this allocate.
  llmc_status_t readSequences() {
    const llmc_allocator_t &from = session.settings.allocator;
    if (header.numLogits > session.settings.maxBatch)
      return refuse(LLMC_STATUS_CAPACITY)
             << "has logits of " << header.numLogits << " sequences, the session takes batches of "
             << session.settings.maxBatch;
    if (!sequences.allocate(from, header.numSequences) ||
        !numbers.allocate(from, header.numSequences) ||
        !entries.allocate(from, header.numEntries) ||
        !sessionBlocks.allocate(from, header.numBlocks) ||
        !logitsOwners.allocate(from, header.numLogits) ||
        !logits.allocate(from, header.numLogits * header.vocabSize))
      return noMemory();
    if (llmc_status_t status = get(sequences.data(), sequences.size() * sizeof(SavedSequence)))
      return status;
    if (llmc_status_t status = get(entries.data(), entries.size() * sizeof(int32_t)))
      return status;
    if (llmc_status_t status = get(logitsOwners.data(), logitsOwners.size() * sizeof(uint32_t)))
      return status;
    if (file.sum.value() != header.tableChecksum)
      return refuse() << "is corrupted: its list of sequences has another checksum";
    uint64_t total = 0;
    for (const SavedSequence &sequence : sequences) {
      if (sequence.length > session.settings.maxSeq)
        return refuse(LLMC_STATUS_CAPACITY)
               << "has a sequence of " << sequence.length << " tokens, the session's max_seq is "
               << session.settings.maxSeq;
      uint64_t end = session.blocks.blocksFor(sequence.length);
      if (session.desc.block_tokens
              ? sequence.firstBlock >
                    session.blocks.firstNeeded(sequence.length) / session.desc.block_tokens
              : sequence.firstBlock != 0)
        return refuse() << "contradicts itself: tokens of a sequence are missing";
      total += end - sequence.firstBlock;
    }
    uint64_t next = 0;
    for (int32_t entry : entries) {
      if (entry < 0 || static_cast<uint64_t>(entry) > next)
        return refuse() << "contradicts itself: it lists block " << entry << " before " << next;
      next += static_cast<uint64_t>(entry) == next;
    }
    if (total != header.numEntries || next != header.numBlocks)
      return refuse() << "contradicts itself: its sequences have other numbers of blocks";
    for (uint32_t owner : logitsOwners)
      if (owner >= header.numSequences)
        return refuse() << "contradicts itself: it has logits of a sequence that it lacks";
    return LLMC_STATUS_OK;
  }

  /// The sequence's old number where that is not in use, or the lowest free one.
  llmc_status_t takeNumber(uint32_t wanted, uint32_t &number) {
    if (wanted >= session.isUsed.size() || session.isUsed[wanted])
      return session.takeSequence(number, error);
    session.isUsed[wanted] = 1;
    number = wanted;
    return LLMC_STATUS_OK;
  }

  llmc_status_t takeBlocks() {
    if (header.numBlocks > session.blocks.numFree())
      return refuse(LLMC_STATUS_CAPACITY)
             << "has " << header.numBlocks << " cache blocks, the session has "
             << session.blocks.numFree() << " free";
    size_t entry = 0;
    uint64_t next = 0;
    for (const SavedSequence &sequence : sequences) {
      if (llmc_status_t status = takeNumber(sequence.number, numbers[numTaken]))
        return status;
      uint32_t number = numbers[numTaken++];
      session.blocks.openRow(number, sequence.firstBlock);
      for (uint64_t end = session.blocks.blocksFor(sequence.length), place = sequence.firstBlock;
           place < end; ++place) {
        auto block = static_cast<size_t>(entries[entry++]);
        if (block < next) {
          session.blocks.pushShared(number, sessionBlocks[block]);
          continue;
        }
        if (!session.blocks.push(number))
          return refuse(LLMC_STATUS_CAPACITY) << "has more cache blocks than the session";
        sessionBlocks[next++] = session.blocks.row(number)[place];
      }
    }
    return LLMC_STATUS_OK;
  }

  llmc_status_t readStates() {
    for (uint32_t s = 0; s < session.desc.num_states; ++s) {
      const llmc_state_desc_t &state = session.desc.states[s];
      bool isBlocks = state.kind == LLMC_STATE_BLOCKS;
      for (uint32_t i = 0; i < (isBlocks ? header.numBlocks : header.numSequences); ++i) {
        uint64_t place = isBlocks ? static_cast<uint64_t>(sessionBlocks[i]) : uint64_t{numbers[i]};
        if (llmc_status_t status = get(session.slotAt(s, place), state.bytes))
          return status;
      }
    }
    if (llmc_status_t status = get(logits.data(), logits.size() * sizeof(float)))
      return status;
    uint64_t expected = file.sum.value(), found = 0;
    if (llmc_status_t status = get(&found, sizeof(found)))
      return status;
    if (found != expected)
      return refuse() << "is corrupted: its contents have checksum " << Hex{expected}
                      << ", expected " << Hex{found};
    return LLMC_STATUS_OK;
  }

  llmc_status_t get(void *data, size_t sizeBytes) {
    auto *next = static_cast<uint8_t *>(data);
    for (size_t left = sizeBytes; left;) {
      ssize_t count = ::read(file.fd, next, left);
      if (count < 0 && errno == EINTR)
        continue;
      if (count < 0)
        return file.fail(ErrorWriter(error, LLMC_STATUS_IO), "read", path, errno);
      if (count == 0)
        return refuse() << "ends early: it was cut while it was read";
      next += count;
      left -= static_cast<size_t>(count);
    }
    file.sum.update(data, sizeBytes);
    return LLMC_STATUS_OK;
  }

  llmc_session &session;
  const char *path;
  llmc_error_t *error;
  SummedFile file;
  uint64_t fileBytes = 0;
  SessionFileHeader header = {};
  Array<SavedSequence> sequences;
  Array<int32_t> entries;
  Array<int32_t> sessionBlocks; ///< of each block of the file
  Array<uint32_t> logitsOwners;
  Array<float> logits;
  Array<uint32_t> numbers; ///< of each sequence of the file in this session
  size_t numTaken = 0;
};

} // namespace

llmc_status_t llmc::runtime::saveSequences(const llmc_session &session, StepRows saved,
                                           const char *path, llmc_error_t *error) {
  return Saver(session, saved, path, error).save();
}

llmc_status_t llmc::runtime::restoreSequences(llmc_session &session, const char *path,
                                              uint32_t *numbers, size_t capacity, size_t &count,
                                              llmc_error_t *error) {
  return Restorer(session, path, error).restore(numbers, capacity, count);
}
