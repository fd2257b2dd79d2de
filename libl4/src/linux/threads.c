/*
 * threads.c - threads of the C library: clone, exit, and futexes to wait on
 *
 * T1  Every thread that came here has a record, found by its UTCB.
 * T2  A thread that has ended stays asleep until somebody reaps it: its stack may be unmapped, or
 *     its slot used anew, only when the kernel has no such thread any more. Before a stack is
 *     unmapped the dead are reaped.
 * T3  Who waits on a futex is on `waiting`; who takes it off raises its semaphore.
 */
#include "linux.h"
#include "threads.h"

#include <abi/env.h>
#include <l4/re/c/parent.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/c/util/kumem_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/factory.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/semaphore.h>
#include <l4/sys/task.h>
#include <l4/sys/thread.h>
#include <l4/util/util.h>
#include <src/lock.h>
#include <src/program.h>

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { /* Linux's numbers */
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_PRIVATE_FLAG = 128,
    FUTEX_CLOCK_REALTIME = 256,
    MAIN_TID = 1,
};

struct record {
    struct record *next;
    l4_utcb_t *utcb;
    l4_cap_idx_t thread; /* of those that we made; else L4_INVALID_CAP */
    l4_cap_idx_t semaphore; /* made when the thread first waits */
    int tid;
    bool dead;
    l4_umword_t tls; /* of L4 threads that the C library knows: thread pointer, else 0; */
    l4_cap_idx_t adopted; /* and the thread, which is not ours */
    l4_umword_t clear_tid; /* address of a word that is cleared when the thread ends */
    l4_addr_t stack;       /* what goes with the thread; size 0: nothing */
    l4_umword_t stack_size;
};

struct waiter {
    struct waiter *next;
    l4_umword_t address;
    struct record *record;
    bool woken;
};

static struct lock lock;
static struct record *records;
static struct waiter *waiting;
static int last_tid = MAIN_TID;
static l4_utcb_t *main_utcb;
static l4_umword_t list_lock; /* the C library's lock over its list of threads */

/*
 * pthread_create() prepares all that a thread needs, and then asks for the thread. While `by` is
 * the asking thread's UTCB, it gets none: an L4 thread, the one at utcb, takes its place.
 */
static struct {
    l4_utcb_t *by, *utcb;
} capture;

