/*
 * sigma0_machine.h - a machine of any size for sigma0's service: frames are marks, hooks watch
 *
 * Only sigma0's own records need memory that exists; they are taken from the lowest free frames,
 * so the first LOW bytes are real.
 */
#pragma once

#include "../../sigma0/request.h"
#include "test.h"

#include <abi/errors.h>
#include <abi/fpage.h>
#include <abi/protocols.h>
#include <abi/sigma0.h>
#include <abi/stats.h>

#include <setjmp.h>
#include <sys/mman.h>

enum { LOW_FIRST = 0x10, LOW_END = 0x4000, RCV_SLOT = 2 };

static struct service service;
static struct buddy buddy;
static l4_uint16_t *owner;
static void *meta;
static bool gone[POOL_SLOTS_MAX];
static l4_umword_t cleared_most, notified[POOL_SLOTS_MAX], slots_dropped;
static l4_umword_t cleared; /* by the running request */
static jmp_buf on_bug;
static const char *bug;
static unsigned dumps;
static bool no_gate;
static l4_uint64_t now;

void ram_bug(const char *what)
{
    bug = what;
    longjmp(on_bug, 1);
}

void ram_clear(l4_addr_t start, l4_umword_t size)
{
    CHECK(!((start | size) & 4095));
    cleared += size;
}

void ram_revoke(l4_addr_t start, unsigned order)
{
    CHECK(!(start & ((1UL << order) - 1)));
}

void ram_gate_delete(unsigned slot)
{
    gone[slot] = true;
}

bool ram_gate_lives(unsigned slot)
{
    return !gone[slot];
}

void ram_notify(unsigned slot)
{
    notified[slot]++;
}

void ram_slot_clear(unsigned slot)
{
    notified[slot] = 0;
    slots_dropped++;
}

int request_gate(unsigned slot)
{
    gone[slot] = no_gate;
    return no_gate ? -L4_ENOMEM : 0;
}

void request_dump(const struct service *s)
{
    (void)s;
    dumps++;
}

/* RAM in [first, end) frames of each piece; the last piece has end 0. */
__attribute__((unused)) static void machine_start(l4_umword_t frames, const l4_umword_t (*piece)[2])
{
    static bool low;

    if (!low)
        CHECK(mmap((void *)(LOW_FIRST * 4096UL), (LOW_END - LOW_FIRST) * 4096UL,
                   PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                   0) == (void *)(LOW_FIRST * 4096UL));
    low = true;
    owner = realloc(owner, frames * sizeof(*owner));
    meta = realloc(meta, buddy_meta_size(frames));
    service = (struct service){.kip = 0x3000};
    memset(gone, 0, sizeof(gone));
    no_gate = false;
    memset(notified, 0, sizeof(notified));
    bug = NULL;
    now = 1;
    buddy_init(&buddy, meta, 0, frames);
    ram_init(&service.ram, &buddy, owner, frames);
    for (; (*piece)[1]; piece++)
        ram_add(&service.ram, (*piece)[0] << 12, (*piece)[1] << 12);
    CHECK(ram_open(&service.ram));
    CHECK(pool_slot_take(&service.ram, service.ram.root) == RCV_SLOT);
    pool_refill(&service.ram);
    cleared_most = 0;
}

static struct answer answer;
static unsigned receive_slot = RCV_SLOT;

/* A message with a capability in `slot`, or none. Its label. */
static long message(l4_umword_t gate, unsigned slot, long label, unsigned words,
                    const l4_umword_t *mr)
{
    struct request q = {.label = label, .words = words, .gate = gate, .slot = slot, .now = now};

    memcpy(q.mr, mr, words * sizeof(*mr));
    cleared = 0;
    request_handle(&service, &q, &answer);
    if (cleared > cleared_most)
        cleared_most = cleared;
    if (answer.slot_taken) {
        receive_slot = pool_slot_take(&service.ram, service.ram.root);
        pool_refill(&service.ram);
    }
    CHECK(answer.label >= 0 || (answer.item == ANSWER_NO_ITEM && answer.words == 0));
    CHECK(answer.words + 2 * (answer.item ? answer.items : 0) <= 63);
    return answer.label;
}

#define SEND(gate, label, ...)                                                                     \
    message((gate), 0, (label), sizeof((l4_umword_t[]){__VA_ARGS__}) / sizeof(l4_umword_t),        \
            (l4_umword_t[]){__VA_ARGS__})
#define RAM(gate, ...) SEND((gate), L4RE_PROTO_MEM_ALLOC, __VA_ARGS__)
#define RAM_WITH(gate, ...)                                                                        \
    message((gate), receive_slot, L4RE_PROTO_MEM_ALLOC,                                            \
            sizeof((l4_umword_t[]){__VA_ARGS__}) / sizeof(l4_umword_t),                            \
            (l4_umword_t[]){__VA_ARGS__})

/* A new account: its gate, 0: refused. Its number is in answer.mr[0]. */
__attribute__((unused)) static unsigned account(l4_umword_t parent, l4_umword_t quota)
{
    long err = SEND(parent, L4_PROTO_FACTORY, (l4_umword_t)L4_PROTO_SIGMA0, 8 << 16 | 1, quota);

    return err == 0 ? answer.gate : 0;
}

/* To its end, in steps. */
__attribute__((unused)) static unsigned release(l4_umword_t gate)
{
    unsigned steps = 1;
    long err;

    while ((err = RAM(gate, SIGMA0_RAM_RELEASE)) == SIGMA0_RAM_MORE)
        steps++;
    CHECK(err == 0);
    return steps;
}

__attribute__((unused)) static void no_leaks(void)
{
}
