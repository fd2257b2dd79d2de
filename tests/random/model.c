/*
 * random/model.c - a small system as a model (see random/model.h)
 */
#include "model.h"

#include <abi/errors.h>

void model_init(struct model *m)
{
    *m = (struct model){0};
    for (unsigned i = 0; i < MODEL_UNITS; i++) {
        spec_root(&m->memory, 0, i, 2, i, SPEC_RWX);
        spec_root(&m->ports, 0, i, 2, i, SPEC_R);
    }
}

/* ---- bytes ---- */

/* How often each comes, of 32. */
static const uint8_t kinds[32] = {
    MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP, MODEL_MAP,
    MODEL_UNMAP, MODEL_UNMAP, MODEL_UNMAP, MODEL_UNMAP, MODEL_TOUCH, MODEL_TOUCH, MODEL_TOUCH,
    MODEL_CAP_MAP, MODEL_CAP_MAP, MODEL_CAP_MAP, MODEL_CAP_MAP, MODEL_CAP_MAP, MODEL_CAP_MAP,
    MODEL_CAP_UNMAP, MODEL_CAP_UNMAP, MODEL_CAP_NEW, MODEL_CAP_NEW, MODEL_CAP_DELETE,
    MODEL_IO_MAP, MODEL_IO_MAP, MODEL_IO_MAP, MODEL_IO_UNMAP, MODEL_IO_UNMAP, MODEL_KILL,
};

/* Which pages: mostly single ones, then two beside each other, superpages, both superpages. */
static void decode_size(struct model_op *o, unsigned byte)
{
    static const uint8_t counts[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 6};
    static const uint8_t orders[7] = {0, 12, 13, 21, 0, 0, 22};

    o->count = counts[byte >> 4];
    o->order = orders[o->count];
    if (o->count > 1) {
        o->src = o->count == 6 || o->src < SPEC_SUPER ? 0 : SPEC_SUPER;
        o->dst = o->count == 6 || o->dst < SPEC_SUPER ? 0 : SPEC_SUPER;
    } else if ((byte & 15) == 8) {
        o->order = 11;
    } else if (o->kind == MODEL_MAP) {
        o->src -= o->src % SPEC_SUPER == MODEL_REST;
        o->dst -= o->dst % SPEC_SUPER == MODEL_REST;
    }
}

struct model_op model_decode(const uint8_t b[MODEL_BYTES])
{
    struct model_op o = {.kind = kinds[b[0] & 31], .from = b[1] & 3, .to = b[1] >> 2 & 3,
                         .grant = (b[1] >> 4 & 7) == 0, .self = b[1] >> 7, .count = 1,
                         .rights = b[4] & 15};

    /* What makes everything that follows do nothing is rarer than chance would have it. */
    if (b[0] >> 5 && (o.kind == MODEL_MAP || o.kind == MODEL_CAP_MAP))
        o.rights |= SPEC_R;
    if (o.to == 0 && b[0] >> 5)
        o.self = false;
    if (o.kind == MODEL_KILL && b[4] & 7)
        o.kind = MODEL_TOUCH;
    switch (o.kind) {
    case MODEL_MAP:
    case MODEL_UNMAP:
    case MODEL_TOUCH:
        o.src = b[2] % MODEL_UNITS;
        o.dst = b[3] % MODEL_UNITS;
        decode_size(&o, b[4]);
        break;
    case MODEL_IO_MAP:
    case MODEL_IO_UNMAP:
        o.src = o.dst = b[2] % MODEL_UNITS;
        o.rights |= b[3] % 4 ? SPEC_R | SPEC_W : 0;
        break;
    default:
        o.src = b[2] % MODEL_SLOTS;
        o.dst = b[3] % MODEL_SLOTS;
        break;
    }
    return o;
}

/* ---- capabilities ---- */

static bool cap_stems_from(const struct model *m, int i, int a)
{
    while (i != a && i != SPEC_ROOT)
        i = m->slot[i].parent;
    return i == a;
}

static void cap_take(struct model *m, int a, unsigned rights, bool self)
{
    bool hit[MODEL_CAPS];

    for (int i = 0; i < MODEL_CAPS; i++)
        hit[i] = m->slot[i].object && (self || i != a) && cap_stems_from(m, i, a);
    for (int i = 0; i < MODEL_CAPS; i++)
        if (hit[i] && (rights & SPEC_R))
            m->slot[i].object = 0;
        else if (hit[i])
            m->slot[i].rights &= (uint8_t)~rights;
}

