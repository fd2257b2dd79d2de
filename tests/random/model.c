/*
 * random/model.c - a small system as a model: decoding, memory, ports, looks (see random/model.h)
 */
#include "model.h"

#include <abi/errors.h>

void model_init(struct model *m)
{
    *m = (struct model){0};
    for (unsigned i = 0; i < MODEL_UNITS; i++)
        spec_root(&m->memory, 0, i, i < MODEL_SMALL ? 2 : 1, i, SPEC_RWX);
    for (unsigned i = 0; i < MODEL_PORTS; i++)
        spec_root(&m->ports, 0, model_port_page(i), 2, i, SPEC_R);
    model_objects_init(m);
}

/* ---- bytes ---- */

static uint64_t next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dUL >> 32;
}

void model_sequence(uint64_t seed, uint64_t number, uint8_t *bytes, size_t n)
{
    uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15UL + number * 0xd1342543de82ef95UL;

    state += !state;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)next(&state);
}

/* How often each comes, of 32. */
static const uint8_t kinds[32] = {
    MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP,
    MODEL_UNMAP, MODEL_UNMAP, MODEL_UNMAP, MODEL_UNMAP, MODEL_TOUCH,
    MODEL_CAP_MAP, MODEL_CAP_MAP, MODEL_CAP_MAP, MODEL_CAP_MAP, MODEL_CAP_MAP,
    MODEL_CAP_UNMAP, MODEL_CAP_UNMAP, MODEL_CAP_NEW, MODEL_CAP_NEW, MODEL_CAP_NEW, MODEL_CAP_NEW,
    MODEL_CAP_DELETE, MODEL_CAP_USE, MODEL_IO_MAP, MODEL_IO_MAP, MODEL_IO_UNMAP, MODEL_IO_UNMAP,
    MODEL_KILL, MODEL_SQUEEZE,
};
/* What comes instead where somebody is short: memory and ports would have to end that. */
static const uint8_t instead[8] = {MODEL_CAP_MAP, MODEL_CAP_MAP, MODEL_CAP_MAP, MODEL_CAP_NEW,
                                   MODEL_CAP_UNMAP, MODEL_CAP_MAP, MODEL_CAP_NEW, MODEL_CAP_DELETE};
static const uint8_t types[8] = {MODEL_GATE, MODEL_GATE, MODEL_GATE, MODEL_IRQ, MODEL_SEMAPHORE,
                                 MODEL_THREAD, MODEL_FACTORY, MODEL_TASK};

/* Aligned windows of `count` (a power of two) of something. */
static void decode_window(struct model_op *o, unsigned log2, unsigned src, unsigned dst)
{
    o->order = (uint8_t)log2;
    o->count = (uint8_t)(1 << log2);
    o->src = (uint8_t)(src >> log2 << log2);
    o->dst = (uint8_t)(dst >> log2 << log2);
}

/* Twelve units are single pages: two of each superpage, and the small ones. */
static uint8_t single(unsigned byte)
{
    unsigned i = byte % 12;

    return (uint8_t)(i < 4 ? i / 2 * SPEC_SUPER + i % 2 : MODEL_SMALL + i - 4);
}

/* Of superpages: a unit, the first pages of one up to a unit, one, or both. */
static void decode_super(struct model_op *o, unsigned unit, unsigned to, unsigned shape)
{
    unsigned i = unit % SPEC_SUPER, base = unit - i;

    if (shape < 4) {
        o->count = 1;
        o->order = (uint8_t)(i < 2 ? 12 : 12 + i - 1);
        o->src = (uint8_t)unit;
        o->dst = i < 2 ? single(to) : (uint8_t)(to % 2 * SPEC_SUPER + i);
        return;
    }
    o->count = shape > 5 ? SPEC_SUPER : (uint8_t)(2 + i % 8);
    o->order = (uint8_t)(12 + o->count - 1);
    o->src = (uint8_t)base;
    o->dst = to % 2 * SPEC_SUPER;
    if (shape < 7 || !(to & 2))
        return;
    o->count = 2 * SPEC_SUPER;
    o->order = 22;
    o->src = o->dst = 0;
}

/* A unit of many pages is mapped on a part of a superpage that was mapped from the same place: the
 * first page makes small pages of that, and only then do rights grow in place. So they would not
 * fare as a whole. */
