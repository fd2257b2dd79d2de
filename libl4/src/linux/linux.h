/*
 * linux.h - what the C library expects of Linux, served in the program itself
 *
 *   entry.S    the way in and out       start.c    before main(): what the C library finds
 *   calls.c    numbers to functions     bare.c     programs without a region manager
 *   files.c    log, files of the rom    memory.c   mmap and its kin
 *   time.c     clocks                   threads.c  clone, exit, futex
 *   adopt.c    threads of L4            ahead.c    look-ahead
 *
 * A call runs in the thread that made it (common/foreign.h).
 *
 * L1  A call changes no register but rax, rcx and r11, and no word of the thread's UTCB.
 * L2  The caller's memory is touched by linux_copy() only: a bad pointer is -EFAULT.
 * L3  What is not served is -ENOSYS.
 */
#pragma once

#include <l4/sys/types.h>
#include <l4/sys/utcb.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* The caller's registers, as entry.S lays them out. */
struct linux_frame {
    l4_umword_t r9, r8, r10, rdx, rsi, rdi;
    l4_umword_t number; /* rax */
    l4_umword_t ip;
    l4_umword_t flags;
};

enum { LINUX_RED_ZONE = 128 };

void linux_entry(void);
void linux_child(void);
extern const char linux_copy_at[];

/* How many bytes could not be copied. */
size_t linux_copy(void *to, const void *from, size_t n);

/* One call: what it returns, or -E... */
long linux_call(struct linux_frame *f);

/* start.c */
/* For programs without a region manager: a thread of our own is the exception handler. */
long linux_bare_start(void);

/* files.c */
long linux_read(const struct linux_frame *f);
long linux_write(const struct linux_frame *f);
long linux_readv(const struct linux_frame *f);
long linux_writev(const struct linux_frame *f);
long linux_open(const struct linux_frame *f);
long linux_openat(const struct linux_frame *f);
long linux_close(const struct linux_frame *f);
long linux_lseek(const struct linux_frame *f);
long linux_ioctl(const struct linux_frame *f);

/* memory.c */
long linux_mmap(const struct linux_frame *f);
long linux_munmap(const struct linux_frame *f);
long linux_mremap(const struct linux_frame *f);
long linux_mprotect(const struct linux_frame *f);
long linux_madvise(const struct linux_frame *f);

/* time.c */
long linux_clock_gettime(const struct linux_frame *f);
long linux_clock_getres(const struct linux_frame *f);
long linux_nanosleep(const struct linux_frame *f);
long linux_clock_nanosleep(const struct linux_frame *f);

/* threads.c */
long linux_clone(const struct linux_frame *f);
long linux_exit(const struct linux_frame *f);
long linux_exit_group(const struct linux_frame *f);
long linux_futex(const struct linux_frame *f);
long linux_gettid(const struct linux_frame *f);
long linux_set_tid_address(const struct linux_frame *f);
long linux_kill(const struct linux_frame *f);
/* A range that the calling thread stands on goes when the thread has ended. False: it does not. */
bool linux_unmap_later(l4_addr_t start, l4_umword_t size);
/* Threads that have ended leave the kernel, before their stacks do. */
void linux_reap(void);
