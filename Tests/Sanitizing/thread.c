// Linked into every executable of Scripts/sanitize thread. Processes that tests start have an
// environment of their own, so the sanitizer's options are part of the binary.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

void __tsan_acquire(void *);
void __tsan_release(void *);

// A report is looked for when all is done: an exit code of its own would hide what a test sees.
const char *__tsan_default_options(void) {
    return "log_path=" REPORTS ":log_exe_name=1:external_symbolizer_path=" SYMBOLIZER
           ":exitcode=0:history_size=4:second_deadlock_stack=1";
}

// `Synchronization.Mutex` takes and leaves its lock in code that is part of ours, unless another
// thread waits: then the rest is done in a library without a sanitizer, which would see no order
// between one holder and the next. These two tell of it, and leave the work to the library.
#define SELF __attribute__((swift_context)) void *self
#define SWIFT __attribute__((swiftcall))
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

SWIFT void lock_slowly(uint32_t thread, SELF) __asm__(LOCK);
SWIFT void unlock_slowly(SELF) __asm__(UNLOCK);

static SWIFT void (*lock)(uint32_t, SELF);
static SWIFT void (*unlock)(SELF);

__attribute__((constructor)) static void find_library(void) {
    lock = (SWIFT void (*)(uint32_t, SELF))dlsym(RTLD_NEXT, LOCK);
    unlock = (SWIFT void (*)(SELF))dlsym(RTLD_NEXT, UNLOCK);
    if (!lock || !unlock) __builtin_trap();
}

SWIFT void lock_slowly(uint32_t thread, SELF) {
    lock(thread, self);
    __tsan_acquire(self);
}

SWIFT void unlock_slowly(SELF) {
    __tsan_release(self);
    unlock(self);
}