static bool falls_apart(const struct model *m, const struct model_op *o)
{
    const struct spec_page *d = &m->memory.page[o->to * SPEC_PAGES + o->dst];

    return o->count == 1 && model_pages(o->dst) > 1 && d->used && d->entry > 1 &&
           d->parent == o->from * SPEC_PAGES + o->src;
}

/* The next unit or port from there on that the task has. */
static unsigned next_used(const struct spec_page *page, unsigned from, unsigned end)
{
    for (unsigned i = 0; i < end; i++)
        if (page[(from + i) % end].used)
            return (from + i) % end;
    return from;
}

static void decode_memory(const struct model *m, struct model_op *o, const uint8_t *b)
{
    static const uint8_t windows[8] = {0, 0, 0, 0, 1, 1, 2, 3};
    unsigned src = b[2] % MODEL_UNITS, log2 = windows[b[4] & 7];
    unsigned task = o->kind == MODEL_MAP ? o->from : o->kind == MODEL_UNMAP ? o->to : o->by;

    if (b[0] >> 5)
        src = next_used(&m->memory.page[task * SPEC_PAGES], src, MODEL_UNITS);

    if (src < MODEL_SMALL) {
        decode_super(o, src, b[3], b[4] & 7);
    } else {
        decode_window(o, log2, src - MODEL_SMALL, b[3] % 8);
        o->order = (uint8_t)(12 + log2);
        o->src = (uint8_t)(o->src + MODEL_SMALL);
        o->dst = log2 ? (uint8_t)(o->dst + MODEL_SMALL) : single(b[3]);
    }
    if (o->kind != MODEL_MAP)
        o->dst = o->src; /* as good as any */
    else if (falls_apart(m, o))
        decode_super(o, o->src - o->src % SPEC_SUPER, o->dst / SPEC_SUPER * 2, 0);
    if (b[4] >> 3 == 31)
        o->order = 11;
}

static void decode_new(const struct model *m, struct model_op *o, const uint8_t *b)
{
    const struct model_slot *s = model_slot(m, o->by, o->src);
    unsigned n = b[5] >> 4, what = types[b[5] >> 1 & 7];

    o->to = o->from = o->by;
    o->type = types[b[4] & 7];
    o->factory = s->object && m->object[s->object].type == MODEL_FACTORY ? o->src : MODEL_SLOTS;
    if (o->type == MODEL_FACTORY) /* room for n of something, or nearly */
        o->limit = n % 4 * model_cost[what == MODEL_TASK && n > 4 ? MODEL_GATE : what] -
                   (n % 4 && b[5] & 1 ? 1 : 0);
    if (model_new_is_open(m, o)) {
        o->kind = MODEL_CAP_UNMAP;
        o->rights = SPEC_R;
        o->self = true;
    }
}

static void decode_capabilities(const struct model *m, struct model_op *o, const uint8_t *b)
{
    static const uint8_t windows[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3};
    bool many = o->kind == MODEL_CAP_MAP || o->kind == MODEL_CAP_UNMAP;

    decode_window(o, many ? windows[b[4] & 15] : 0, b[2] % MODEL_SLOTS, b[3] % MODEL_SLOTS);
    if (o->kind == MODEL_CAP_USE)
        o->to = o->by;
    if (o->kind == MODEL_CAP_NEW)
        decode_new(m, o, b);
}

static void decode_ports(const struct model *m, struct model_op *o, const uint8_t *b)
{
    static const uint8_t windows[8] = {0, 0, 0, 0, 0, 1, 1, 2};
    unsigned task = o->kind == MODEL_IO_MAP ? o->from : o->to, port = b[2] % MODEL_PORTS;

    for (unsigned i = 0; i < MODEL_PORTS && !model_has_port(m, task, port); i++)
        port = (port + 1) % MODEL_PORTS;
    decode_window(o, windows[b[4] & 7], port, port);
    o->rights |= b[3] % 4 ? SPEC_R | SPEC_W : 0;
}

static bool anybody_is_short(const struct model *m)
{
    bool any = false;

    for (unsigned t = 0; t < MODEL_TASKS; t++)
        any |= m->room[t] != MODEL_PLENTY;
    return any;
}

