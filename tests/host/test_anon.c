/*
 * test_anon.c - all of anon but its contact with kernel and sigma0, against a model that copies
 *
 * The model of a dataspace is an array: which value fills page n. Snapshots and copies copy it.
 * Clients keep what was mapped to them until it is taken away, and read through it at any time: so
 * a write that shows in another dataspace is seen even where nobody asks for the page again.
 *
 * After each step the books are checked: each frame is somebody's, each is paid for once, nobody
 * pays for more than its size, nobody is over quota, what is reserved is there.
 */
#include "../../pagers/anon.h"

#include <abi/errors.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    SPACES = 14, /* dataspaces at a time */
    SMALL = 40,  /* pages */
    LARGE = 2 * BLOCK + 3,
    ACCOUNTS = 3,
    CHUNKS = 12,
    CHUNK_WORDS = L4_SUPERPAGESIZE / sizeof(long),
    WORDS = L4_PAGESIZE / sizeof(long),
    ROUNDS = 24,
    STEPS = 500,
};

struct client_page {
    l4_addr_t address; /* 0: nothing is mapped */
    bool writable;
};

struct space {
    bool used, dead, reserved;
    struct anon_ds anon;
    long value[LARGE]; /* the model; -1: it may have been lost */
    struct client_page client[LARGE];
};

static const struct manager *const m = &anon_manager;
static struct space spaces[SPACES];
static struct account accounts[ACCOUNTS];
static const struct space *busy[2]; /* the running request works on them */
static char *const memory = (char *)0x20000000;
static char *const views = (char *)0x60000000; /* of the zero page, one a dataspace */
static unsigned chunks_given, chunks_allowed;
static unsigned seed;
static long last_value;
static unsigned long losses, copies, refusals;

static unsigned below(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

/* ---------------------------------------------------------------- what is around anon */

struct frame_pool anon_pool;
l4_umword_t sigma0_requests, object_frames;

bool ram_chunk(unsigned order)
{
    if (order != CHUNK_SHIFT || chunks_given >= chunks_allowed)
        return false;
    l4_addr_t start = (l4_addr_t)memory + (l4_addr_t)chunks_given++ * L4_SUPERPAGESIZE;
    memset((void *)start, 0, L4_SUPERPAGESIZE);
    return frames_add(&anon_pool, start, BLOCK);
}

bool ram_grow(l4_umword_t n)
{
    while (!ram_at_hand(NULL, n))
        if (!ram_chunk(CHUNK_SHIFT))
            return false;
    return true;
}

bool ram_refill(l4_umword_t n)
{
    return ram_grow(n) || (manager_gc() && ram_grow(n));
}

void ram_shrink(void)
{
}

l4_umword_t ram_given(void)
{
    return 0;
}

static void unmap_client(struct client_page *c, l4_addr_t start, l4_addr_t end, unsigned rights)
{
    if (!c->address || c->address < start || c->address >= end)
        return;
    if (rights & L4_FPAGE_R)
        c->address = 0;
    if (rights & L4_FPAGE_W)
        c->writable = false;
}

long ram_unmap(const l4_fpage_t *fpages, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        l4_addr_t start = fpages[i].raw & L4_PAGEMASK;
        l4_addr_t end = start + (1UL << (fpages[i].raw >> L4_FPAGE_SIZE_SHIFT & 63));

        for (struct space *s = spaces; s < spaces + SPACES; s++)
            for (unsigned p = 0; s->used && p < anon_pages(&s->anon); p++)
                unmap_client(&s->client[p], start, end, fpages[i].raw & L4_FPAGE_RWX);
    }
    return 0;
}

static struct space *space_of(const struct anon_ds *a)
{
    return (struct space *)((char *)a - __builtin_offsetof(struct space, anon));
}

l4_addr_t zero_view(struct anon_ds *a)
{
    a->zero = 1;
    a->slow |= SLOW_ZERO;
    return (l4_addr_t)views + (l4_addr_t)(space_of(a) - spaces) * L4_PAGESIZE;
}

