// What Swift's Glibc module lacks: whole headers, and thin wrappers where a call is variadic
// or a constant is a macro that Swift cannot import.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/stat.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

int accept4(int, struct sockaddr *restrict, socklen_t *restrict, int);
int pipe2(int *, int);
void *memmem(const void *, size_t, const void *, size_t);
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);

// Up to 15 characters.
static inline void msorch_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0UL, 0UL, 0UL);
}

static const int msorch_most_heaps = M_ARENA_MAX;

static inline int msorch_become_subreaper(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);
}

// How a process ended (wait(2)); the macros are C's alone.
static inline int msorch_exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
static inline int msorch_exit_signal(int status) {
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static inline void msorch_wake_up(int signal) { (void)signal; }

static inline int64_t msorch_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_OFD_SETLKW 38
#endif

// The gate before a lock: whoever waits for the flock holds it, and all others line up before it.
// All of them share the bell, from when they come until they have the lock: the gate alone is open
// for a moment whenever one has passed and the next is not yet awake. Both are another kind of lock
// on the same file (fcntl(2), open file description locks), on its first byte and its second.
enum { MSORCH_GATE = 0, MSORCH_BELL = 1 };

static inline int msorch_range_lock(int file, int place, int command, short kind) {
    struct flock range = {0};
    range.l_type = kind;
    range.l_whence = SEEK_SET;
    range.l_start = place;
    range.l_len = 1;
    const int result = fcntl(file, command, &range);
    return result != 0 ? result : command == F_OFD_GETLK && range.l_type != F_UNLCK;
}

static inline int msorch_has_waiters(int file) {
    return msorch_range_lock(file, MSORCH_BELL, F_OFD_GETLK, F_WRLCK) == 1;
}

// Passes the gate, and waits behind it for the exclusive flock. Neither call has a timeout: a
// timer's signal to this thread alone interrupts them, again and again, should it come just before
// the wait. 0; or -1, and errno is ETIMEDOUT when `milliseconds` have passed.
static inline int msorch_flock(int file, int milliseconds) {
    const int64_t deadline = msorch_milliseconds() + milliseconds;
    struct sigaction action = {0};
    struct sigevent event = {0};
    struct itimerspec times = {{0, 50 * 1000 * 1000}, {milliseconds / 1000, 0}};
    sigset_t wake_up, mask;
    timer_t timer;
    action.sa_handler = msorch_wake_up;
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN + 5;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    times.it_value.tv_nsec = (milliseconds % 1000) * 1000000L + 1;
    sigemptyset(&wake_up);
    sigaddset(&wake_up, event.sigev_signo);
    if (sigaction(event.sigev_signo, &action, 0) != 0) return -1;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return -1;
    pthread_sigmask(SIG_UNBLOCK, &wake_up, &mask);
    timer_settime(timer, 0, &times, 0);
    msorch_range_lock(file, MSORCH_BELL, F_OFD_SETLK, F_RDLCK);
    int result, error, passed = 0;
    do {
        if (!passed) {
            result = msorch_range_lock(file, MSORCH_GATE, F_OFD_SETLKW, F_WRLCK);
            error = errno;
            passed = result == 0;
        }
        if (passed) {
            result = flock(file, LOCK_EX);
            error = errno;
        }
        if (result != 0 && error == EINTR && msorch_milliseconds() >= deadline) error = ETIMEDOUT;
    } while (result != 0 && error == EINTR);
    if (passed) msorch_range_lock(file, MSORCH_GATE, F_OFD_SETLK, F_UNLCK);
    msorch_range_lock(file, MSORCH_BELL, F_OFD_SETLK, F_UNLCK);
    timer_delete(timer);
    pthread_sigmask(SIG_SETMASK, &mask, 0);
    errno = error;
    return result;
}

// Two files change places; the C library's own call wants a macro that Swift does not set.
static inline int msorch_exchange(const char *one, const char *other) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2U /* RENAME_EXCHANGE */);
}

// fstat(2) without the times. Who looks at those has Linux, from 6.13 on (multigrain timestamps),
// give the next write a time of its own: the inode changes, and each fdatasync writes it as well.
static inline int msorch_status(
    int file, uint64_t *size, uint64_t *device, uint64_t *inode, uint64_t *links, uint32_t *mode
) {
    struct statx found;
    const unsigned wanted = STATX_TYPE | STATX_NLINK | STATX_INO | STATX_SIZE;
    if (syscall(SYS_statx, file, "", 0x1000 /* AT_EMPTY_PATH */, wanted, &found) != 0) return -1;
    *size = found.stx_size;
    *device = makedev(found.stx_dev_major, found.stx_dev_minor);
    *inode = found.stx_ino;
    *links = found.stx_nlink;
    *mode = found.stx_mode;
    return 0;
}

// The whole file's pages begin to go to the disk. A hint: who must know calls fsync.
static inline int msorch_begin_sync(int file) {
    return (int)syscall(SYS_sync_file_range, file, 0L, 0L, 2U /* SYNC_FILE_RANGE_WRITE */);
}

static inline int msorch_pidfd_open(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}
#endif