static long cap_map(struct model *m, int s, int d, unsigned rights, bool grant)
{
    struct model_slot *from = &m->slot[s], *to = &m->slot[d];

    rights &= from->rights;
    if (!from->object || !rights || (to->object && cap_stems_from(m, s, d)))
        return 0;
    if (to->object == from->object && to->parent == s) {
        to->rights |= (uint8_t)rights;
        return 1;
    }
    if (to->object)
        cap_take(m, d, SPEC_R, true);
    *to = (struct model_slot){from->object, (uint8_t)rights, (int8_t)s};
    if (!grant)
        return 1;
    to->parent = from->parent;
    from->object = 0;
    for (int i = 0; i < MODEL_CAPS; i++)
        if (m->slot[i].object && m->slot[i].parent == s)
            m->slot[i].parent = (int8_t)d;
    cap_take(m, d, ~rights & 15 & ~SPEC_R, false);
    for (int i = 0; i < MODEL_CAPS && !(rights & SPEC_R); i++)
        if (i != d && m->slot[i].object && cap_stems_from(m, i, d))
            m->slot[i].rights &= (uint8_t)rights; /* without R nothing goes */
    return 1;
}

static long cap_new(struct model *m, int d)
{
    uint8_t free = 0;

    if (m->slot[d].object)
        return 0;
    for (uint8_t id = 1; id <= MODEL_OBJECTS && !free; id++) {
        free = id;
        for (int i = 0; i < MODEL_CAPS; i++)
            free = m->slot[i].object == id ? 0 : free;
    }
    if (!free)
        return -L4_ENOMEM;
    m->slot[d] = (struct model_slot){free, 15, SPEC_ROOT};
    return free;
}

static void cap_delete(struct model *m, int d)
{
    uint8_t object = m->slot[d].object;

    for (int i = 0; i < MODEL_CAPS && (m->slot[d].rights & MODEL_DELETE_RIGHT); i++)
        if (m->slot[i].object == object && i != d)
            m->slot[i].object = 0;
    if (m->slot[d].rights & MODEL_DELETE_RIGHT)
        m->slot[d].object = 0;
}

/* ---- all ---- */

static void kill(struct model *m, unsigned task)
{
    spec_unmap(&m->memory, task, 0, MODEL_UNITS, SPEC_RWX, true);
    spec_unmap(&m->ports, task, 0, MODEL_UNITS, SPEC_R, true);
    for (int i = 0; i < MODEL_SLOTS; i++)
        cap_take(m, (int)task * MODEL_SLOTS + i, SPEC_R, true);
}

static long touch(struct model *m, const struct model_op *o)
{
    unsigned rights = spec_rights(&m->memory, o->to, o->dst);
    bool write = o->rights & 1;

    if (!rights || (write && !(rights & SPEC_W)))
        return 0;
    spec_touch(&m->memory, o->to, o->dst, write ? SPEC_STATUS : SPEC_ACCESSED);
    return 1;
}

long model_apply(struct model *m, const struct model_op *o)
{
    int s = o->from * MODEL_SLOTS + o->src, d = o->to * MODEL_SLOTS + o->dst;

    switch (o->kind) {
    case MODEL_MAP:
        return o->order < 12 ? 0 : (long)spec_map(&m->memory, o->from, o->src, o->to, o->dst,
                                                  o->count, o->rights, o->grant);
    case MODEL_UNMAP:
        return o->order < 12 ? 0 : (long)spec_unmap(&m->memory, o->to, o->dst, o->count,
                                                    o->rights, o->self);
    case MODEL_TOUCH:
        return touch(m, o);
    case MODEL_CAP_MAP:
        return cap_map(m, s, d, o->rights, o->grant);
    case MODEL_CAP_UNMAP:
        if (m->slot[d].object)
            cap_take(m, d, o->rights, o->self);
        return 0;
    case MODEL_CAP_NEW:
        return cap_new(m, d);
    case MODEL_CAP_DELETE:
        if (m->slot[d].object)
            cap_delete(m, d);
        return 0;
    case MODEL_IO_MAP: /* in and out, or nothing */
        if ((o->rights & (SPEC_R | SPEC_W)) != (SPEC_R | SPEC_W))
            return 0;
        return (long)spec_map(&m->ports, o->from, o->src, o->to, o->src, 1, SPEC_RWX, o->grant);
    case MODEL_IO_UNMAP: /* in or out, and it goes */
        if (o->rights & (SPEC_R | SPEC_W))
            spec_unmap(&m->ports, o->to, o->dst, 1, SPEC_R, o->self);
        return 0;
    case MODEL_KILL:
        if (o->to)
            kill(m, o->to);
        return 0;
    }
    return 0;
}

bool model_agrees(struct model *m, const struct model_op *o, long expected, long result)
{
    if (o->kind == MODEL_MAP || o->kind == MODEL_IO_MAP)
        return !expected == !result; /* a superpage may be one entry or many */
    if (o->kind != MODEL_UNMAP)
        return expected == result;
    for (int i = o->dst; i < o->dst + o->count && !(o->rights & SPEC_RWX) && !o->self; i++)
        if (spec_at(&m->memory, o->to, (unsigned)i)->level > 1)
            spec_at(&m->memory, o->to, (unsigned)i)->own &= (uint8_t)~result;
    return (expected & result) == expected;
}
