/*
 * random/objects.c - capabilities, the objects behind them, and who pays (see random/model.h)
 *
 * The order of things is the kernel's: what was in a slot goes first, then the new object is paid,
 * then its capability; what has lost its last capability is given back when the call returns.
 */
#include "model.h"

#include <abi/errors.h>

uint32_t model_common_limit(void)
{
    return model_cost[MODEL_TASK] + model_cost[MODEL_THREAD] + 8 * model_cost[MODEL_GATE];
}

void model_objects_init(struct model *m)
{
    m->object[0] = (struct model_object){.type = MODEL_FACTORY, .limit = model_common_limit()};
    for (unsigned t = 0; t < MODEL_TASKS; t++)
        m->room[t] = MODEL_PLENTY;
}

/* ---- objects ---- */

static bool fits(const struct model_object *factory, uint32_t charge)
{
    return factory->limit - factory->used >= charge;
}

static uint8_t factory_of(const struct model *m, const struct model_op *o)
{
    return o->factory == MODEL_SLOTS ? 0 : model_slot(m, o->by, o->factory)->object;
}

static uint32_t charge_of(const struct model_op *o)
{
    return model_cost[o->type] + (o->type == MODEL_FACTORY ? o->limit : 0);
}

static void object_free(struct model *m, unsigned id)
{
    struct model_object *gone = &m->object[id], *payer = &m->object[gone->factory];

    payer->used -= gone->charge;
    payer->users--;
    gone->type = MODEL_NOTHING;
}

/* Objects without capabilities go; factories when nobody needs them any more. */
static void settle(struct model *m)
{
    bool held[MODEL_OBJECTS] = {true}, more = true;

    for (unsigned i = 0; i < MODEL_CAPS; i++)
        held[m->slot[i].object] = true;
    while (more) {
        more = false;
        for (unsigned id = 1; id < MODEL_OBJECTS; id++)
            if (m->object[id].type && !held[id] && !m->object[id].users) {
                object_free(m, id);
                more = true;
            }
    }
}

static unsigned object_new(struct model *m, const struct model_op *o, uint8_t factory)
{
    unsigned id = 1;

    while (m->object[id].type)
        id++;
    m->object[id] = (struct model_object){.type = o->type, .factory = factory,
                                          .charge = charge_of(o), .limit = o->limit};
    m->object[factory].used += charge_of(o);
    m->object[factory].users++;
    return id;
}

/* ---- capabilities ---- */

static bool stems_from(const struct model *m, int i, int a)
{
    while (i != a && i != SPEC_ROOT)
        i = m->slot[i].parent;
    return i == a;
}

/* A task pays for one capability more, or for one less. */
static bool pay(struct model *m, int slot)
{
    int8_t *room = &m->room[slot / MODEL_SLOTS];

    if (*room == 0)
        return false;
    *room = (int8_t)(*room - (*room > 0));
    return true;
}

static void empty(struct model *m, int slot)
{
    int8_t *room = &m->room[slot / MODEL_SLOTS];

    m->slot[slot].object = 0;
    *room = (int8_t)(*room + (*room != MODEL_PLENTY));
}

static void take(struct model *m, int a, unsigned rights, bool self)
{
    bool hit[MODEL_CAPS];

    for (int i = 0; i < MODEL_CAPS; i++)
        hit[i] = m->slot[i].object && (self || i != a) && stems_from(m, i, a);
    for (int i = 0; i < MODEL_CAPS; i++)
        if (hit[i] && (rights & SPEC_R))
            empty(m, i);
        else if (hit[i])
            m->slot[i].rights &= (uint8_t)~rights;
}

/* The receiver's capability takes the sender's place, and nothing below it has more rights. */
static long grant(struct model *m, int s, int d, unsigned rights)
{
    struct model_slot was = m->slot[s];

    if (s / MODEL_SLOTS != d / MODEL_SLOTS) {
        if (!pay(m, d))
            return -L4_ENOMEM;
        empty(m, s);
    }
    m->slot[s].object = 0;
    m->slot[d] = (struct model_slot){was.object, (uint8_t)rights, was.parent};
    for (int i = 0; i < MODEL_CAPS; i++)
        if (m->slot[i].object && m->slot[i].parent == s)
            m->slot[i].parent = (int8_t)d;
    for (int i = 0; i < MODEL_CAPS; i++) /* one without R stays, unlike when R is taken */
        if (i != d && m->slot[i].object && stems_from(m, i, d))
            m->slot[i].rights &= (uint8_t)rights;
    return 1;
}

