/*
 * map/unmap.c - taking back: all, the others' only, rights only, and what was accessed
 */
#include "pool.h"

enum { OTHERS = L4_FP_OTHER_SPACES, REF = L4_FPAGE_REFERENCED, DIRTY = L4_FPAGE_DIRTY };
#define ALL L4_FP_ALL_SPACES

static void others_or_all(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    move(b, a, PLACE, 12, PLACE, L4_FPAGE_RW);
    move(c, b, PLACE, 12, PLACE, L4_FPAGE_RW);
    expect(unmap(b, PLACE, 12, L4_FPAGE_RWX, OTHERS) >= 0);
    expect_eq(page_at(a, PLACE), 0x1000);
    expect_eq(page_at(b, PLACE), 0x1000);
    expect_eq(page_at(c, PLACE), HOLE);
    move(c, b, PLACE, 12, PLACE, L4_FPAGE_RW);
    expect(unmap(b, PLACE, 12, L4_FPAGE_RWX, ALL) >= 0);
    expect_eq(page_at(a, PLACE), 0x1000);
    expect_eq(page_at(b, PLACE), HOLE);
    expect_eq(page_at(c, PLACE), HOLE);
}

/* R takes the page, whatever else stands beside it. */
static void revoking_r_takes_the_page(void)
{
    for (unsigned rights = L4_FPAGE_R; rights < 8; rights++) {
        l4_cap_idx_t a = task_new();

        pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RWX);
        expect(unmap(a, PLACE, 12, rights, ALL) >= 0);
        expect_eq(page_at(a, PLACE), HOLE);
    }
}

