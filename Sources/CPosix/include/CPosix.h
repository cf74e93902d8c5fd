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
#include <unistd.h>

#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/statfs.h>

int accept4(int, struct sockaddr *restrict, socklen_t *restrict, int);
int pipe2(int *, int);
void *memmem(const void *, size_t, const void *, size_t);
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);

// Up to 15 characters.
static inline void msorch_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0UL, 0UL, 0UL);
}

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

static inline int msorch_pidfd_open(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}
#endif
