/*
 * sigma0/quota.c - quota that is traded: given, taken back, asked for, asked back
 *
 *   child: TAKE beyond its quota --> parent: NEWS REQUEST --> GRANT or DENY --> child goes on
 *   parent: YIELD --> child: NEWS YIELD, frees, GRANT to 0 --> parent: NEWS YIELDED
 *                       \-- the deadline passes --------------> parent: NEWS EXPIRED
 *
 * Nobody waits in here. Who waits does so at an object of its own, whose capability it has sent
 * along; sigma0 triggers it and forgets it. So whoever never answers hurts only those who wait for
 * that answer, and they can stop waiting.
 *
 * U1  A trade changes two accounts and no sum: the quota of a child is part of its parent's use.
 * U2  A child is in its parent's queue of news exactly if it has some.
 * U3  A slot that an account refers to as waiter or watch is its own, until it is cleared.
 */
#include "ram.h"

#include <abi/errors.h>
#include <abi/sigma0.h>

/* ---- who hears what ---- */

static void slot_drop(struct ram *r, unsigned *slot)
{
    if (!*slot)
        return;
    ram_slot_clear(*slot);
    pool_slot_give(r, *slot);
    *slot = 0;
}

static void notify(const struct account *a)
{
    if (a && a->watch)
        ram_notify(a->watch);
}

static void news(struct account *a, unsigned what)
{
    struct account *p = a->parent;

    if (!a->news) {
        a->news_next = NULL;
        if (p->news_first)
            p->news_last->news_next = a;
        else
            p->news_first = a;
        p->news_last = a;
    }
    a->news |= what;
    notify(p);
}

static void news_forget(struct account *a)
{
    struct account **link = &a->parent->news_first, *before = NULL;

    if (!a->news)
        return;
    while (*link != a) {
        before = *link;
        link = &before->news_next;
    }
    *link = a->news_next;
    if (a->parent->news_last == a)
        a->parent->news_last = before;
    a->news = 0;
}

static void news_drop(struct account *a, unsigned what)
{
    if (a->news & what && !(a->news & ~what))
        news_forget(a);
    a->news &= ~what;
}

void quota_watch(struct ram *r, struct account *a, unsigned slot)
{
    slot_drop(r, &a->watch);
    a->watch = slot;
}

/* ---- requests ---- */

/* The parent has decided, or will not any more: the waiting thread tries once again. */
static void decided(struct ram *r, struct account *a)
{
    a->wanted = 0;
    news_drop(a, NEWS_REQUEST);
    if (a->waiter)
        ram_notify(a->waiter);
    slot_drop(r, &a->waiter);
}

int quota_ask(struct account *a, l4_umword_t size, unsigned slot)
{
    if (a->wanted)
        return -L4_EBUSY;
    if (!a->parent || !a->parent->watch)
        return -L4_ENOMEM;
    a->wanted = size;
    a->waiter = slot;
    news(a, NEWS_REQUEST);
    return -L4_EAGAIN;
}

int quota_deny(struct ram *r, struct account *a, l4_umword_t child)
{
    struct account *c = account_child(r, a, child);

    if (!c || !c->wanted)
        return -L4_ENOENT;
    decided(r, c);
    return 0;
}

void quota_cancel(struct ram *r, struct account *a)
{
    if (a->wanted)
        decided(r, a);
}

/* ---- yields ---- */

static void yield_end(struct ram *r, struct account *a)
{
    struct account **link = &r->yields;

    if (!a->yield)
        return;
    while (*link != a)
        link = &(*link)->yield_next;
    *link = a->yield_next;
    a->yield = 0;
}

/* So much quota has gone from a child to its parent. */
static void yielded(struct ram *r, struct account *a, l4_umword_t size)
{
    if (!a->yield)
        return;
    a->yielded += size;
    if (a->yielded < a->yield)
        return;
    a->news_yielded = a->yielded;
    yield_end(r, a);
    news(a, NEWS_YIELDED);
}

int quota_yield(struct ram *r, struct account *a, l4_umword_t child, l4_umword_t size,
                l4_uint64_t deadline)
{
    struct account *c = account_child(r, a, child);

    if (!c)
        return -L4_ENOENT;
    if (!size || size > c->quota)
        return -L4_EINVAL;
    if (c->yield || c->news & (NEWS_YIELDED | NEWS_EXPIRED))
        return -L4_EBUSY;
    c->yield = size;
    c->yielded = 0;
    c->yield_told = false;
    c->deadline = deadline;
    c->yield_next = r->yields;
    r->yields = c;
    notify(c);
    return 0;
}

l4_uint64_t quota_expire(struct ram *r, l4_uint64_t now)
{
    l4_uint64_t next = 0;

    for (struct account *a = r->yields, *after; a; a = after) {
        after = a->yield_next;
        if (a->deadline > now) {
            next = next && next < a->deadline ? next : a->deadline;
            continue;
        }
        a->news_yielded = a->yielded;
        yield_end(r, a);
        news(a, NEWS_EXPIRED);
    }
    return next;
}

/* ---- trade ---- */

int quota_grant(struct ram *r, struct account *a, l4_umword_t child, l4_umword_t size)
{
    struct account *c = child ? account_child(r, a, child) : NULL;

    if (child ? !c : !a->parent)
        return -L4_ENOENT;
    if (size > account_left(a))
        return -L4_ENOMEM;
    if (!c) {
        a->quota -= size;
        a->parent->used -= size;
        yielded(r, a, size);
        return 0;
    }
    a->used += size;
    c->quota += size;
    if (c->wanted)
        decided(r, c);
    return 0;
}

int quota_retake(struct ram *r, struct account *a, l4_umword_t child, l4_umword_t size,
                 l4_umword_t *taken)
{
    struct account *c = account_child(r, a, child);

    if (!c)
        return -L4_ENOENT;
    *taken = size < account_left(c) ? size : account_left(c);
    c->quota -= *taken;
    a->used -= *taken;
    yielded(r, c, *taken);
    return 0;
}

/* ---- news ---- */

static int tell(l4_umword_t words[4], unsigned kind, const struct account *child, l4_umword_t bytes,
                l4_uint64_t deadline)
{
    words[SIGMA0_NEWS_KIND] = kind;
    words[SIGMA0_NEWS_CHILD] = child ? child->number : 0;
    words[SIGMA0_NEWS_BYTES] = bytes;
    words[SIGMA0_NEWS_DEADLINE] = deadline;
    return 0;
}

int quota_news(struct account *a, l4_umword_t words[4])
{
    struct account *c = a->news_first;
    unsigned what;

    if (a->yield && !a->yield_told) {
        a->yield_told = true;
        return tell(words, SIGMA0_NEWS_YIELD, NULL, a->yield - a->yielded, a->deadline);
    }
    if (!c)
        return -L4_ENOENT;
    what = c->news & -c->news; /* one a time */
    news_drop(c, what);
    if (what == NEWS_REQUEST)
        return tell(words, SIGMA0_NEWS_REQUEST, c, c->wanted, 0);
    return tell(words, what == NEWS_YIELDED ? SIGMA0_NEWS_YIELDED : SIGMA0_NEWS_EXPIRED, c,
                c->news_yielded, 0);
}

void quota_end(struct ram *r, struct account *a)
{
    if (a->wanted)
        decided(r, a);
    news_forget(a);
    yield_end(r, a);
    quota_watch(r, a, 0);
}
