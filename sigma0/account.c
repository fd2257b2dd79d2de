/*
 * sigma0/account.c - the tree of accounts: how they begin and end
 *
 *   LIVE --RELEASE, gate deleted, parent ends--> ending --its frames are free--> gone
 *
 * C1  The number of an account is the slot of its gate and a count, so none is used twice.
 * C2  An account that is ending is asked for nothing, hears nothing and is on the list of those;
 *     its record lives until no frame has its number any more.
 * C3  A parent's record lives longer than its children's.
 */
#include "ram.h"

#include <abi/errors.h>

enum {
    SERIAL_SHIFT = 16,
    ENDS_STEP = 64, /* accounts that go in one step */
};

struct account *account_find(const struct ram *r, l4_umword_t slot)
{
    struct account *a = pool_slot_account(r, slot);

    return a && account_slot(a) == slot ? a : NULL;
}

struct account *account_child(const struct ram *r, const struct account *a, l4_umword_t number)
{
    struct account *c = account_find(r, number & 0xffff);

    return c && c->number == number && c->parent == a && !c->ending ? c : NULL;
}

/* Room for one more below this one? */
static bool room(const struct ram *r, const struct account *parent)
{
    if (r->account_count >= RAM_ACCOUNTS_MAX)
        return false;
    for (const struct account *a = parent; a != r->root; a = a->parent)
        if (a->below >= RAM_BELOW_MAX)
            return false;
    return true;
}

static void tree_enter(struct account *parent, struct account *a)
{
    a->parent = parent;
    if (!parent)
        return;
    a->next = parent->first;
    if (a->next)
        a->next->prev = a;
    parent->first = a;
    for (struct account *p = parent; p; p = p->parent)
        p->below++;
}

static void tree_leave(struct account *a)
{
    if (a->next)
        a->next->prev = a->prev;
    if (a->prev)
        a->prev->next = a->next;
    else
        a->parent->first = a->next;
    for (struct account *p = a->parent; p; p = p->parent)
        p->below--;
}

int account_create(struct ram *r, struct account *parent, l4_umword_t quota, struct account **out)
{
    struct account *a;
    unsigned slot;

    if (parent && (quota > account_left(parent) || !room(r, parent) ||
                   (RAM_RESERVE && !pool_ready(r))))
        return -L4_ENOMEM;
    a = pool_take(r, POOL_ACCOUNT);
    slot = a ? pool_slot_take(r, a) : 0;
    if (!slot) {
        if (a)
            pool_give(r, POOL_ACCOUNT, a);
        return -L4_ENOMEM;
    }
    a->number = ++r->serial << SERIAL_SHIFT | slot;
    a->quota = quota;
    tree_enter(parent, a);
    if (parent)
        parent->used += quota;
    r->account_count++;
    *out = a;
    return 0;
}

/* ---- ends ---- */

/* The next account of the tree below `top` after `a`, parents first. */
static struct account *tree_next(const struct account *top, struct account *a)
{
    if (a->first)
        return a->first;
    while (a != top && !a->next)
        a = a->parent;
    return a == top ? NULL : a->next;
}

void account_end(struct ram *r, struct account *a)
{
    for (struct account *c = a; c; c = tree_next(a, c)) {
        if (c->ending)
            continue;
        quota_end(r, c);
        ram_free_devices(r, c);
        if (!r->ending_frames)
            r->sweep = c->lowest;
        c->ending = true;
        r->ending_frames += c->frames;
        c->news_next = r->ending;
        r->ending = c;
    }
}

/* Nothing has its number any more. */
static void gone(struct ram *r, struct account *a)
{
    unsigned slot = account_slot(a);

    a->parent->used -= a->quota;
    tree_leave(a);
    ram_gate_delete(slot);
    pool_slot_give(r, slot);
    pool_give(r, POOL_ACCOUNT, a);
    r->account_count--;
}

void account_end_step(struct ram *r)
{
    struct account **link = &r->ending;
    unsigned n = 0;

    ram_sweep(r);
    while (*link && n < ENDS_STEP) {
        struct account *a = *link;

        if (a->frames || a->first) {
            link = &a->news_next;
            continue;
        }
        *link = a->news_next;
        gone(r, a);
        n++;
    }
}

/* ---- gates that somebody has deleted ---- */

static bool gc(struct ram *r, struct account *a)
{
    if (a == r->root || a->ending || ram_gate_lives(account_slot(a)))
        return false;
    account_end(r, a);
    return true;
}

bool account_gc_step(struct ram *r)
{
    struct account *a;

    if (++r->checked >= (l4_umword_t)r->pool.nodes * POOL_NODE_SLOTS)
        r->checked = 0;
    a = account_find(r, r->checked);
    return a && gc(r, a);
}

bool account_gc_children(struct ram *r, struct account *a)
{
    bool found = false;

    for (struct account *c = a->first; c; c = c->next)
        found |= c->ending || gc(r, c);
    return found;
}