/* 1: mapped, or more rights than before; 0: nothing. */
static long map(struct model *m, int s, int d, unsigned rights, bool move)
{
    struct model_slot *from = &m->slot[s], *to = &m->slot[d];

    rights &= from->rights;
    if (!from->object || !rights || (to->object && stems_from(m, s, d)))
        return 0;
    if (to->object == from->object && to->parent == s) {
        to->rights |= (uint8_t)rights;
        return 1;
    }
    if (to->object)
        take(m, d, SPEC_R, true);
    if (move)
        return grant(m, s, d, rights);
    if (!pay(m, d))
        return -L4_ENOMEM;
    *to = (struct model_slot){from->object, (uint8_t)rights, (int8_t)s};
    return 1;
}

static void map_all(struct model *m, const struct model_op *o, struct model_result *r)
{
    int s = o->from * MODEL_SLOTS + o->src, d = o->to * MODEL_SLOTS + o->dst;

    for (int i = 0; i < o->count && !r->error; i++) {
        long one = map(m, s + i, d + i, o->rights, o->grant);

        r->mapped += one > 0;
        r->error = one < 0 ? one : 0;
    }
}

static void create(struct model *m, const struct model_op *o, struct model_result *r)
{
    int d = o->by * MODEL_SLOTS + o->dst;
    uint8_t factory = factory_of(m, o);

    if (m->slot[d].object)
        take(m, d, SPEC_R, true);
    r->error = -L4_ENOMEM;
    if (!fits(&m->object[factory], charge_of(o)) || !pay(m, d))
        return;
    r->error = 0;
    r->object = object_new(m, o, factory);
    m->slot[d] = (struct model_slot){(uint8_t)r->object, 15, SPEC_ROOT};
}

bool model_new_is_open(const struct model *m, const struct model_op *o)
{
    int d = o->by * MODEL_SLOTS + o->dst, f = o->by * MODEL_SLOTS + o->factory;

    return m->slot[d].object && (!fits(&m->object[factory_of(m, o)], charge_of(o)) ||
                                 (o->factory != MODEL_SLOTS && stems_from(m, f, d)));
}

static void delete(struct model *m, int d)
{
    uint8_t object = m->slot[d].object;

    for (int i = 0; i < MODEL_CAPS && object && (m->slot[d].rights & MODEL_D); i++)
        if (m->slot[i].object == object && i != d)
            empty(m, i);
    if (object && (m->slot[d].rights & MODEL_D))
        empty(m, d);
}

static void use(struct model *m, const struct model_slot *s, bool up, struct model_result *r)
{
    struct model_object *semaphore = &m->object[s->object];

    if (semaphore->type != MODEL_SEMAPHORE || !s->object)
        return;
    if (up)
        semaphore->count++;
    else if (!(s->rights & MODEL_S))
        r->error = -L4_EPERM;
    else if (!semaphore->count)
        r->error = MODEL_TIMEOUT;
    else
        semaphore->count--;
}

void model_objects_kill(struct model *m, unsigned task)
{
    for (int i = 0; i < MODEL_SLOTS; i++)
        take(m, (int)task * MODEL_SLOTS + i, SPEC_R, true);
    settle(m);
}

void model_objects_apply(struct model *m, const struct model_op *o, struct model_result *r)
{
    int d = o->to * MODEL_SLOTS + o->dst;

    switch (o->kind) {
    case MODEL_CAP_MAP:
        map_all(m, o, r);
        break;
    case MODEL_CAP_UNMAP:
        for (int i = d; i < d + o->count; i++)
            if (m->slot[i].object)
                take(m, i, o->rights, o->self);
        break;
    case MODEL_CAP_NEW:
        create(m, o, r);
        break;
    case MODEL_CAP_DELETE:
        delete(m, d);
        break;
    case MODEL_CAP_USE:
        use(m, &m->slot[d], o->rights & 1, r);
        break;
    case MODEL_SQUEEZE:
        m->room[o->to] = m->room[o->to] == MODEL_PLENTY ? o->room : MODEL_PLENTY;
        break;
    default:
        break;
    }
    settle(m);
}