static enum model_kind decode_kind(const struct model *m, const uint8_t *b)
{
    enum model_kind k = kinds[b[0] & 31];

    if (k == MODEL_KILL && b[4] & 7)
        k = MODEL_TOUCH;
    if ((k == MODEL_MAP || k == MODEL_UNMAP || model_is_port(k)) && b[7] & 15 &&
        anybody_is_short(m))
        k = instead[b[7] >> 4 & 7];
    return k;
}

struct model_op model_decode(const struct model *m, const uint8_t b[MODEL_BYTES])
{
    struct model_op o = {.kind = decode_kind(m, b), .from = b[1] & 3, .to = b[1] >> 2 & 3,
                         .by = b[1] >> 4 & 3, .grant = b[1] >> 6 == 0, .rights = b[5] & 15,
                         .window = b[5] >> 4 & 1, .self = b[5] >> 5 & 1, .room = b[4] & 3,
                         .factory = MODEL_SLOTS,
                         .look = (uint32_t)b[5] << 16 | (uint32_t)b[6] << 8 | b[7]};
    bool map = o.kind == MODEL_MAP || o.kind == MODEL_CAP_MAP || o.kind == MODEL_IO_MAP;

    if (map && b[5] >> 6 && b[0] >> 5 < 5) /* mostly one gives what he has */
        o.from = o.by;
    o.send = map && o.from == o.by && o.to != o.from && b[5] >> 6 & 1;
    /* What makes everything that follows do nothing is rarer than chance would have it. */
    if (map && b[0] >> 5)
        o.rights |= SPEC_R;
    if (o.to == 0 && b[0] >> 5)
        o.self = false;
    if (o.kind == MODEL_CAP_MAP && b[0] >> 6 == 3)
        o.rights = 15;
    if (o.kind == MODEL_MAP && b[0] >> 6 == 3)
        o.rights |= SPEC_RWX;
    if (model_is_memory(o.kind))
        decode_memory(m, &o, b);
    else if (model_is_port(o.kind))
        decode_ports(m, &o, b);
    else if (o.kind < MODEL_IO_MAP)
        decode_capabilities(m, &o, b);
    return o;
}

/* ---- what operations do ---- */

static void kill(struct model *m, unsigned task)
{
    spec_unmap(&m->memory, task, 0, SPEC_PAGES, SPEC_RWX, true);
    spec_unmap(&m->ports, task, 0, SPEC_PAGES, SPEC_R, true);
    model_objects_kill(m, task);
}

static unsigned touch(struct model *m, const struct model_op *o)
{
    unsigned rights = spec_rights(&m->memory, o->by, o->dst);
    bool write = o->rights & 1;

    if (!rights || (write && !(rights & SPEC_W)))
        return 0;
    spec_touch(&m->memory, o->by, o->dst, write ? SPEC_STATUS : SPEC_ACCESSED);
    return 1;
}

/* In and out, or nothing; to take either away takes both. */
static void ports(struct model *m, const struct model_op *o, struct model_result *r)
{
    unsigned src = model_port_page(o->src), dst = model_port_page(o->dst);

    if (o->kind == MODEL_IO_UNMAP && o->rights & (SPEC_R | SPEC_W))
        spec_unmap(&m->ports, o->to, dst, o->count, SPEC_R, o->self);
    else if (o->kind == MODEL_IO_MAP && !(~o->rights & (SPEC_R | SPEC_W)))
        r->mapped = spec_map(&m->ports, o->from, src, o->to, dst, o->count, SPEC_RWX, o->grant);
}

struct model_result model_apply(struct model *m, const struct model_op *o)
{
    struct model_result r = {0};

    if (model_is_memory(o->kind) || model_is_port(o->kind) || o->kind == MODEL_KILL)
        for (unsigned t = 0; t < MODEL_TASKS && o->kind != MODEL_TOUCH; t++)
            m->room[t] = MODEL_PLENTY;
    switch (o->kind) {
    case MODEL_MAP:
        if (o->order >= 12)
            r.mapped = spec_map(&m->memory, o->from, o->src, o->to, o->dst, o->count,
                                o->rights & SPEC_RWX, o->grant);
        break;
    case MODEL_UNMAP:
        if (o->order >= 12)
            r.status = spec_unmap(&m->memory, o->to, o->dst, o->count, o->rights & SPEC_RWX,
                                  o->self);
        break;
    case MODEL_TOUCH:
        r.mapped = touch(m, o);
        break;
    case MODEL_IO_MAP:
    case MODEL_IO_UNMAP:
        ports(m, o, &r);
        break;
    case MODEL_KILL:
        if (o->to)
            kill(m, o->to);
        break;
    default:
        model_objects_apply(m, o, &r);
        break;
    }
    return r;
}