void zero_revoke(struct anon_ds *a)
{
    l4_fpage_t page = {(l4_addr_t)views + (l4_addr_t)(space_of(a) - spaces) * L4_PAGESIZE};

    page.raw |= (l4_umword_t)L4_PAGESHIFT << L4_FPAGE_SIZE_SHIFT | L4_FPAGE_RWX;
    if (a->slow & SLOW_ZERO)
        ram_unmap(&page, 1);
    a->slow &= ~(unsigned)SLOW_ZERO;
}

void zero_release(struct anon_ds *a)
{
    zero_revoke(a);
    a->zero = 0;
}

void ds_page_widen(struct ds_page *page, l4_addr_t start, l4_addr_t end)
{
    while (page->order < 40) {
        l4_addr_t size = 2UL << page->order, first = page->address & ~(size - 1);

        if (first < start || first + size > end || ((page->address ^ page->hot_spot) & (size - 1)))
            return;
        page->order++;
    }
}

static void space_end(struct space *s)
{
    m->release(&s->anon.ds);
    assert(s->anon.shared == 0 && s->anon.ds.counts.frames == 0 &&
           s->anon.ds.counts.index_frames == 0 && s->anon.ds.counts.reserve == 0);
    for (unsigned p = 0; p < anon_pages(&s->anon); p++)
        assert(!s->client[p].address);
    s->used = false;
}

bool manager_gc(void)
{
    bool found = false;

    for (struct space *s = spaces; s < spaces + SPACES; s++) {
        if (!s->used || !s->dead || s == busy[0] || s == busy[1])
            continue;
        space_end(s);
        found = true;
    }
    return found;
}

/* ---------------------------------------------------------------- the books */

static bool pays(l4_umword_t entry)
{
    return (entry & L4_PAGEMASK) && (!(entry & ENTRY_SHARED) || (entry & ENTRY_PAYS));
}

/* Entries of all dataspaces that have the frame, and how many of them pay. */
static void owners(l4_umword_t frame, unsigned *count, unsigned *payers)
{
    *count = *payers = 0;
    for (struct space *s = spaces; s < spaces + SPACES; s++) {
        l4_umword_t page = 0;

        for (; s->used && index_next(&s->anon.index, &page, anon_pages(&s->anon)); page++) {
            l4_umword_t entry = *index_find(&s->anon.index, page);

            *count += (entry & L4_PAGEMASK) == frame;
            *payers += (entry & L4_PAGEMASK) == frame && pays(entry);
        }
    }
}

static void check_entries(const struct space *s, bool thorough)
{
    l4_umword_t page = 0, paid = 0, shared = 0, pages = anon_pages(&s->anon);

    for (; index_next(&s->anon.index, &page, pages); page++) {
        l4_umword_t entry = *index_find(&s->anon.index, page);
        unsigned count, payers;

        paid += pays(entry);
        shared += (entry & ENTRY_SHARED) != 0;
        assert(!(entry & ENTRY_LOST) || !s->reserved);
        assert(!(entry & ENTRY_SHARED) || !s->client[page].writable);
        if (!thorough || !(entry & ENTRY_SHARED))
            continue;
        owners(entry & L4_PAGEMASK, &count, &payers);
        assert(payers == 1 && count == frames_owners(&anon_pool, entry & L4_PAGEMASK));
    }
    assert(paid == s->anon.ds.counts.frames && paid <= pages && shared == s->anon.shared);
    assert(s->anon.ds.counts.index_frames == s->anon.index.nodes);
    if (s->reserved)
        assert(paid + s->anon.index.nodes + s->anon.ds.counts.reserve ==
               pages + index_nodes_max(pages));
}

static void check_books(bool thorough)
{
    l4_umword_t used[ACCOUNTS] = {0}, frames = 0, reserve = 0;

    for (struct space *s = spaces; s < spaces + SPACES; s++) {
        const struct ds_counts *c = &s->anon.ds.counts;

        if (!s->used)
            continue;
        check_entries(s, thorough);
        used[s->anon.ds.account - accounts] += c->frames + c->index_frames + c->reserve;
        frames += c->frames + c->index_frames;
        reserve += c->reserve;
    }
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        assert(accounts[i].used == used[i] * L4_PAGESIZE);
        assert(accounts[i].used <= accounts[i].quota);
    }
    assert(ds_totals.reserve == reserve && frames_free(&anon_pool) >= reserve);
    assert(anon_pool.total == frames + frames_free(&anon_pool) + anon_pool.own);
    if (thorough)
        assert(frames_ok(&anon_pool));
}

