/*
 * sweep/world.c - the tasks of a trial, and what they have of each kind
 */
#include "sweep.h"

struct world w;

enum { THIRD_PAGES = 16, EYES_UTCB = 1 };

l4_umword_t place_of(enum kind k, bool second_area)
{
    switch (k) {
    case MEMORY:
        return second_area ? AREA_B : AREA_A;
    case SUPER:
        return AREA_SUPER;
    case CAPS:
        return second_area ? CAPS_B : CAPS_A;
    default:
        return 0;
    }
}

l4_fpage_t fpage_of(enum kind k, bool second_area, unsigned char rights)
{
    switch (k) {
    case MEMORY:
        return l4_fpage(place_of(k, second_area), PAGES_ORDER, rights);
    case SUPER:
        return l4_fpage(AREA_SUPER, L4_SUPERPAGESHIFT, rights);
    case CAPS:
        return l4_obj_fpage(place_of(k, second_area), ITEMS_ORDER, rights | L4_CAP_FPAGE_S);
    default:
        return l4_iofpage(PORTS_A, ITEMS_ORDER);
    }
}

l4_umword_t code(l4_msgtag_t tag)
{
    return l4_msgtag_has_error(tag) ? IPC_ERROR | l4_ipc_error(tag, l4_utcb())
                                    : (l4_umword_t)l4_msgtag_label(tag) & 0xffff;
}

/* With what it says about accesses. */
l4_umword_t unmap_code(l4_msgtag_t tag)
{
    l4_umword_t status = l4_utcb()->msg.mr[0] & 3;

    return code(tag) ? code(tag) : status << 20;
}

l4_umword_t hand(l4_cap_idx_t to, bool to_b, l4_cap_idx_t from, bool from_b, enum kind k,
                 unsigned char rights, unsigned grant)
{
    l4_umword_t at = place_of(k, to_b);
    l4_umword_t control = k == CAPS ? l4_map_obj_control(at, grant)
                                    : l4_map_control(at, 0, (unsigned char)grant);

    return code(l4_task_map(to, from, fpage_of(k, from_b, rights), control));
}

static void from_root(enum who to, unsigned first_page, l4_addr_t at)
{
    expect_eq(pool_map(w.task[to], first_page * KIB4, PAGES_ORDER, at, L4_FPAGE_RW), 0);
}

/* Of the world's kind: what the root gives. */
static void root_gives(enum who to, enum kind k, unsigned first_page)
{
    if (k == MEMORY)
        from_root(to, first_page, AREA_A);
    for (unsigned i = 0; i < ITEMS && k == CAPS; i++)
        expect_eq(l4_error(l4_task_map(w.task[to], L4_BASE_TASK_CAP,
                                       l4_obj_fpage(w.gates[i], 0, L4_CAP_FPAGE_RWSD),
                                       l4_map_obj_control(CAPS_A + (i << L4_CAP_SHIFT), 0))), 0);
    if (k == PORTS)
        expect_eq(port_map(w.task[to], L4_BASE_TASK_CAP, PORTS_A, ITEMS_ORDER), 0);
}

static enum kind kind; /* of the world that is made */

void prepare_plain(void)
{
    root_gives(SOURCE, kind, 0);
    expect_eq(hand(w.task[THIRD], false, w.task[SOURCE], false, kind, L4_FPAGE_RW, 0), 0);
}

void prepare_chain(void)
{
    prepare_plain();
    expect_eq(hand(w.task[DEST], false, w.task[THIRD], false, kind, L4_FPAGE_RW, 0), 0);
}

void prepare_dest(void)
{
    root_gives(DEST, kind, 0);
    expect_eq(hand(w.task[THIRD], false, w.task[DEST], false, kind, L4_FPAGE_RW, 0), 0);
}

void prepare_over(void)
{
    prepare_plain();
    if (kind == CAPS) /* the same objects, the other way round */
        for (unsigned i = 0; i < ITEMS; i++)
            give(w.eyes[DEST], w.gates[ITEMS - 1 - i], CAPS_A + (i << L4_CAP_SHIFT),
                 L4_CAP_FPAGE_RWSD);
    else
        root_gives(DEST, kind, ITEMS);
    expect_eq(hand(w.task[THIRD], true, w.task[DEST], false, kind, L4_FPAGE_RW, 0), 0);
}

void prepare_super(void)
{
    expect_eq(pool_map(w.task[SOURCE], MIB2, L4_SUPERPAGESHIFT, AREA_SUPER, L4_FPAGE_RW), 0);
    expect_eq(hand(w.task[THIRD], false, w.task[SOURCE], false, SUPER, L4_FPAGE_RW, 0), 0);
    expect_eq(move(w.task[THIRD], w.task[SOURCE], AREA_SUPER, PAGES_ORDER, AREA_A, L4_FPAGE_RW), 0);
    expect_eq(move(w.task[DEST], w.task[THIRD], AREA_SUPER, PAGES_ORDER, AREA_B, L4_FPAGE_RW), 0);
}

/* One page of it is gone: the entries of SOURCE and THIRD are tables. */
void prepare_split(void)
{
    prepare_super();
    expect_eq(unmap(w.task[SOURCE], AREA_SUPER, 12, L4_FPAGE_RWX, L4_FP_ALL_SPACES), 0);
}

static void blocks(void)
{
    expect_eq(port_map(w.task[SOURCE], L4_BASE_TASK_CAP, 0, BLOCK_ORDER), 0);
    expect_eq(port_map(w.task[THIRD], w.task[SOURCE], 0, BLOCK_ORDER), 0);
}

void prepare_block(void)
{
    blocks();
    expect_eq(port_map(w.task[DEST], w.task[SOURCE], PORTS_A, ITEMS_ORDER), 0);
}

void prepare_block_over(void)
{
    blocks();
    root_gives(DEST, PORTS, 0);
}

static void actors_new(void)
{
    w.first = child_new();
    w.eyes[SOURCE] = child_thread(w.first, EYES_UTCB);
    w.partner = child_new();
    w.eyes[DEST] = child_thread(w.partner, EYES_UTCB);
    w.eyes[THIRD] = child_new();
    w.task[SOURCE] = w.first->task;
    w.task[DEST] = w.partner->task;
    w.task[THIRD] = w.eyes[THIRD]->task;
    w.gate = gate_new(w.partner->thread, 0x100);
    give(w.first, w.task[DEST], S_DEST, L4_CAP_FPAGE_RWSD);
    give(w.first, w.task[THIRD], S_THIRD, L4_CAP_FPAGE_RWSD);
    give(w.first, w.gate, S_GATE, L4_CAP_FPAGE_RWSD);
    give(w.first, w.partner->thread, S_PARTNER, L4_CAP_FPAGE_RWSD);
}

void world_new(const struct first *f)
{
    memset(&w, 0, sizeof(w));
    for (unsigned i = 0; i < RESULTS; i++)
        w.result[i] = PENDING;
    actors_new();
    for (unsigned i = 0; i < ITEMS && f->kind == CAPS; i++)
        w.gates[i] = gate_new(w.eyes[THIRD]->thread, 0x1000 + 16 * i);
    kind = f->kind;
    f->prepare();
    if (f->partner)
        child_run(w.partner, f->partner, NULL);
}

void world_gone(enum kind k)
{
    slots_empty();
    children_reset();
    (void)k;
}
