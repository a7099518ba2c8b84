// The functions of NCCL that Ravine calls, for ranks on one machine whose memory is the host's: each sum is
// made in shared memory, in order of rank, before the call returns. RAVINE_FAKE_NCCL_FAILS=RANK:CALL makes a
// rank fail in its so manieth sum, RAVINE_FAKE_NCCL_HANGS=RANK:CALL hang.
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { success = 0, system_error = 2, most_ranks = 8, slot_bytes = 1 << 16 };
enum { bytes = 0, float32 = 7, float64 = 8, bfloat16 = 9 };

typedef struct {
  char name[128];
} Id;

typedef struct {
  atomic_int arrived;
  atomic_uint met;
  char slots[most_ranks][slot_bytes];
} Shared;

typedef struct {
  Shared* shared;
  int ranks;
  int rank;
  int sums;
} Ranks;

static void meet(Ranks* ranks) {
  Shared* const shared = ranks->shared;
  const unsigned met = atomic_load(&shared->met);
  if (atomic_fetch_add(&shared->arrived, 1) + 1 == ranks->ranks) {
    atomic_store(&shared->arrived, 0);
    atomic_fetch_add(&shared->met, 1);
    return;
  }
  while (atomic_load(&shared->met) == met) sched_yield();
}

int ncclGetVersion(int* version) {
  *version = 22304;
  return success;
}

int ncclGetUniqueId(Id* id) {
  static atomic_int made;
  memset(id, 0, sizeof(*id));
  snprintf(id->name, sizeof(id->name), "/ravine-nccl-%d-%d", (int)getpid(), atomic_fetch_add(&made, 1));
  const int file = shm_open(id->name, O_CREAT | O_EXCL | O_RDWR, 0600);
  if (file < 0) return system_error;
  const int failed = ftruncate(file, sizeof(Shared));
  close(file);
  return failed ? system_error : success;
}

int ncclCommInitRank(Ranks** made, int count, Id id, int rank) {
  const int file = shm_open(id.name, O_RDWR, 0600);
  if (file < 0 || count > most_ranks) return system_error;
  Shared* const shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (shared == MAP_FAILED) return system_error;
  Ranks* const ranks = calloc(1, sizeof(Ranks));
  ranks->shared = shared;
  ranks->ranks = count;
  ranks->rank = rank;
  meet(ranks);
  if (rank == 0) shm_unlink(id.name);
  *made = ranks;
  return success;
}

int ncclCommAbort(Ranks* ranks) {
  munmap(ranks->shared, sizeof(Shared));
  free(ranks);
  return success;
}

int ncclCommGetAsyncError(Ranks* ranks, int* found) {
  (void)ranks;
  *found = success;
  return success;
}

const char* ncclGetErrorString(int status) {
  return status == success ? "no error" : "unhandled system error";
}

const char* ncclGetLastError(Ranks* ranks) {
  (void)ranks;
  return "the cable was pulled";
}

static float widened(uint16_t bits) {
  const uint32_t word = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &word, sizeof(value));
  return value;
}

static uint16_t rounded(float value) {
  uint32_t word;
  memcpy(&word, &value, sizeof(word));
  return (uint16_t)((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
}

static void add(const void* values, void* sums, size_t count, int type) {
  for (size_t i = 0; i < count; ++i) {
    if (type == float64) ((double*)sums)[i] += ((const double*)values)[i];
    if (type == float32) ((float*)sums)[i] += ((const float*)values)[i];
    if (type == bfloat16) {
      uint16_t* const sum = (uint16_t*)sums + i;
      *sum = rounded(widened(*sum) + widened(((const uint16_t*)values)[i]));
    }
  }
}

static int is_asked(const char* variable, const Ranks* ranks) {
  const char* const asked = getenv(variable);
  int rank = 0, call = 0;
  return asked != NULL && sscanf(asked, "%d:%d", &rank, &call) == 2 && ranks->rank == rank &&
         ranks->sums == call;
}

int ncclAllReduce(const void* sent, void* received, size_t count, int type, int operation, Ranks* ranks,
                  void* stream) {
  (void)stream;
  ++ranks->sums;
  while (is_asked("RAVINE_FAKE_NCCL_HANGS", ranks)) sleep(1);
  if (operation != 0 || is_asked("RAVINE_FAKE_NCCL_FAILS", ranks)) return system_error;
  const size_t element = type == float64 ? 8 : type == float32 ? 4 : 2;
  const size_t piece = slot_bytes / element;
  for (size_t done = 0; done < count; done += piece) {
    const size_t now = count - done < piece ? count - done : piece;
    memcpy(ranks->shared->slots[ranks->rank], (const char*)sent + done * element, now * element);
    meet(ranks);
    char* const to = (char*)received + done * element;
    memcpy(to, ranks->shared->slots[0], now * element);
    for (int rank = 1; rank < ranks->ranks; ++rank) add(ranks->shared->slots[rank], to, now, type);
    meet(ranks);
  }
  return success;
}

int ncclBroadcast(const void* sent, void* received, size_t count, int type, int root, Ranks* ranks,
                  void* stream) {
  (void)stream;
  if (type != bytes) return system_error;
  for (size_t done = 0; done < count; done += slot_bytes) {
    const size_t now = count - done < slot_bytes ? count - done : slot_bytes;
    if (ranks->rank == root) memcpy(ranks->shared->slots[0], (const char*)sent + done, now);
    meet(ranks);
    memcpy((char*)received + done, ranks->shared->slots[0], now);
    meet(ranks);
  }
  return success;
}

int ncclGroupStart(void) { return success; }
int ncclGroupEnd(void) { return success; }
