/*
 * calls.c - Linux's system call numbers, and what serves them
 */
#include "linux.h"

#include <l4/sys/thread.h>
#include <l4/util/util.h>
#include <sys/syscall.h>

#include <string.h>

static long linux_zero(const struct linux_frame *f)
{
    (void)f;
    return 0;
}

/* Nobody sends signals, so what is set is not kept: what was there is told as nothing. */
enum { SIGNAL_SET = 8, SIGNAL_ACTION = 32 }; /* bytes: Linux's, not the C library's */

static long nothing_before(const struct linux_frame *f, size_t size)
{
    static const char nothing[SIGNAL_ACTION];

    if (f->r10 != SIGNAL_SET)
        return -EINVAL;
    return f->rdx && linux_copy((void *)f->rdx, nothing, size) ? -EFAULT : 0;
}

static long linux_rt_sigaction(const struct linux_frame *f)
{
    return nothing_before(f, SIGNAL_ACTION);
}

static long linux_rt_sigprocmask(const struct linux_frame *f)
{
    return nothing_before(f, SIGNAL_SET);
}

static long linux_getpid(const struct linux_frame *f)
{
    (void)f;
    return 1;
}

static long linux_sched_yield(const struct linux_frame *f)
{
    (void)f;
    l4_thread_yield();
    return 0;
}

/* Until a signal comes. */
static long linux_pause(const struct linux_frame *f)
{
    (void)f;
    l4_sleep_forever();
}

typedef long linux_function(const struct linux_frame *f);

static linux_function *const calls[] = {
    [SYS_read] = linux_read,
    [SYS_write] = linux_write,
    [SYS_open] = linux_open,
    [SYS_close] = linux_close,
    [SYS_lseek] = linux_lseek,
    [SYS_mmap] = linux_mmap,
    [SYS_mprotect] = linux_mprotect,
    [SYS_munmap] = linux_munmap,
    [SYS_brk] = linux_zero, /* the break is at 0 and stays there: the C library takes mmap */
    [SYS_rt_sigaction] = linux_rt_sigaction,
    [SYS_rt_sigprocmask] = linux_rt_sigprocmask,
    [SYS_ioctl] = linux_ioctl,
    [SYS_readv] = linux_readv,
    [SYS_writev] = linux_writev,
    [SYS_sched_yield] = linux_sched_yield,
    [SYS_mremap] = linux_mremap,
    [SYS_madvise] = linux_madvise,
    [SYS_pause] = linux_pause,
    [SYS_nanosleep] = linux_nanosleep,
    [SYS_getpid] = linux_getpid,
    [SYS_clone] = linux_clone,
    [SYS_exit] = linux_exit,
    [SYS_kill] = linux_kill,
    [SYS_getuid] = linux_zero,
    [SYS_getgid] = linux_zero,
    [SYS_geteuid] = linux_zero,
    [SYS_getegid] = linux_zero,
    [SYS_gettid] = linux_gettid,
    [SYS_tkill] = linux_kill,
    [SYS_futex] = linux_futex,
    [SYS_set_tid_address] = linux_set_tid_address,
    [SYS_clock_gettime] = linux_clock_gettime,
    [SYS_clock_getres] = linux_clock_getres,
    [SYS_clock_nanosleep] = linux_clock_nanosleep,
    [SYS_exit_group] = linux_exit_group,
    [SYS_openat] = linux_openat,
};

/* What a message of the thread consists of, while it is being put together or read. */
struct message {
    l4_msg_regs_t msg;
    l4_umword_t bdr, br[4], error;
};

static void message_save(const l4_utcb_t *u, struct message *m)
{
    m->msg = u->msg;
    m->bdr = u->buf.bdr;
    memcpy(m->br, u->buf.br, sizeof(m->br));
    m->error = u->tcr.error;
}

static void message_restore(l4_utcb_t *u, const struct message *m)
{
    u->msg = m->msg;
    u->buf.bdr = m->bdr;
    memcpy(u->buf.br, m->br, sizeof(m->br));
    u->tcr.error = m->error;
}

long linux_call(struct linux_frame *f)
{
    l4_utcb_t *utcb = l4_utcb();
    struct message saved;
    long result;

    if (f->number >= sizeof(calls) / sizeof(calls[0]) || !calls[f->number])
        return -ENOSYS;
    message_save(utcb, &saved);
    utcb->buf.bdr = 0;
    result = calls[f->number](f);
    message_restore(utcb, &saved);
    return result;
}
