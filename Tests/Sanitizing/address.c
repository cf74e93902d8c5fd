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
size_t __sanitizer_get_allocated_size(const volatile void *);
void __lsan_ignore_object(const void *);
void __lsan_do_leak_check(void);
_Noreturn void __interceptor__exit(int status);

const char *__asan_default_options(void) {
    return "log_path=" REPORTS ":log_exe_name=1:external_symbolizer_path=" SYMBOLIZER
           ":detect_leaks=1:strict_string_checks=1";
}

// A report is looked for when all is done: an exit code of its own would hide what a test sees.
const char *__lsan_default_options(void) { return "exitcode=0:print_suppressions=0"; }

// Foundation's Data(contentsOf:) forgets its buffer for files that claim to be empty, as /proc's do.
const char *__lsan_default_suppressions(void) { return "leak:readBytesFromFile\n"; }

// A leak is memory that no pointer leads to. Swift hides two kinds of pointers from the sanitizer:
// an enum keeps which case it is in the top byte and the lowest three bits of its object's address,
// and an object that has weak references keeps its side table's address, shifted, among its counts.
// So we look first, as the sanitizer does, but with open eyes, and tell it to leave alone what only
// a hidden pointer leads to. What nothing leads to at all, a circle of objects, say, is left to it.
#define ENUM_TAG UINT64_C(0xFF00000000000007)
#define SIDE_TABLE UINT64_C(0xC000000000000000)
#define HEAP UINT64_C(0x600000000000)
#define HEAP_END UINT64_C(0x640000000000)
// Below lies the sanitizer's own shadow.
#define SHADOW_END UINT64_C(0x100080000000)
// Objects that are followed; what is beyond may be called a leak, and is not.
#define OBJECTS_MAX (UINT64_C(1) << 22)

static uintptr_t *seen, *pending;
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
    if (address < HEAP || address >= HEAP_END) return;
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

static void search_all(void) {
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    const size_t bytes = 3 * OBJECTS_MAX * sizeof *seen;
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long start, end;
    char line[512], write;
    if (!maps) return;
    seen = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pending = seen + 2 * OBJECTS_MAX;
    while (seen != MAP_FAILED && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx r%c", &start, &end, &write) != 3 || write != 'w') continue;
        if (start < SHADOW_END || (start >= HEAP && start < HEAP_END)) continue;
        if (start <= (uintptr_t)seen && (uintptr_t)seen < end) continue;
        // What calls that are over have left on the stack leads nowhere.
        if (start <= here && here < end) start = here;
        search(start, end);
    }
    fclose(maps);
    while (pending_count > 0) {
        const uintptr_t object = pending[--pending_count];
        search(object, object + __sanitizer_get_allocated_size((void *)object));
    }
    if (seen != MAP_FAILED) munmap(seen, bytes);
}

// A test's process ends by exit(3): the sanitizer has asked to be called before us, and so is later.
__attribute__((constructor)) static void search_at_exit(void) { atexit(search_all); }

// msorch ends without the C library's last rites, and so without the search for leaks.
_Noreturn void _exit(int status) {
    search_all();
    __lsan_do_leak_check();
    __interceptor__exit(status);
}