static void check_page(const long *at, long value)
{
    for (unsigned i = 0; i < WORDS; i++)
        assert(at[i] == value);
}

/* What clients have mapped reads as it should. */
static void check_clients(void)
{
    for (struct space *s = spaces; s < spaces + SPACES; s++)
        for (unsigned p = 0; s->used && p < anon_pages(&s->anon); p++)
            if (s->client[p].address)
                check_page((const long *)s->client[p].address, s->value[p]);
}

/* ---------------------------------------------------------------- steps */

static struct space *any(void)
{
    struct space *s = &spaces[below(SPACES)];

    return s->used && !s->dead ? s : NULL;
}

static bool lost(const struct space *s, unsigned p)
{
    const l4_umword_t *entry = index_find(&s->anon.index, p);

    return entry && (*entry & ENTRY_LOST);
}

/* The client's fault. False: it got an error, and may have got it. */
static bool fault(struct space *s, unsigned p, unsigned rights)
{
    struct ds_page page = {.order = L4_PAGESHIFT, .rights = rights,
                           .hot_spot = (l4_addr_t)p << L4_PAGESHIFT};
    long err;

    busy[0] = s;
    err = m->map(&s->anon.ds, (l4_umword_t)p << L4_PAGESHIFT, &page);
    busy[0] = NULL;
    if (err != 0) {
        assert(err == -L4_ENOMEM && !s->reserved);
        losses += lost(s, p);
        refusals += !lost(s, p);
        return false;
    }
    assert(!lost(s, p));
    for (unsigned i = 0, n = 1u << (page.order - L4_PAGESHIFT), first = p & ~(n - 1); i < n; i++) {
        l4_addr_t at = (page.address & ~((1UL << page.order) - 1)) + i * L4_PAGESIZE;

        if (first + i < anon_pages(&s->anon))
            s->client[first + i] = (struct client_page){at, page.rights & L4RE_DS_F_W};
    }
    return true;
}

static void step_write(struct space *s, unsigned p)
{
    struct client_page *c = &s->client[p];

    if (!(c->address && c->writable) && !fault(s, p, L4RE_DS_F_RW))
        return;
    assert(c->address && c->writable);
    check_page((const long *)c->address, s->value[p]);
    s->value[p] = ++last_value;
    for (unsigned i = 0; i < WORDS; i++)
        ((long *)c->address)[i] = last_value;
}

static void step_read(struct space *s, unsigned p)
{
    if (s->client[p].address || fault(s, p, L4RE_DS_F_R))
        check_page((const long *)s->client[p].address, s->value[p]);
}

static struct space *step_open(l4_umword_t pages, l4_umword_t flags)
{
    struct space *s = &spaces[below(SPACES)];
    struct ds_request r = {.size = pages << L4_PAGESHIFT, .flags = flags, .align = L4_PAGESHIFT};

    if (s->used)
        return NULL;
    memset(s, 0, sizeof(*s));
    s->anon.ds.account = &accounts[below(ACCOUNTS)];
    busy[0] = s;
    if (m->open(&s->anon.ds, &r) == 0) {
        s->used = true;
        s->reserved = flags & L4RE_MA_RESERVED;
    }
    busy[0] = NULL;
    return s->used ? s : NULL;
}

static void copy_model(struct space *to, unsigned at, const struct space *from, unsigned p,
                       unsigned n)
{
    memmove(&to->value[at], &from->value[p], n * sizeof(long));
    copies++;
}

static void step_share(struct space *s, unsigned at, struct space *from, unsigned p, unsigned n)
{
    long err;

    busy[0] = s;
    busy[1] = from;
    err = m->share(&s->anon.ds, (l4_umword_t)at << L4_PAGESHIFT, &from->anon.ds,
                   (l4_umword_t)p << L4_PAGESHIFT, (l4_umword_t)n << L4_PAGESHIFT);
    busy[0] = busy[1] = NULL;
    if (err == 0)
        copy_model(s, at, from, p, n);
    else if (err == -L4_ENOMEM)
        memset(&s->value[at], 0, n * sizeof(long));
    else
        assert(err == -L4_ENOSYS);
}

