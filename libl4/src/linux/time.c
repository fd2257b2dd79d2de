/*
 * time.c - clocks: all of them count from the start of the machine
 */
#include "linux.h"

#include <l4/sys/ipc.h>
#include <l4/sys/kip.h>
#include <l4/util/rdtsc.h>

#include <time.h>

enum { NS_PER_S = 1000000000, NS_PER_US = 1000, CLOCKS = 12 };

static l4_uint64_t now_ns(void)
{
    return l4_kip()->frequency_cpu ? l4_tsc_to_ns(l4_rdtsc()) : l4_kip_clock_ns(l4_kip());
}

static long time_put(l4_umword_t to, l4_uint64_t ns)
{
    struct timespec t = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};

    return linux_copy((void *)to, &t, sizeof(t)) ? -EFAULT : 0;
}

long linux_clock_gettime(const struct linux_frame *f)
{
    return f->rdi < CLOCKS ? time_put(f->rsi, now_ns()) : -EINVAL;
}

long linux_clock_getres(const struct linux_frame *f)
{
    if (f->rdi >= CLOCKS)
        return -EINVAL;
    return f->rsi ? time_put(f->rsi, 1) : 0;
}

/* Nanoseconds in the caller's struct timespec, as far as 63 bits go. */
static long time_get(l4_umword_t from, l4_uint64_t *ns)
{
    struct timespec t;

    if (linux_copy(&t, (const void *)from, sizeof(t)))
        return -EFAULT;
    if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= NS_PER_S)
        return -EINVAL;
    if (__builtin_mul_overflow((l4_uint64_t)t.tv_sec, (l4_uint64_t)NS_PER_S, ns) ||
        __builtin_add_overflow(*ns, (l4_uint64_t)t.tv_nsec, ns))
        *ns = ~0UL >> 1;
    return 0;
}

static void sleep_until(l4_uint64_t end)
{
    enum { STEP_US = 1000000000 }; /* a timeout has a range; nobody notices that it is many */
    l4_uint64_t now;

    while ((now = now_ns()) < end) {
        l4_uint64_t us = (end - now + NS_PER_US - 1) / NS_PER_US;

        l4_ipc_sleep_us(us < STEP_US ? us : STEP_US);
    }
}

long linux_nanosleep(const struct linux_frame *f)
{
    l4_uint64_t ns;
    long err = time_get(f->rdi, &ns);

    if (!err)
        sleep_until(now_ns() + ns);
    return err;
}

long linux_clock_nanosleep(const struct linux_frame *f)
{
    l4_uint64_t ns;
    long err = f->rdi < CLOCKS ? time_get(f->rdx, &ns) : -EINVAL;

    if (!err)
        sleep_until((f->rsi & TIMER_ABSTIME ? 0 : now_ns()) + ns);
    return err;
}
