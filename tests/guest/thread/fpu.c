/*
 * thread/fpu.c - the FPU's state (x87, MMX, SSE) belongs to the thread
 *
 * The kernel switches it only for threads that have used the FPU. That is not to be seen: neither
 * by the first use of a thread, nor by what somebody else left.
 */
#include "seen.h"
#include "sets.h"

enum { TRAP_CALL = 0x100 };

struct fpu_image {
    l4_uint8_t byte[512];
} __attribute__((aligned(16)));

static struct fpu_image images[4];

static void save(void *arg)
{
    __asm__ volatile("fxsave (%0)" : : "r"(arg) : "memory");
}

/* Leaves a value of its own in every register. */
static void fill(void *arg)
{
    struct fpu_image *f = arg;

    __asm__ volatile("fxrstor (%0)" : : "r"(f) : "memory");
    for (;;)
        __asm__ volatile("" : : : "memory");
}

static void fill_image(struct fpu_image *f, l4_uint8_t name)
{
    memset(f, name, sizeof(*f));
    *(l4_uint16_t *)&f->byte[0] = 0x0f7f;  /* control */
    *(l4_uint16_t *)&f->byte[2] = 0x3841;  /* status: top, conditions, invalid */
    *(l4_uint16_t *)&f->byte[4] = 0x00ff;  /* all registers full */
    *(l4_uint32_t *)&f->byte[24] = 0xffbf; /* MXCSR: flush, round, all masks, all flags */
}

static void expect_initial(const struct fpu_image *f)
{
    expect_eq(*(const l4_uint16_t *)&f->byte[0], 0x37f);
    expect_eq(*(const l4_uint16_t *)&f->byte[2], 0);
    expect_eq(f->byte[4], 0);
    expect_eq(*(const l4_uint32_t *)&f->byte[24], 0x1f80);
    for (unsigned i = 6; i < 24; i++)
        expect_eq(f->byte[i], 0);
    for (unsigned i = 32; i < 416; i++)
        if (!expect_eq(f->byte[i], 0))
            break;
}

/* An emulator need not write all of an image. */
static struct fpu_image *empty_image(unsigned i)
{
    memset(&images[i], 0, sizeof(images[i]));
    return &images[i];
}

/* Whatever ran before, a new thread finds the state after reset. */
static void first_run(void)
{
    struct child *a = child_new(), *b = child_new();

    fill_image(&images[0], 0xa5);
    a->priority = 20;
    child_run(a, fill, &images[0]);
    l4_ipc_sleep_ms(2);
    child_run(b, save, empty_image(1));
    expect(b->finished);
    expect_initial(&images[1]);
}

struct keep {
    struct fpu_image in, out;
    volatile l4_umword_t wrong, rounds;
    volatile bool stop;
};

static void keep(void *arg)
{
    struct keep *k = arg;

    __asm__ volatile("fxrstor (%0)" : : "r"(&k->in) : "memory");
    while (!k->stop) {
        unsigned bad = 0;

        __asm__ volatile("fxsave (%0)" : : "r"(&k->out) : "memory");
        for (unsigned i = 0; i < 416 / 8; i++) /* in general registers only */
            bad += ((volatile l4_umword_t *)&k->out)[i] != ((volatile l4_umword_t *)&k->in)[i];
        k->wrong += bad;
        k->rounds++;
    }
}

/* Three threads, two tasks, other values and modes each, preempted at any place. */
static void kept(void)
{
    static struct keep keeps[3];
    struct child *c[3] = {child_new(), child_new(), NULL};

    c[2] = child_thread(c[0], 1);
    for (unsigned i = 0; i < 3; i++) {
        memset(&keeps[i], 0, sizeof(keeps[i]));
        fill_image(&images[3], (l4_uint8_t)(0x11 * (i + 1)));
        *(l4_uint32_t *)&images[3].byte[24] = 0x1f80 | i << 13;
        __asm__ volatile("fxrstor %0; fxsave %1" : : "m"(images[3]), "m"(keeps[i].in) : "memory");
        c[i]->priority = 20;
        child_run(c[i], keep, &keeps[i]);
        child_priority(c[i], 20, TICK_US);
    }
    __asm__ volatile("fninit; ldmxcsr %0" : : "m"((l4_uint32_t){0x1f80}));
    l4_ipc_sleep_ms(20);
    for (unsigned i = 0; i < 3; i++) {
        keeps[i].stop = true;
        expect(keeps[i].rounds > 10);
        expect_eq(keeps[i].wrong, 0);
    }
    l4_ipc_sleep_ms(8);
}

