// Linked into every executable of Scripts/sanitize address. Processes that tests start have an
// environment of their own, so the sanitizer's options are part of the binary.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

const void *__sanitizer_get_allocated_begin(const void *);
size_t __sanitizer_get_allocated_size_fast(const volatile void *);
void __lsan_ignore_object(const void *);
void __lsan_do_leak_check(void);
_Noreturn void __interceptor__exit(int status);

const char *__asan_default_options(void) {
    return "log_path=" REPORTS ":log_exe_name=1:external_symbolizer_path=" SYMBOLIZER
           ":detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0";
}

// A report is looked for when all is done: an exit code of its own would hide what a test sees.
const char *__lsan_default_options(void) { return "exitcode=0:print_suppressions=0"; }

// Foundation's Data(contentsOf:) forgets its buffer for files that claim to be empty, as /proc's do.
const char *__lsan_default_suppressions(void) { return "leak:readBytesFromFile\n"; }

// Foundation's Process copies names of /proc/self/fd at their greatest length, from where less was read.
const char *__asan_default_suppressions(void) {
    return "interceptor_via_fun:*findMaximumOpenFromProcSelfFD*\n";
}

// A leak is memory that no pointer leads to. Swift hides two kinds of pointers from the sanitizer:
// an enum keeps which case it is in the top byte and the lowest three bits of its object's address,
// and an object that has weak references keeps its side table's address, shifted, among its counts.
// So we look first, as the sanitizer does, but with open eyes, and tell it to leave alone what only
// a hidden pointer leads to. What nothing leads to at all, a circle of objects, say, is left to it.
#define ENUM_TAG UINT64_C(0xFF00000000000007)
#define SIDE_TABLE UINT64_C(0xC000000000000000)
// What the sanitizer allocates, but for the largest pieces, lies in one stretch, in a region for each
// size; those of 32 bytes, as the smallest have with their red zones, are the third.
#define HEAP_BYTES (UINT64_C(1) << 42)
#define REGION_BYTES (UINT64_C(1) << 36)
// Below lies the sanitizer's own shadow.
#define SHADOW_END UINT64_C(0x100080000000)
// Objects that are followed; what is beyond may be called a leak, and is not.
#define OBJECTS_MAX (UINT64_C(1) << 22)

static void *small;
static uint64_t heap;
static uintptr_t stack, *seen, *pending;
static uint64_t seen_count, pending_count;

static int is_new(uintptr_t object) {
    uint64_t place = object / 16 * UINT64_C(0x9E3779B97F4A7C15) >> 41;
    while (seen[place] && seen[place] != object) place = (place + 1) % (2 * OBJECTS_MAX);
    if (seen[place] || seen_count == OBJECTS_MAX) return 0;
    seen[place] = object;
    seen_count++;
    return 1;
}

static void follow(uint64_t address, int is_hidden) {
    if (address - heap >= HEAP_BYTES) return;
    const void *object = __sanitizer_get_allocated_begin((void *)(uintptr_t)address);
    if (!object) return;
    if (is_hidden && (uintptr_t)object == address) __lsan_ignore_object(object);
    if (is_new((uintptr_t)object)) pending[pending_count++] = (uintptr_t)object;
}

// Other threads may still run: what they unmap meanwhile must not end the search.
static void search(uintptr_t at, uintptr_t end) {
    static uint64_t words[8192];
    for (; at < end; at += sizeof words) {
        const size_t bytes = end - at < sizeof words ? end - at : sizeof words;
        const struct iovec here = {words, bytes}, there = {(void *)at, bytes};
        const ssize_t count = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
        for (ssize_t index = 0; index < count / 8; index++) {
            const uint64_t word = words[index];
            if ((word & SIDE_TABLE) == SIDE_TABLE) follow(word << 3 & ~ENUM_TAG, 1);
            follow(word & ~ENUM_TAG, (word & ENUM_TAG) != 0);
        }
    }
}

// Calls `body` with each stretch of memory that can be written to.
static void each_mapping(void (*body)(uintptr_t start, uintptr_t end)) {
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long start, end;
    char line[512], write;
    if (!maps) return;
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx r%c", &start, &end, &write) == 3 && write == 'w') body(start, end);
    }
    fclose(maps);
}

static void find_heap(uintptr_t start, uintptr_t end) {
    if (start <= (uintptr_t)small && (uintptr_t)small < end) heap = start - 2 * REGION_BYTES;
}

static void search_root(uintptr_t start, uintptr_t end) {
    if (start < SHADOW_END || start - heap < HEAP_BYTES) return;
    if (start <= (uintptr_t)seen && (uintptr_t)seen < end) return;
    // What calls that are over have left on the stack leads nowhere.
    search(start <= stack && stack < end ? stack : start, end);
}

static void search_all(void) {
    const size_t bytes = 3 * OBJECTS_MAX * sizeof *seen;
    __builtin_unwind_init();  // what callers keep in registers is on the stack from here on
    stack = (uintptr_t)__builtin_alloca(16);
    small = malloc(1);
    each_mapping(find_heap);
    free(small);
    seen = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (heap == 0 || seen == MAP_FAILED) return;
    pending = seen + 2 * OBJECTS_MAX;
    each_mapping(search_root);
    while (pending_count > 0) {
        const uintptr_t object = pending[--pending_count];
        search(object, object + __sanitizer_get_allocated_size_fast((void *)object));
    }
    munmap(seen, bytes);
}

// A test's process ends by exit(3): the sanitizer has asked to be called before us, and so is later.
__attribute__((constructor)) static void search_at_exit(void) { atexit(search_all); }

// msorch ends without the C library's last rites, and so without the search for leaks.
_Noreturn void _exit(int status) {
    search_all();
    __lsan_do_leak_check();
    __interceptor__exit(status);
}