static void step_snapshot(struct space *from)
{
    l4_umword_t pages = anon_pages(&from->anon);
    struct space *s = step_open(pages, below(3) ? 0 : L4RE_MA_RESERVED);

    if (s)
        step_share(s, 0, from, 0, (unsigned)pages);
}

static void step_clear(struct space *s, unsigned p, unsigned n)
{
    busy[0] = s;
    assert(m->clear(&s->anon.ds, (l4_umword_t)p << L4_PAGESHIFT,
                    (l4_umword_t)n << L4_PAGESHIFT) == 0);
    busy[0] = NULL;
    memset(&s->value[p], 0, n * sizeof(long));
}

static void step_allocate(struct space *s, unsigned p, unsigned n)
{
    long err;

    busy[0] = s;
    err = m->allocate(&s->anon.ds, (l4_umword_t)p << L4_PAGESHIFT,
                      (l4_umword_t)n << L4_PAGESHIFT);
    busy[0] = NULL;
    assert(err == 0 || (err == -L4_ENOMEM && !s->reserved));
}

static void step_end(struct space *s)
{
    if (below(2)) {
        s->dead = true; /* found later, in the middle of something */
        for (unsigned p = 0; p < LARGE; p++)
            s->client[p].address = 0;
    } else {
        space_end(s);
    }
}

static void step_new(void)
{
    static const l4_umword_t flags[] = {0, 0, L4RE_MA_RESERVED, L4RE_MA_SUPER_PAGES,
                                        L4RE_MA_AHEAD(15), L4RE_MA_AHEAD(20),
                                        L4RE_MA_RESERVED | L4RE_MA_AHEAD(14),
                                        L4RE_MA_RESERVED | L4RE_MA_SUPER_PAGES};
    l4_umword_t f = flags[below(sizeof(flags) / sizeof(flags[0]))];

    step_open(f & L4RE_MA_SUPER_PAGES ? LARGE : 1 + below(SMALL), f);
}

static void step(void)
{
    struct space *s = any(), *other = any();
    unsigned pages, p, n;

    if (!s || below(12) == 0) {
        step_new();
        return;
    }
    pages = (unsigned)anon_pages(&s->anon);
    p = below(4) ? below(pages < SMALL ? pages : SMALL) : below(pages);
    n = 1 + below(pages - p);
    switch (below(16)) {
    case 0:
        step_end(s);
        break;
    case 1:
        step_clear(s, p, n);
        break;
    case 2:
    case 3:
        step_snapshot(s);
        break;
    case 4:
        step_allocate(s, p, n < 8 ? n : 8);
        break;
    case 5:
        if (other && p < anon_pages(&other->anon) && other != s)
            step_share(s, below(2) ? p : below(pages - n + 1), other, p,
                       n < anon_pages(&other->anon) - p ? n
                                                        : (unsigned)anon_pages(&other->anon) - p);
        break;
    case 6:
        for (unsigned i = p; i < p + n && i < p + 20; i++)
            step_write(s, i);
        break;
    case 7:
    case 8:
    case 9:
        step_read(s, p);
        break;
    default:
        step_write(s, p);
    }
}

/* ---------------------------------------------------------------- tests */

static void start(unsigned s, unsigned chunks, l4_umword_t first_quota)
{
    seed = s;
    memset(&anon_pool, 0, sizeof(anon_pool));
    memset(&ds_totals, 0, sizeof(ds_totals));
    memset(spaces, 0, sizeof(spaces));
    memset(accounts, 0, sizeof(accounts));
    for (unsigned i = 0; i < ACCOUNTS; i++)
        accounts[i].quota = (first_quota << 4 * i) * L4_PAGESIZE;
    chunks_given = 0;
    chunks_allowed = chunks;
}