/* ---- the first use ---- */

struct registers {
    l4_umword_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
};

struct registers use_in, use_out;
void use_run(void *how);

#define EACH(X)                                                                                    \
    X(rax, 0) X(rbx, 8) X(rcx, 16) X(rdx, 24) X(rsi, 32) X(rdi, 40) X(rbp, 48) X(r8, 56)           \
    X(r9, 64) X(r10, 72) X(r11, 80) X(r12, 88) X(r13, 96) X(r14, 104) X(r15, 112)
#define LOAD(name, at) "mov use_in + " #at ", %" #name "\n"
#define STORE(name, at) "mov %" #name ", use_out + " #at "\n"
__asm__(".globl use_run\n"
        "use_run:\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "    mov %rdi, use_how\n"
        "    push use_in + 120; popf\n"
        EACH(LOAD)
        "    call *use_how\n"
        EACH(STORE)
        "    pushf; pop use_out + 120\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "    ret\n"
        ".globl use_sse, use_x87, use_mmx, use_wait, use_mode, use_image\n"
        "use_sse: pxor %xmm15, %xmm15; ret\n"
        "use_x87: fld1; fstp %st(0); ret\n"
        "use_mmx: pxor %mm7, %mm7; emms; ret\n"
        "use_wait: fwait; ret\n"
        "use_mode: ldmxcsr use_mxcsr; ret\n"
        "use_image: fxsave use_space; ret\n");

void (*use_how)(void);
l4_uint32_t use_mxcsr = 0x1f80;
struct fpu_image use_space;
void use_sse(void);
void use_x87(void);
void use_mmx(void);
void use_wait(void);
void use_mode(void);
void use_image(void);

static void check_use(struct child *c, void (*how)(void))
{
    l4_umword_t *w = (l4_umword_t *)&use_in;

    for (unsigned i = 0; i < sizeof(use_in) / 8; i++)
        w[i] = 0xf10a000000000000UL + 0x1010101UL * i;
    use_in.flags = 0x202 | 0x8d5; /* all arithmetic flags */
    memset(&use_out, 0, sizeof(use_out));
    child_run(c, use_run, (void *)how);
    expect(c->finished);
    expect(memcmp(&use_in, &use_out, sizeof(use_in)) == 0);
}

/* No handler learns of it, no register changes: in ordinary threads, and in aliens. */
static void first_use(void)
{
    void (*const ways[])(void) = {use_sse, use_x87, use_mmx, use_wait, use_mode, use_image};

    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct child *c = watched_child(), *alien = watched_child();

        check_use(c, ways[i]);
        expect(!seen_next().any);
        l4_thread_control_start();
        l4_thread_control_alien(1);
        expect_eq(l4_error(l4_thread_control_commit(alien->thread)), 0);
        check_use(alien, ways[i]);
        expect_eq(seen_exception().regs.trapno, TRAP_CALL); /* its sleep, behind all that */
        slots_empty();
        children_reset();
    }
}

/* ---- what is left to the next thread: nothing ---- */

static volatile bool go;

static void wait_and_save(void *arg)
{
    while (!go)
        __asm__ volatile("" : : : "memory");
    save(arg);
}

/* They take turns for a while before the one uses the FPU at all. */
static void turns(void)
{
    struct child *dirty = child_new(), *same = child_thread(dirty, 1), *other = child_new();

    go = false;
    fill_image(&images[0], 0xa5);
    dirty->priority = same->priority = other->priority = 20;
    child_run(dirty, fill, &images[0]);
    child_run(same, wait_and_save, empty_image(1));
    child_run(other, wait_and_save, empty_image(2));
    child_priority(dirty, 20, TICK_US);
    child_priority(same, 20, TICK_US);
    child_priority(other, 20, TICK_US);
    l4_ipc_sleep_ms(10);
    go = true;
    l4_ipc_sleep_ms(10);
    expect(same->finished && other->finished);
    expect_initial(&images[1]);
    expect_initial(&images[2]);
}

static void end_itself(void *arg)
{
    __asm__ volatile("fxrstor (%0)" : : "r"(arg) : "memory");
    destroy(CHILD_CAP(3));
}

