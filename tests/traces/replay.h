/*
 * replay.h - plays what real programs asked of their heaps (tools/heaptrace), on another heap
 *
 *   python.trace  an interpreter, every object from malloc     git.trace   a log with statistics
 *   perl.trace    hashes and strings that grow
 *
 * Every block is filled with a pattern of its slot, and looked at before it is freed or grows.
 */
#pragma once

#include <stddef.h>
#include <string.h>

#define TRACE(name)                                                                                \
    extern const unsigned char trace_##name[], trace_##name##_end[];                               \
    __asm__(".pushsection .rodata\n"                                                               \
            "trace_" #name ": .incbin \"tests/traces/" #name ".trace\"\n"                          \
            "trace_" #name "_end:\n"                                                               \
            ".popsection\n")
TRACE(python);
TRACE(git);
TRACE(perl);

enum { REPLAY_SLOTS = 5000 };

struct replay {
    void *(*get)(size_t size);
    void (*put)(void *p);
    void *(*change)(void *p, size_t size);
    /* what came of it */
    unsigned long calls, wrong; /* blocks whose contents were not as they had been left */
};

static struct {
    unsigned char *p;
    size_t size;
} replay_slot[REPLAY_SLOTS];

static inline size_t replay_number(const unsigned char **at)
{
    size_t n = 0;

    for (unsigned shift = 0;; shift += 7) {
        n |= (size_t)(**at & 127) << shift;
        if (!(*(*at)++ & 128))
            return n;
    }
}

static inline unsigned char replay_byte(size_t slot, size_t i)
{
    return (unsigned char)(slot * 37 + i * 11 + (i >> 8));
}

static inline void replay_look(struct replay *r, size_t slot, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (replay_slot[slot].p[i] != replay_byte(slot, i)) {
            r->wrong++;
            return;
        }
}

static inline void replay_fill(size_t slot, size_t from)
{
    for (size_t i = from; i < replay_slot[slot].size; i++)
        replay_slot[slot].p[i] = replay_byte(slot, i);
}

/* 0, or the number of the call that found no memory. */
static inline unsigned long replay(struct replay *r, const unsigned char *at,
                                   const unsigned char *end)
{
    size_t old, slot;

    r->calls = r->wrong = 0;
    while (at < end) {
        size_t call = replay_number(&at);

        slot = call / 4;
        r->calls++;
        old = call % 4 == 0 ? 0 : replay_slot[slot].size;
        replay_look(r, slot, old);
        replay_slot[slot].size = call % 4 == 1 ? 0 : replay_number(&at);
        if (call % 4 == 1)
            r->put(replay_slot[slot].p);
        else if (call % 4 == 0)
            replay_slot[slot].p = r->get(replay_slot[slot].size);
        else
            replay_slot[slot].p = r->change(replay_slot[slot].p, replay_slot[slot].size);
        if (call % 4 != 1 && !replay_slot[slot].p)
            return r->calls;
        if (old > replay_slot[slot].size)
            old = replay_slot[slot].size;
        if (call % 4 == 2)
            replay_look(r, slot, old);
        replay_fill(slot, old);
    }
    return 0;
}