static void end(void)
{
    for (struct space *s = spaces; s < spaces + SPACES; s++)
        if (s->used)
            space_end(s);
    check_books(true);
    assert(anon_pool.total == frames_free(&anon_pool) + anon_pool.own);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        assert(accounts[i].used == 0);
}

static void random_histories_agree_with_copying(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        start(round, 2 + round % (CHUNKS - 1), 20 + round % 60);
        for (unsigned i = 0; i < STEPS; i++) {
            step();
            check_books(i % 16 == 0);
            check_clients();
        }
        end();
    }
    printf("# %lu copies, %lu pages lost, %lu refused\n", copies, losses, refusals);
    fflush(stdout);
    assert(copies > 200 && losses > 10 && refusals > 10);
}

static struct space *open_in(unsigned account, l4_umword_t pages, l4_umword_t flags)
{
    for (;;) {
        struct space *s = step_open(pages, flags);

        if (!s)
            continue;
        s->anon.ds.account = &accounts[account];
        return s;
    }
}

static void the_last_owner_writes_without_copying(void)
{
    struct space *a, *b;
    l4_umword_t free;

    start(1, CHUNKS, 1000);
    a = open_in(0, 8, 0);
    b = open_in(1, 8, 0);
    step_write(a, 3);
    step_share(b, 0, a, 0, 8);
    assert(b->anon.ds.counts.frames == 0 && a->anon.ds.counts.frames == 1);
    step_write(a, 3);
    assert(b->anon.ds.counts.frames == 1 && a->anon.ds.counts.frames == 1);
    free = frames_free(&anon_pool);
    step_write(b, 3);
    assert(frames_free(&anon_pool) == free);
    end();
}

/* A chain, ended from its oldest, its newest or its middle member on. */
static void a_chain_may_end_in_any_order(void)
{
    enum { LINKS = 8 };
    struct space *link[LINKS];

    for (unsigned order = 0; order < 3; order++) {
        start(7 + order, CHUNKS, 1000);
        for (unsigned i = 0; i < LINKS; i++) {
            link[i] = open_in(i % ACCOUNTS, LINKS, 0);
            if (i > 0)
                step_share(link[i], 0, link[i - 1], 0, LINKS);
            step_write(link[i], i);
        }
        for (unsigned i = 0; i < LINKS; i++) {
            unsigned which = order == 0 ? i : order == 1 ? LINKS - 1 - i : (i + LINKS / 2) % LINKS;

            for (unsigned n = 0; n < LINKS; n++)
                for (unsigned p = 0; link[n]->used && p < LINKS; p++)
                    step_read(link[n], p);
            check_clients();
            space_end(link[which]);
            check_books(true);
        }
        end();
    }
}

/* Nobody can pay for the page that is left behind: its other owners lose it, and nothing else. */
static void who_cannot_pay_loses_the_page_alone(void)
{
    struct space *a, *poor, *rich;

    start(3, CHUNKS, 1);
    a = open_in(2, 4, 0);
    poor = open_in(0, 4, 0);
    step_write(a, 0);
    step_write(poor, 3);
    step_share(poor, 0, a, 0, 1);
    step_write(a, 0);
    assert(lost(poor, 0) && !fault(poor, 0, L4RE_DS_F_R) && fault(poor, 3, L4RE_DS_F_RW));
    step_clear(poor, 0, 1);
    assert(!lost(poor, 0) && fault(poor, 0, L4RE_DS_F_R));
    rich = open_in(1, 4, 0);
    step_share(poor, 0, a, 0, 1);
    step_share(rich, 0, a, 0, 1);
    step_write(a, 0);
    assert(!lost(poor, 0) && fault(poor, 0, L4RE_DS_F_R));
    check_clients();
    end();
}

int main(void)
{
    assert(mmap(memory, CHUNKS * L4_SUPERPAGESIZE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == memory);
    assert(mmap(views, SPACES * L4_PAGESIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
                MAP_FIXED_NOREPLACE, -1, 0) == views);
    the_last_owner_writes_without_copying();
    a_chain_may_end_in_any_order();
    who_cannot_pay_loses_the_page_alone();
    random_histories_agree_with_copying();
    return 0;
}