/* The thread whose state is loaded is killed, by another one or by itself. */
static void killed(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new(), *d = child_new();

    fill_image(&images[0], 0xa5);
    a->priority = 20;
    child_run(a, fill, &images[0]);
    l4_ipc_sleep_ms(2);
    expect_eq(destroy(a->thread), 0);
    child_run(b, save, empty_image(1));
    expect(b->finished);
    expect_initial(&images[1]);
    d->priority = 30; /* runs when c is gone, before anybody else has */
    go = true;
    own_priority(PRIO_CHILD + 10);
    child_run(d, wait_and_save, empty_image(2));
    expect_eq(give(c, c->thread, CHILD_CAP(3), L4_CAP_FPAGE_RWSD), 0);
    child_run(c, end_itself, &images[0]);
    l4_ipc_sleep_ms(5);
    own_priority(PRIO_TEST);
    expect(d->finished && !c->finished);
    expect_initial(&images[2]);
}

/* The state belongs to the thread, wherever ex_regs makes it go on. */
static void redirected(void)
{
    struct child *used = child_new(), *fresh = child_new();
    struct fpu_image *in = empty_image(3);

    fill_image(&images[0], 0x3c);
    __asm__ volatile("fxrstor %1; fxsave %0" : "=m"(*in) : "m"(images[0]));
    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(use_mxcsr));
    used->priority = fresh->priority = 20;
    go = false;
    child_run(used, fill, in);
    l4_ipc_sleep_ms(2);
    child_run(used, save, empty_image(1));
    child_run(fresh, wait_and_save, empty_image(2));
    l4_ipc_sleep_ms(2);
    child_run(fresh, save, empty_image(2));
    l4_ipc_sleep_ms(4);
    expect(used->finished && fresh->finished);
    expect(memcmp(&images[1], in, 416) == 0);
    expect_initial(&images[2]);
}

/* ---- messages between threads of both kinds ---- */

static struct fpu_image *server_image;

static void serve(void *rounds)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;

    l4_ipc_wait(u, &label, L4_IPC_NEVER);
    for (l4_umword_t i = 0; i < (l4_umword_t)rounds; i++)
        l4_ipc_reply_and_wait(u, l4_msgtag(0, 1, 0, 0), &label, L4_IPC_NEVER);
    save(server_image);
    l4_ipc_reply_and_wait(u, l4_msgtag(0, 1, 0, 0), &label, L4_IPC_NEVER);
}

static void call_between(void *arg)
{
    struct keep *k = arg;

    __asm__ volatile("fxrstor (%0)" : : "r"(&k->in) : "memory");
    for (k->rounds = 0; k->rounds < 4; k->rounds++)
        l4_ipc_call(CHILD_CAP(2), l4_utcb(), l4_msgtag(0, 1, 0, 0), L4_IPC_NEVER);
    save(&k->out);
}

/* The server uses the FPU for the first time between two calls of a client that does all along. */
static void called(void)
{
    static struct keep k;
    struct child *client = child_new(), *server = child_new();

    memset(&k, 0, sizeof(k));
    fill_image(&images[0], 0x96);
    __asm__ volatile("fxrstor %1; fxsave %0" : "=m"(k.in) : "m"(images[0]));
    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(use_mxcsr));
    server_image = empty_image(1);
    child_run(server, serve, (void *)2UL);
    give(client, gate_new(server->thread, 0x1230), CHILD_CAP(2), L4_CAP_FPAGE_RW);
    child_run(client, call_between, &k);
    expect_eq(k.rounds, 3); /* the server has left its loop, with the fourth call */
    expect_initial(server_image);
    child_run(client, save, &k.out);
    expect(client->finished);
    expect(memcmp(&k.out, &k.in, 416) == 0);
}

const struct test fpu_tests[] = {
    {"at its first run a thread finds the FPU as after reset", first_run},
    {"FPU, SSE and their modes belong to the thread", kept},
    {"the first use is seen by nobody, whatever instruction it is", first_use},
    {"threads that take turns leave each other nothing in the FPU", turns},
    {"nor does a thread that is killed while its state is loaded", killed},
    {"ex_regs leaves a thread its FPU state, used or not", redirected},
    {"a call from a thread that uses the FPU to one that does not yet", called},
    {NULL, NULL},
};