bool model_agrees(struct model *m, const struct model_op *o, const struct model_result *expected,
                  const struct model_result *seen)
{
    unsigned told = expected->status & seen->status;
    bool exact = true;

    if (expected->error != seen->error || (o->kind == MODEL_CAP_NEW && !seen->error &&
                                           expected->object != seen->object))
        return false;
    if (seen->mapped != MODEL_UNTOLD && !expected->mapped != !seen->mapped)
        return false; /* a superpage may be one entry or many */
    if (o->kind != MODEL_UNMAP || o->order < 12)
        return true;
    for (int i = o->dst; i < o->dst + o->count; i++) {
        struct spec_page *p = spec_at(&m->memory, o->to, (unsigned)i);

        exact &= p->level < 2;
        if (p->level > 1 && !(o->rights & SPEC_RWX) && !o->self)
            p->own &= (uint8_t)~seen->status;
    }
    return told == expected->status && (!exact || told == seen->status);
}

/* ---- looks ---- */

/* The operation names this unit, slot or port of the task that looks. */
static bool named(const struct model_op *o, unsigned i)
{
    bool map = o->kind == MODEL_MAP || o->kind == MODEL_CAP_MAP || o->kind == MODEL_IO_MAP;

    return (map && o->from == o->by && i >= o->src && i < (unsigned)o->src + o->count) ||
           (o->to == o->by && i >= o->dst && i < (unsigned)o->dst + o->count);
}

/* Mostly at what the operation names, at what is there, or was a moment ago: refused looks cost
 * more, and show less. Kinds that it has nothing to do with are looked at now and then. */
static bool worth(uint64_t *state, bool known, bool concerned, bool named)
{
    static const uint8_t of_32[2][2] = {{0, 2}, {3, 24}};

    return (next(state) & 31) < (concerned && named ? 30 : of_32[concerned][known]);
}

void model_plan(const struct model *m, const struct model_op *o, const struct model_look *again,
                struct model_look *look)
{
    uint64_t state = 0x9e3779b97f4a7c15UL * (o->look + 2) + (again != NULL);
    bool all = o->kind == MODEL_KILL, memory = all || model_is_memory(o->kind),
         ports = all || model_is_port(o->kind);

    *look = (struct model_look){0};
    for (unsigned i = 0; i < MODEL_UNITS; i++) {
        bool known = spec_rights(&m->memory, o->by, i) || (again && again->memory[i]);

        look->page[i] = again ? again->page[i] : (uint8_t)next(&state);
        if (worth(&state, known, memory, named(o, i)))
            look->memory[i] = named(o, i) ? SPEC_RWX : (uint8_t)(1 + next(&state) % 7);
    }
    for (unsigned i = 0; i < MODEL_SLOTS; i++) {
        bool known = model_slot(m, o->by, i)->object || (again && again->slots >> i & 1);

        if (worth(&state, known, all || !(memory || ports), named(o, i)))
            look->slots |= (uint16_t)(1 << i);
    }
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        bool known = model_has_port(m, o->by, i) || (again && again->ports >> i & 1);

        if (worth(&state, known, ports, named(o, i)))
            look->ports |= (uint8_t)(1 << i);
    }
}

struct model_op model_round(unsigned task, size_t step)
{
    return (struct model_op){
        .kind = MODEL_KILL, .by = (uint8_t)task, .count = 1, .look = (uint32_t)step * 4 + task};
}

void model_look(struct model *m, unsigned task, const struct model_look *look,
                uint8_t could[MODEL_UNITS])
{
    for (unsigned i = 0; i < MODEL_UNITS; i++) {
        could[i] = look->memory[i] & (uint8_t)spec_rights(&m->memory, task, i);
        if (could[i])
            spec_touch(&m->memory, task, i, could[i] & SPEC_W ? SPEC_STATUS : SPEC_ACCESSED);
    }
}