int linux_new_tid(void)
{
    return __atomic_add_fetch(&last_tid, 1, __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------------- records, with the lock held */

static struct record *record_new(l4_utcb_t *utcb)
{
    struct record *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->utcb = utcb;
    r->thread = r->semaphore = r->adopted = L4_INVALID_CAP;
    r->tid = utcb == main_utcb ? MAIN_TID : linux_new_tid();
    r->clear_tid = list_lock;
    r->next = records;
    records = r;
    return r;
}

static struct record *record_find(const l4_utcb_t *utcb)
{
    struct record *r = records;

    while (r && r->utcb != utcb)
        r = r->next;
    return r;
}

static struct record *record_own(void)
{
    struct record *r = record_find(l4_utcb());

    return r ? r : record_new(l4_utcb());
}

/* The thread leaves the kernel, its UTCB and its slots are free again. */
static void record_drop(struct record *r)
{
    struct record **p = &records;

    while (*p != r)
        p = &(*p)->next;
    *p = r->next;
    if (l4_is_valid_cap(r->thread)) {
        l4re_util_cap_free_um(r->thread);
        l4re_util_utcb_free(r->utcb);
    }
    l4re_util_cap_free_um(r->semaphore);
    free(r);
}

static void reap(void)
{
    struct record *r, *next;

    for (r = records; r; r = next) {
        struct linux_frame gone = {.rdi = r->stack, .rsi = r->stack_size};

        next = r->next;
        if (!r->dead)
            continue;
        record_drop(r);
        if (gone.rsi) {
            lock_drop(&lock); /* unmapping reaps, too */
            linux_munmap(&gone);
            lock_take(&lock);
            next = records;
        }
    }
}

void linux_reap(void)
{
    lock_take(&lock);
    reap();
    lock_drop(&lock);
}

bool linux_unmap_later(l4_addr_t start, l4_umword_t size)
{
    l4_addr_t here = (l4_addr_t)__builtin_frame_address(0);
    struct record *r;

    if (here - start >= size)
        return false;
    lock_take(&lock);
    r = record_own();
    if (r) {
        r->stack = start;
        r->stack_size = size;
    }
    lock_drop(&lock);
    return true;
}

/* ---------------------------------------------------------------- futexes */

static void wake_one(struct waiter **p)
{
    struct waiter *w = *p;

    *p = w->next;
    w->woken = true;
    l4_semaphore_up(w->record->semaphore);
}

/* Wake up to `wake` of those who wait at `address`, let up to `move` others wait at `to`. */
static long wake(l4_umword_t address, l4_umword_t count, l4_umword_t move, l4_umword_t to)
{
    struct waiter **p = &waiting;
    long woken = 0;

    while (*p) {
        if ((*p)->address == address && (l4_umword_t)woken < count) {
            wake_one(p);
            woken++;
            continue;
        }
        if ((*p)->address == address && move > 0) {
            (*p)->address = to;
            move--;
        }
        p = &(*p)->next;
    }
    return woken;
}

static bool semaphore_ready(struct record *r)
{
    if (!r)
        return false;
    if (l4_is_valid_cap(r->semaphore))
        return true;
    r->semaphore = l4re_util_cap_alloc();
    if (l4_is_valid_cap(r->semaphore) &&
        l4_error(l4_factory_create(l4re_env()->factory, L4_PROTO_SEMAPHORE, r->semaphore)) >= 0)
        return true;
    l4re_util_cap_free(r->semaphore);
    r->semaphore = L4_INVALID_CAP;
    return false;
}

/* Sleep until woken, or for the time. The lock is held before and after. */
static long sleep_on(struct waiter *w, l4_timeout_t timeout)
{
    struct waiter **p = &waiting;
    l4_cap_idx_t semaphore = w->record->semaphore;

    while (*p) /* the oldest first */
        p = &(*p)->next;
    *p = w;
    lock_drop(&lock);
    l4_semaphore_down(semaphore, timeout);
    lock_take(&lock);
    if (w->woken)
        return 0;
    for (p = &waiting; *p != w; p = &(*p)->next)
        ;
    *p = w->next;
    return -ETIMEDOUT;
}

static long wait(l4_umword_t address, int value, l4_timeout_t timeout)
{
    struct waiter w = {.address = address};
    long err;
    int seen;

    if (address % sizeof(seen))
        return -EINVAL;
    lock_take(&lock);
    w.record = record_own();
    if (linux_copy(&seen, (const void *)address, sizeof(seen))) {
        err = -EFAULT;
    } else if (seen != value) {
        err = -EAGAIN;
    } else if (!semaphore_ready(w.record)) {
        lock_drop(&lock); /* without kernel memory: look again, now and then */
        l4_ipc_sleep_ms(1);
        return 0;
    } else {
        /* A token that came just when an earlier wait gave up is taken first. */
        l4_semaphore_down(w.record->semaphore, L4_IPC_BOTH_TIMEOUT_0);
        err = sleep_on(&w, timeout);
    }
    lock_drop(&lock);
    return err;
}

static long timeout_get(l4_umword_t from, l4_timeout_t *timeout)
{
    enum { LONGEST_S = 1000, NS_PER_US = 1000, US_PER_S = 1000000 };
    struct timespec t;

    *timeout = L4_IPC_NEVER;
    if (from == 0)
        return 0;
    if (linux_copy(&t, (const void *)from, sizeof(t)))
        return -EFAULT;
    if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= (long)NS_PER_US * US_PER_S)
        return -EINVAL;
    if (t.tv_sec < LONGEST_S) /* longer is for ever: who waits that long looks again anyway */
        *timeout = l4_timeout(L4_IPC_TIMEOUT_NEVER,
                              l4_timeout_from_us((l4_umword_t)t.tv_sec * US_PER_S +
                                                 (l4_umword_t)t.tv_nsec / NS_PER_US));
    return 0;
}

long linux_futex(const struct linux_frame *f)
{
    l4_timeout_t timeout;
    long result;

    switch (f->rsi & ~(l4_umword_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) {
    case FUTEX_WAIT:
        result = timeout_get(f->r10, &timeout);
        return result ? result : wait(f->rdi, (int)f->rdx, timeout);
    case FUTEX_WAKE:
    case FUTEX_REQUEUE:
        lock_take(&lock);
        result = wake(f->rdi, f->rdx, (f->rsi & FUTEX_REQUEUE) == FUTEX_REQUEUE ? f->r10 : 0,
                      f->r8);
        lock_drop(&lock);
        return result;
    default:
        return -ENOSYS;
    }
}

/* ---------------------------------------------------------------- clone */

enum {
    CLONE_THREADS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                    CLONE_SYSVSEM,
    CLONE_WORDS = CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED,
};

/* The child returns from the same call, on its own stack. */
static long child_prepare(const struct linux_frame *f, l4_addr_t *sp)
{
    *sp = f->rsi - LINUX_RED_ZONE - sizeof(*f);
    return linux_copy((void *)*sp, f, sizeof(*f)) ? -EFAULT : 0;
}

static long child_start(const struct linux_frame *f, const struct record *r, l4_addr_t sp)
{
    const quire_env_page *page = (const quire_env_page *)QUIRE_ENV_ADDR;
    l4_sched_param_t param = l4_sched_param((unsigned)page->priority, 0);
    l4_cap_idx_t pager = l4_is_valid_cap(l4re_env()->rm) ? l4re_env()->rm : L4_INVALID_CAP;
    long err = l4_error(l4_factory_create_thread(l4re_env()->factory, r->thread));

    if (err < 0)
        return err;
    l4_thread_control_start();
    l4_thread_control_pager(pager);
    l4_thread_control_exc_handler(pager);
    l4_thread_control_bind(r->utcb, L4_BASE_TASK_CAP);
    if ((err = l4_error(l4_thread_control_commit_u(r->thread, l4_utcb()))) < 0 ||
        (err = l4_error(fiasco_amd64_set_fs(r->thread, f->r8, l4_utcb()))) < 0 ||
        (err = l4_error(l4_thread_ex_regs(r->thread, (l4_addr_t)linux_child, sp, 0))) < 0 ||
        (err = l4_error(l4_scheduler_run_thread(l4re_env()->scheduler, r->thread, &param))) < 0)
        return err;
    return 0;
}

static long child_make(const struct linux_frame *f)
{
    l4_utcb_t *utcb = l4re_util_utcb_alloc();
    struct record *r;
    l4_addr_t sp;
    int tid;

    if (!utcb)
        return -EAGAIN;
    r = record_new(utcb);
    if (!r) {
        l4re_util_utcb_free(utcb);
        return -EAGAIN;
    }
    tid = r->tid;
    r->clear_tid = f->rdi & CLONE_CHILD_CLEARTID ? f->r10 : 0;
    r->thread = l4re_util_cap_alloc();
    if (l4_is_invalid_cap(r->thread)) {
        l4re_util_utcb_free(utcb);
        record_drop(r);
        return -EAGAIN;
    }
    if (child_prepare(f, &sp) ||
        ((f->rdi & CLONE_PARENT_SETTID) && linux_copy((void *)f->rdx, &tid, sizeof(tid)))) {
        record_drop(r);
        return -EFAULT;
    }
    if (child_start(f, r, sp) < 0) {
        record_drop(r);
        return -EAGAIN;
    }
    return tid;
}

static long child_captured(const struct linux_frame *f)
{
    struct record *r = record_find(capture.utcb);

    if (!r)
        r = record_new(capture.utcb);
    if (!r)
        return -EAGAIN;
    r->clear_tid = f->r10;
    r->tls = f->r8;
    return r->tid;
}

static struct record *record_of(const l4_utcb_t *utcb)
{
    struct record *r;

    lock_take(&lock);
    reap();
    r = record_find(utcb);
    lock_drop(&lock);
    return r;
}

long linux_capture(int (*create)(void), l4_cap_idx_t thread, l4_utcb_t *utcb, l4_umword_t *tls)
{
    struct record *r = record_of(utcb);
    long err = 0;

    if (!r || !r->tls) {
        capture.utcb = utcb;
        capture.by = l4_utcb();
        err = create() ? -L4_ENOMEM : 0;
        capture.by = NULL;
        r = record_of(utcb);
    }
    if (err)
        return err;
    r->adopted = thread;
    *tls = r->tls;
    return 0;
}

l4_cap_idx_t linux_own_thread(void)
{
    l4_cap_idx_t thread = L4_INVALID_CAP;
    struct record *r;

    if (l4_utcb() == main_utcb)
        return l4re_env()->main_thread;
    lock_take(&lock);
    r = record_find(l4_utcb());
    if (r)
        thread = l4_is_valid_cap(r->thread) ? r->thread : r->adopted;
    lock_drop(&lock);
    return thread;
}

/* Threads only: a task cannot be copied. */
long linux_clone(const struct linux_frame *f)
{
    long tid;

    if ((f->rdi & ~(l4_umword_t)CLONE_WORDS) != CLONE_THREADS || l4_is_invalid_cap(l4re_env()->rm))
        return -ENOSYS;
    lock_take(&lock);
    reap();
    tid = capture.by == l4_utcb() ? child_captured(f) : child_make(f);
    lock_drop(&lock);
    return tid;
}

/* ---------------------------------------------------------------- the end */

/* Nothing of the stack is needed once the lock is free (T2). */
long linux_exit(const struct linux_frame *f)
{
    static const int zero;
    struct record *r;

    (void)f;
    lock_take(&lock);
    r = record_own();
    if (r) {
        linux_copy((void *)r->clear_tid, &zero, r->clear_tid ? sizeof(zero) : 0);
        wake(r->clear_tid, 1, 0, 0);
        r->dead = true;
    }
    lock_drop(&lock);
    l4_sleep_forever();
}

long linux_exit_group(const struct linux_frame *f)
{
    l4_program_end((int)(f->rdi & 0xff));
}

long linux_gettid(const struct linux_frame *f)
{
    struct record *r;

    (void)f;
    lock_take(&lock);
    r = record_own();
    lock_drop(&lock);
    return r ? r->tid : -ENOMEM;
}

long linux_set_tid_address(const struct linux_frame *f)
{
    struct record *r;

    if (list_lock == 0) { /* the first call is the C library's, before main() */
        list_lock = f->rdi;
        main_utcb = l4_utcb();
        return MAIN_TID;
    }
    lock_take(&lock);
    r = record_own();
    if (r)
        r->clear_tid = f->rdi;
    lock_drop(&lock);
    return r ? r->tid : -ENOMEM;
}

/* A signal to oneself, as abort() and raise() send it, ends the program. */
long linux_kill(const struct linux_frame *f)
{
    enum { SIGNAL_STATUS = 128 };

    if (f->rsi >= _NSIG)
        return -EINVAL;
    if (f->rsi != 0)
        l4_program_end(SIGNAL_STATUS + (int)f->rsi);
    return 0;
}