static void rights_only(void)
{
    struct child *a = child_new(), *b = child_new();

    pool_map(a->task, 0x1000, 12, PLACE, L4_FPAGE_RWX);
    move(b->task, a->task, PLACE, 12, PLACE, L4_FPAGE_RWX);
    expect_eq(rights_at(b, PLACE), L4_FPAGE_RWX);
    unmap(a->task, PLACE, 12, L4_FPAGE_W, OTHERS);
    expect_eq(rights_at(a, PLACE), L4_FPAGE_RWX);
    expect_eq(rights_at(b, PLACE), L4_FPAGE_RX);
    unmap(a->task, PLACE, 12, L4_FPAGE_X, ALL);
    expect_eq(rights_at(a, PLACE), L4_FPAGE_RW);
    expect_eq(rights_at(b, PLACE), L4_FPAGE_R);
    /* The tree is still there: rights can be given again, and all of it be taken. */
    move(b->task, a->task, PLACE, 12, PLACE, L4_FPAGE_RWX);
    expect_eq(rights_at(b, PLACE), L4_FPAGE_RW);
    unmap(a->task, PLACE, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(rights_at(b, PLACE), 0);
}

/* Rights taken from a superpage, and from small pages below it. */
static void rights_of_superpages(void)
{
    struct child *a = child_new(), *b = child_new();

    pool_map(a->task, 0, 21, PLACE, L4_FPAGE_RWX);
    move(b->task, a->task, PLACE, 13, PLACE, L4_FPAGE_RWX);
    unmap(L4_BASE_TASK_CAP, pool, 21, L4_FPAGE_W, OTHERS);
    expect_eq(rights_at(a, PLACE + 0x1ff000), L4_FPAGE_RX);
    expect_eq(rights_at(b, PLACE), L4_FPAGE_RX);
    expect_eq(rights_at(b, PLACE + KIB4), L4_FPAGE_RX);
}

static void holes(void)
{
    l4_cap_idx_t a = task_new();

    expect_eq(unmap(a, PLACE, 12, L4_FPAGE_RWX, ALL), 0);
    expect_eq(unmap(a, 0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RWX, ALL), 0);
    expect_eq(unmap(a, L4_USER_END, 30, L4_FPAGE_RWX, ALL), 0);
    expect_eq(unmap(a, 0xffffffff80000000UL, 21, L4_FPAGE_RWX, ALL), 0);
    pool_map(a, 0, 12, PLACE, L4_FPAGE_RW);
    pool_map(a, 0x9000, 12, PLACE + 0x9000, L4_FPAGE_RW);
    expect_eq(unmap(a, PLACE + KIB4, 11, L4_FPAGE_RWX, ALL), 0);
    expect_eq(unmap(a, PLACE, 0, L4_FPAGE_RWX, ALL), 0);
    expect_eq(page_at(a, PLACE), 0);
    expect_eq(unmap(a, PLACE, 16, L4_FPAGE_RWX, ALL) & DIRTY, 0);
    expect_eq(page_at(a, PLACE), HOLE);
    expect_eq(page_at(a, PLACE + 0x9000), HOLE);
}

/* The flexpage is aligned to its own size first. */
static void unaligned(void)
{
    l4_cap_idx_t a = task_new();

    pool_map(a, 0, 14, PLACE, L4_FPAGE_RW);
    unmap(a, PLACE + 0x3fff, 13, L4_FPAGE_RWX, ALL);
    expect_eq(page_at(a, PLACE), 0);
    expect_eq(page_at(a, PLACE + KIB4), KIB4);
    expect_eq(page_at(a, PLACE + 2 * KIB4), HOLE);
    expect_eq(page_at(a, PLACE + 3 * KIB4), HOLE);
}

static void batch(void)
{
    l4_cap_idx_t a = task_new();
    struct child *b = child_new();
    l4_fpage_t fp[61];
    l4_msgtag_t tag;
    unsigned wrong = 0;

    pool_map(a, 0, 18, PLACE, L4_FPAGE_RW);
    for (unsigned i = 0; i < 64; i++)
        move(b->task, a, PLACE + i * KIB4, 12, PLACE + i * KIB4, L4_FPAGE_RW);
    for (unsigned i = 0; i < 61; i++)
        fp[i] = l4_fpage(PLACE + (60 - i) * KIB4, 12, L4_FPAGE_RWX);
    probe_read(b, PLACE + 5 * KIB4);
    probe_write(b, PLACE + 7 * KIB4 + 16, 1);
    tag = l4_task_unmap_batch(a, fp, 61, OTHERS);
    expect_eq(l4_error(tag), 0);
    expect_eq(l4_msgtag_words(tag), 61);
    for (unsigned i = 0; i < 61; i++) {
        l4_umword_t status = i == 55 ? REF : i == 53 ? REF | DIRTY : 0;

        wrong += l4_utcb()->msg.mr[i] != ((fp[i].raw & ~0xfUL) | status);
    }
    expect_eq(wrong, 0);
    for (unsigned i = 0; i < 64; i++)
        expect_eq(page_at(b->task, PLACE + i * KIB4), i < 61 ? HOLE : i * KIB4);
    expect_eq(page_at(a, PLACE), 0);
}

static void accessed_and_dirty(void)
{
    struct child *a = child_new(), *b = child_new();

    pool_map(a->task, 0x1000, 12, PLACE, L4_FPAGE_RWX);
    move(b->task, a->task, PLACE, 12, PLACE, L4_FPAGE_RWX);
    unmap(L4_BASE_TASK_CAP, pool + 0x1000, 12, 0, OTHERS); /* what earlier tests did */
    expect_eq(unmap(L4_BASE_TASK_CAP, pool + 0x1000, 12, 0, OTHERS), 0);
    probe_read(b, PLACE);
    expect_eq(unmap(a->task, PLACE, 12, 0, OTHERS), REF);
    expect_eq(unmap(a->task, PLACE, 12, 0, OTHERS), 0);
    probe_write(b, PLACE + 16, 7);
    expect_eq(unmap(L4_BASE_TASK_CAP, pool + 0x1000, 12, 0, OTHERS), REF | DIRTY);
    expect_eq(unmap(L4_BASE_TASK_CAP, pool + 0x1000, 12, 0, OTHERS), 0);
    /* Reset, and set again by the next access: nothing stale in the TLB. */
    probe_write(b, PLACE + 16, 8);
    expect_eq(unmap(a->task, PLACE, 12, 0, ALL), REF | DIRTY);
    probe_read(a, PLACE);
    expect_eq(unmap(a->task, PLACE, 12, 0, OTHERS), 0);
    expect_eq(unmap(a->task, PLACE, 12, 0, ALL), REF);
    expect_eq(rights_at(b, PLACE), L4_FPAGE_RWX);
}

/* What a mapping knew when it was removed is not lost for those above. */
static void knowledge_survives(void)
{
    struct child *b = child_new();
    l4_cap_idx_t a = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    unmap(L4_BASE_TASK_CAP, pool + 0x1000, 12, 0, OTHERS);
    move(b->task, a, PLACE, 12, PLACE, L4_FPAGE_RW);
    probe_write(b, PLACE + 16, 1);
    expect_eq(unmap(a, PLACE, 12, L4_FPAGE_RWX, OTHERS), REF | DIRTY);
    expect_eq(unmap(L4_BASE_TASK_CAP, pool + 0x1000, 12, 0, OTHERS), REF | DIRTY);
    expect_eq(unmap(L4_BASE_TASK_CAP, pool + 0x1000, 12, 0, OTHERS), 0);
    /* Also when the whole task goes. */
    move(b->task, a, PLACE, 12, PLACE, L4_FPAGE_RW);
    probe_write(b, PLACE + 16, 1);
    destroy(b->task);
    destroy(a);
    expect_eq(unmap(L4_BASE_TASK_CAP, pool + 0x1000, 12, 0, ALL) & DIRTY, DIRTY);
}

/* Also from below the one that is taken away. */
static void knowledge_passes_the_middle(void)
{
    struct child *c = child_new();
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    move(b, a, PLACE, 12, PLACE, L4_FPAGE_RW);
    move(c->task, b, PLACE, 12, PLACE, L4_FPAGE_RW);
    probe_write(c, PLACE + 16, 1);
    expect_eq(unmap(b, PLACE, 12, L4_FPAGE_RWX, ALL), REF | DIRTY);
    expect_eq(unmap(a, PLACE, 12, 0, OTHERS) & DIRTY, DIRTY);
    expect_eq(unmap(a, PLACE, 12, 0, ALL), 0);
}

/* A write of another task lets its page be dirty, not its neighbour. */
static void knowledge_is_per_page(void)
{
    struct child *b = child_new();

    pool_map(b->task, 0, 15, PLACE, L4_FPAGE_RW);
    probe_write(b, PLACE + 3 * KIB4 + 16, 1);
    for (unsigned i = 0; i < 8; i++)
        expect_eq(unmap(b->task, PLACE + i * KIB4, 12, 0, ALL), i == 3 ? REF | DIRTY : 0);
    probe_write(b, PLACE + 3 * KIB4 + 16, 1);
    expect_eq(unmap(b->task, PLACE, 15, L4_FPAGE_RWX, ALL), REF | DIRTY);
}

enum { CHAIN = 300 };

/* Deeper than L4Re allows: two tasks in turn, each time at the next address. */
static void chains(void)
{
    l4_cap_idx_t t[2] = {task_new(), task_new()};

    pool_map(t[0], 0x1000, 12, PLACE, L4_FPAGE_RW);
    for (unsigned i = 1; i < CHAIN; i++)
        expect_eq(move(t[i % 2], t[(i - 1) % 2], PLACE + (i - 1) * KIB4, 12, PLACE + i * KIB4,
                       L4_FPAGE_RW), 0);
    expect_eq(page_at(t[(CHAIN - 1) % 2], PLACE + (CHAIN - 1) * KIB4), 0x1000);
    unmap(t[0], PLACE + 100 * KIB4, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(page_at(t[0], PLACE + 100 * KIB4), 0x1000);
    expect_eq(page_at(t[1], PLACE + 101 * KIB4), HOLE);
    expect_eq(removed(t[0]) + removed(t[1]), CHAIN - 101);
    unmap(L4_BASE_TASK_CAP, pool + 0x1000, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(removed(t[0]) + removed(t[1]), CHAIN);
    expect_eq(page_at(t[0], PLACE), HOLE);
}

enum { FAN = 600 };

static void fans(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    for (unsigned i = 0; i < FAN; i++)
        expect_eq(move(b, a, PLACE, 12, PLACE2 + i * KIB4, L4_FPAGE_RW), 0);
    unmap(b, PLACE2 + 17 * KIB4, 12, L4_FPAGE_RWX, ALL);
    expect_eq(page_at(b, PLACE2 + 17 * KIB4), HOLE);
    expect_eq(page_at(b, PLACE2 + 16 * KIB4), 0x1000);
    expect_eq(page_at(b, PLACE2 + 18 * KIB4), 0x1000);
    expect_eq(removed(b), 1);
    unmap(a, PLACE, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(removed(b), FAN);
    expect_eq(page_at(a, PLACE), 0x1000);
}

/* What a dead task had mapped on goes with it. */
static void death_of_a_task(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();

    pool_map(a, 0, 16, PLACE, L4_FPAGE_RW);
    move(b, a, PLACE, 16, PLACE, L4_FPAGE_RW);
    move(c, b, PLACE, 16, PLACE, L4_FPAGE_RW);
    move(c, a, PLACE, 12, PLACE2, L4_FPAGE_RW);
    expect_eq(destroy(b), 0);
    expect_eq(page_at(a, PLACE + KIB4), KIB4);
    expect_eq(page_at(c, PLACE + KIB4), HOLE);
    expect_eq(page_at(c, PLACE2), 0);
    expect_eq(removed(c), 16);
}

static volatile l4_umword_t *spy_at;
static volatile l4_umword_t spied;
static volatile bool spy_stop;

static void spy(void *arg)
{
    (void)arg;
    while (!spy_stop)
        spied = *spy_at;
}

/* A task that keeps reading the page, so that its translation is in the TLB all the time. */
static void no_stale_translation(void)
{
    struct child *b = child_new();

    b->priority = PRIO_TEST - 1;
    spy_stop = false;
    spied = HOLE;
    pool_map(b->task, 0x1000, 12, PLACE, L4_FPAGE_RW);
    spy_at = (volatile l4_umword_t *)PLACE;
    child_run(b, spy, NULL);
    l4_ipc_sleep_ms(1);
    expect_eq(spied, 0x1000);
    pool_map(b->task, 0x2000, 12, PLACE, L4_FPAGE_RW);
    l4_ipc_sleep_ms(1);
    expect_eq(spied, 0x2000);
    pool_map(b->task, 0, 21, PLACE, L4_FPAGE_RW);
    l4_ipc_sleep_ms(1);
    expect_eq(spied, 0);
    spy_stop = true;
}

/* ---- in one's own space: what the TLB has just learnt must be forgotten ---- */

struct own {
    struct touched before, after, write_before, write_after;
    long err;
};

static l4_msgtag_t own_unmap(l4_addr_t at, unsigned order, unsigned rights)
{
    return l4_task_unmap(CHILD_TASK, l4_fpage(at, order, (unsigned char)rights), ALL);
}

static void take_all(void *arg)
{
    struct own *o = arg;

    o->before = touch_read(PLACE, 0);
    o->err = l4_error(own_unmap(PLACE, 12, L4_FPAGE_RWX));
    o->after = touch_read(PLACE, 0);
}

static void take_family(void *arg)
{
    struct own *o = arg;

    l4_task_map(CHILD_TASK, CHILD_TASK, l4_fpage(PLACE, 12, L4_FPAGE_RW),
                l4_map_control(PLACE2, 0, 0));
    o->write_before = touch_read(PLACE2, 0);
    o->before = touch_read(PLACE, 0);
    o->err = l4_error(own_unmap(PLACE, 12, L4_FPAGE_RWX));
    o->after = touch_read(PLACE, 0);
    o->write_after = touch_read(PLACE2, 0);
}

static void take_write(void *arg)
{
    struct own *o = arg;

    o->write_before = touch_write(PLACE + 16, 1);
    o->err = l4_error(own_unmap(PLACE, 12, L4_FPAGE_W));
    o->before = touch_read(PLACE, 0);
    o->write_after = touch_write(PLACE + 16, 2);
}

static void take_superpage(void *arg)
{
    struct own *o = arg;

    o->before = touch_read(PLACE + 0x5000, 0);
    o->err = l4_error(own_unmap(PLACE, 21, L4_FPAGE_RWX));
    o->after = touch_read(PLACE + 0x5000, 0);
}

static void give_away(void *arg)
{
    struct own *o = arg;

    o->before = touch_read(PLACE, 0);
    o->err = l4_error(l4_task_map(CHILD_TASK, CHILD_TASK, l4_fpage(PLACE, 12, L4_FPAGE_RW),
                                  l4_map_control(PLACE2, 0, L4_MAP_ITEM_GRANT)));
    o->after = touch_read(PLACE, 0);
    o->write_after = touch_read(PLACE2, 0);
}

static void map_another(void *arg)
{
    struct own *o = arg;

    o->before = touch_read(PLACE, 0);
    o->err = l4_error(l4_task_map(CHILD_TASK, CHILD_TASK, l4_fpage(PLACE + KIB4, 12, L4_FPAGE_RW),
                                  l4_map_control(PLACE, 0, 0)));
    o->after = touch_read(PLACE, 0);
}

/* There are neighbours in the same page tables: nothing else is a reason to flush. */
static struct own own_space(void (*what)(void *), unsigned order)
{
    static struct own o;
    struct child *c = child_new();

    memset(&o, 0, sizeof(o));
    pool_map(c->task, 0, order, PLACE, L4_FPAGE_RW);
    pool_map(c->task, 0, order, PLACE + (1UL << order), L4_FPAGE_RW);
    child_run(c, what, &o);
    expect(c->finished);
    expect_eq(o.err, 0);
    return o;
}

static void own_translations(void)
{
    struct own o = own_space(take_all, 12);

    expect(!o.before.refused && o.after.refused);
    o = own_space(take_family, 12);
    expect(!o.before.refused && o.after.refused);
    expect(!o.write_before.refused && o.write_after.refused);
    o = own_space(take_write, 12);
    expect(!o.write_before.refused && !o.before.refused && o.write_after.refused);
    o = own_space(take_superpage, 21);
    expect(!o.before.refused && o.after.refused);
    o = own_space(give_away, 13);
    expect(!o.before.refused && o.after.refused && !o.write_after.refused);
    expect_eq(o.write_after.value, 0);
    o = own_space(map_another, 13);
    expect(!o.before.refused && !o.after.refused);
    expect_eq(o.before.value, 0);
    expect_eq(o.after.value, KIB4);
}

/* Accessed and dirty that were reset are set again, though the TLB has the page. */
static void reset_and_again(void *arg)
{
    struct own *o = arg;

    touch_write(PLACE + 16, 1);
    own_unmap(PLACE, 12, 0);
    o->before.value = l4_utcb()->msg.mr[0] & 15;
    touch_write(PLACE + 16, 2);
    o->err = l4_error(own_unmap(PLACE, 12, 0));
    o->after.value = l4_utcb()->msg.mr[0] & 15;
}

static void own_accesses(void)
{
    struct own o = own_space(reset_and_again, 12);

    expect_eq(o.before.value, REF | DIRTY);
    expect_eq(o.after.value, REF | DIRTY);
}

const struct test unmap_tests[] = {
    {"unmap takes from the others, or from all", others_or_all},
    {"revoking R takes the page", revoking_r_takes_the_page},
    {"revoking W or X lowers rights and keeps the tree", rights_only},
    {"rights of a superpage go with those of the small pages below it", rights_of_superpages},
    {"unmap of holes, of less than a page, of the kernel's half succeeds", holes},
    {"an unaligned flexpage is aligned down", unaligned},
    {"61 flexpages in one call, each with its own answer", batch},
    {"rights 0 reads accessed and dirty and resets them", accessed_and_dirty},
    {"what a removed mapping knew, its parents know", knowledge_survives},
    {"what a mapping below it knew, too", knowledge_passes_the_middle},
    {"accessed and dirty are per page", knowledge_is_per_page},
    {"a chain of 300 mappings is cut in the middle, then at the root", chains},
    {"a fan of 600 mappings loses one, then all", fans},
    {"the death of a task takes what was mapped from it", death_of_a_task},
    {"no old translation is used after a change", no_stale_translation},
    {"nor in the space of the one who made the change", own_translations},
    {"accesses after a reset are seen, though the page was just used", own_accesses},
    {NULL, NULL},
};
