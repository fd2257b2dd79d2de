/*
 * snapshots/main.c - anon by numbers: zero pages, map-ahead, reserves, snapshots
 *
 * Faults are the region manager's count, frames and bytes the dataspace manager's. After each part
 * both managers hold what they held before.
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/dataspace.h>
#include <l4/re/c/namespace.h>

#include <string.h>

enum { PAGES = 64, SIZE = PAGES * L4_PAGESIZE };

static l4_cap_idx_t mine;

static l4re_ds_t snapshot(l4_cap_idx_t account, l4re_ds_t source, unsigned long flags)
{
    l4re_ds_t ds = l4re_util_cap_alloc();

    return l4re_ma_snapshot_srv(account, source, ds, flags) < 0 ? L4_INVALID_CAP : ds;
}

static l4_umword_t frames(l4_cap_idx_t gate)
{
    return ds_stat(gate, L4RE_STATS_GET_OP, L4RE_DS_STATS_FRAMES);
}

static l4_umword_t used(l4_cap_idx_t gate)
{
    return ds_stat(gate, L4RE_STATS_GET_OP, L4RE_DS_STATS_USED) / L4_PAGESIZE;
}

static l4_umword_t write_pages(volatile char *at, unsigned n, char value)
{
    l4_umword_t before = faults();

    for (unsigned i = 0; i < n; i++)
        at[i * L4_PAGESIZE] = value;
    return faults() - before;
}

static bool pages_are(volatile const char *at, unsigned n, char value)
{
    for (unsigned i = 0; i < n; i++)
        if (at[i * L4_PAGESIZE] != value)
            return false;
    return true;
}

/* ---------------------------------------------------------------- zero page */

static void reading_costs_no_frame(void)
{
    l4re_ds_t ds = new_ds(mine, SIZE, 0);
    volatile char *at = attach(ds, SIZE, L4RE_RM_F_RW), *other = attach(ds, SIZE, L4RE_RM_F_R);
    l4_umword_t before = faults();

    tap_ok(pages_are(at, PAGES, 0) && pages_are(other, PAGES, 0), "pages never written are zero");
    tap_eq(faults() - before, 2 * PAGES, "each is faulted in where it is read");
    tap_eq(frames(ds), 0, "and costs no frame");
    tap_eq(write_pages(at, 1, 'w'), 1, "a write takes a fault");
    tap_eq(frames(ds), 1, "and a frame");
    tap_eq(other[0], 'w', "and is seen where the zero page was");
    tap_ok(pages_are(at + L4_PAGESIZE, PAGES - 1, 0), "the others are zero still");
    tap_eq(frames(ds), 1, "and still cost nothing");
    l4re_rm_detach((void *)other);
    end_ds(ds, at);
}

/* ---------------------------------------------------------------- map-ahead */

static void ahead_in_sequence(void)
{
    enum { MANY = 512 };
    l4re_ds_t ds = new_ds(mine, MANY * L4_PAGESIZE, L4RE_MA_AHEAD(16));
    volatile char *at = attach(ds, MANY * L4_PAGESIZE, L4RE_RM_F_RW);

    /* 2 pages, 2, 4, 8, and from page 16 on 16 at a time */
    tap_eq(write_pages(at, MANY, 's'), 4 + (MANY - 16) / 16, "touched in sequence, few faults");
    tap_ok(pages_are(at, MANY, 's'), "and every page is its own");
    tap_eq(frames(ds), MANY, "no frame more than pages");
    end_ds(ds, at);
    ds = new_ds(mine, MANY * L4_PAGESIZE, L4RE_MA_AHEAD(16));
    at = attach(ds, MANY * L4_PAGESIZE, L4RE_RM_F_RW);
    for (unsigned i = 0; i < 32; i++)
        at[(MANY - 16 - i * 16) * L4_PAGESIZE] = 'r';
    tap_eq(frames(ds), 32, "touched out of sequence, one page at a time");
    end_ds(ds, at);
}

/* ---------------------------------------------------------------- reserved, overcommitted */

static void promises(void)
{
    l4_cap_idx_t small = new_account(PAGES + 1), large = new_account(2 * PAGES);
    l4re_ds_t ds = new_ds(large, SIZE, L4RE_MA_RESERVED), second, third;
    volatile char *at = attach(ds, SIZE, L4RE_RM_F_RW);

    tap_eq(used(ds), PAGES + 1, "a reserved dataspace pays at once, for its index too");
    tap_eq(ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_RESERVE), PAGES + 1,
           "all of it in reserve");
    second = new_ds(large, SIZE, L4RE_MA_RESERVED);
    tap_ok(second == L4_INVALID_CAP, "what cannot be paid cannot be reserved");
    third = new_ds(large, SIZE, 0);
    tap_eq(l4re_ds_allocate(third, 0, SIZE), -L4_ENOMEM, "others have the rest of the quota");
    tap_eq(write_pages(at, PAGES, 'p'), PAGES, "the reserve is there when it is needed");
    tap_eq(used(ds), PAGES + 1, "and nothing more is paid");
    tap_eq(l4re_ds_clear(ds, 0, SIZE), 0, "cleared, pages go back");
    tap_eq(ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_RESERVE), PAGES + 1, "to the reserve");
    end_ds(third, NULL);
    end_ds(ds, at);
    ds = new_ds(small, SIZE, L4RE_MA_RESERVED);
    tap_ok(ds != L4_INVALID_CAP, "an account may reserve to its last page");
    end_ds(ds, NULL);
    end_account(small);
    end_account(large);
}

/* Nearly all of the manager's memory is reserved by one. Another, whose quota is not exhausted,
 * gets a clean error for the page that is not there. */
static void running_dry(void)
{
    enum { ALL = 96 << 20, OTHER = 8 << 20 };
    l4_cap_idx_t greedy = new_account(ALL / L4_PAGESIZE);
    l4re_ds_t all = L4_INVALID_CAP, other = new_ds(mine, OTHER, 0);
    l4_addr_t window = 0x600000000;
    unsigned long size = ALL, at = 0;

    while (size > 0 && (all = new_ds(greedy, size, L4RE_MA_RESERVED)) == L4_INVALID_CAP)
        size -= 1 << 20;
    tap_ok(size > ALL / 2, "one reserves nearly all memory that the manager can get");
    while (at < OTHER &&
           l4re_ds_map(other, at, L4RE_DS_F_RW, window, window, window + L4_PAGESIZE) == 0)
        at += L4_PAGESIZE;
    tap_ok(at < OTHER, "who promised himself nothing runs dry");
    tap_eq(l4re_ds_allocate(all, 0, size), 0, "and who reserved has all of it");
    end_ds(all, NULL);
    tap_eq(l4re_ds_map(other, at, L4RE_DS_F_RW, window, window, window + L4_PAGESIZE), 0,
           "when that is over, the other goes on");
    end_ds(other, NULL);
    end_account(greedy);
}

/* ---------------------------------------------------------------- snapshots */

static void snapshots_share(void)
{
    l4re_ds_t ds = new_ds(mine, SIZE, 0), copy;
    volatile char *at = attach(ds, SIZE, L4RE_RM_F_RW), *c;
    l4_umword_t before;

    write_pages(at, PAGES, 'a');
    before = frames(mine);
    copy = snapshot(mine, ds, 0);
    c = attach(copy, SIZE, L4RE_RM_F_RW);
    tap_eq(frames(mine), before, "a snapshot takes no frame");
    tap_ok(frames(ds) == PAGES && frames(copy) == 0, "the original goes on to pay");
    tap_ok(pages_are(c, PAGES, 'a'), "it reads as the original");
    tap_eq(write_pages(at, 1, 'b'), 1, "writing to the original takes a fault");
    tap_eq(c[0], 'a', "and does not show in the snapshot");
    tap_eq(frames(mine), before + 1, "it costs one frame");
    tap_eq(write_pages(c + L4_PAGESIZE, 1, 'c'), 1, "writing to the snapshot takes one too");
    tap_eq(at[L4_PAGESIZE], 'a', "and does not show in the original");
    tap_eq(frames(mine), before + 2, "one more");
    tap_ok(frames(ds) <= PAGES && frames(copy) <= PAGES, "nobody pays for more than its size");
    end_ds(ds, at);
    tap_eq(frames(mine), PAGES, "the original ends: its pages are the snapshot's");
    before = frames(mine);
    tap_eq(write_pages(c, PAGES, 'd'), PAGES - 1, "whose writes take faults");
    tap_eq(frames(mine), before, "but no frames");
    end_ds(copy, c);
}

/* A tree: each node snapshots its parent, writes one page; ended in an order of its own. */
static void trees(void)
{
    enum { NODES = 15 };
    l4re_ds_t node[NODES];
    volatile char *at[NODES];
    bool good = true;

    node[0] = new_ds(mine, SIZE, 0);
    at[0] = attach(node[0], SIZE, L4RE_RM_F_RW);
    write_pages(at[0], PAGES, 0x40);
    for (unsigned i = 1; i < NODES; i++) {
        node[i] = snapshot(mine, node[(i - 1) / 2], 0);
        at[i] = attach(node[i], SIZE, L4RE_RM_F_RW);
        at[i][i * L4_PAGESIZE] = (char)(0x40 + i);
    }
    tap_eq(frames(mine), PAGES + NODES - 1, "a tree of 15 costs a frame for each page written");
    for (unsigned n = 0; n < NODES; n++) {
        unsigned gone = n * 7 % NODES;

        end_ds(node[gone], at[gone]);
        at[gone] = NULL;
        for (unsigned i = 0; i < NODES; i++)
            for (unsigned p = 0, a = i; at[i] && p < PAGES; p++, a = i) {
                while (a != p && a > 0)
                    a = (a - 1) / 2;
                good &= at[i][p * L4_PAGESIZE] == (char)(0x40 + (a == p ? p : 0));
            }
    }
    tap_ok(good, "every node reads what it and its ancestors wrote, whoever has ended");
    tap_eq(frames(mine), 0, "and nothing remains");
}

static void copies_are_lazy(void)
{
    l4re_ds_t ds = new_ds(mine, SIZE, 0), copy = new_ds(mine, SIZE + 8 * L4_PAGESIZE, 0);
    volatile char *at = attach(ds, SIZE, L4RE_RM_F_RW);
    volatile char *c = attach(copy, SIZE + 8 * L4_PAGESIZE, L4RE_RM_F_RW);
    l4_umword_t before;

    write_pages(at, PAGES, 'l');
    before = frames(mine);
    tap_eq(l4re_ds_copy_in(copy, 3 * L4_PAGESIZE + 100, ds, 100, 8 * L4_PAGESIZE), 0,
           "a copy that begins and ends within pages");
    tap_eq(frames(mine), before + 2, "takes frames for these two");
    tap_ok(c[3 * L4_PAGESIZE] == 0 && pages_are(c + 4 * L4_PAGESIZE, 8, 'l'), "it is a copy");
    at[L4_PAGESIZE] = 'm';
    tap_ok(c[4 * L4_PAGESIZE] == 'l', "that keeps what it has");
    end_ds(ds, at);
    end_ds(copy, c);
}

/* Of another manager's dataspace: copied now, and paid. */
static void snapshots_of_files(void)
{
    l4re_ds_t file = l4re_util_cap_alloc(), copy;
    volatile char *at, *c;
    unsigned long size, pages;

    tap_eq(l4re_ns_query_srv(l4re_env_get_cap("rom"), "rom.elf", file), 0, "a module");
    size = l4re_ds_size(file);
    pages = (size + L4_PAGESIZE - 1) / L4_PAGESIZE;
    copy = snapshot(mine, file, 0);
    at = attach(file, size, L4RE_RM_F_R);
    c = attach(copy, size, L4RE_RM_F_RW);
    tap_eq(l4re_ds_size(copy), size, "its snapshot has its size, to the byte");
    tap_eq(memcmp((void *)at, (void *)c, size), 0, "and its contents");
    tap_eq(frames(copy), pages, "in frames of its own");
    c[0] = 1;
    tap_ok(at[0] != c[0], "and can be written");
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(file);
    end_ds(copy, c);
    tap_ok(snapshot(mine, l4re_env()->rm, 0) == L4_INVALID_CAP, "of what is no dataspace: none");
    tap_ok(snapshot(mine, L4_INVALID_CAP, 0) == L4_INVALID_CAP, "of nothing: none");
}

/* Who inherits a page and cannot pay loses it; who has reserved does not. */
static void heirs(void)
{
    l4_cap_idx_t poor = new_account(2), rich = new_account(2 * PAGES);
    l4re_ds_t ds = new_ds(mine, SIZE, 0), lost, kept;
    l4_addr_t window = 0x600000000;
    volatile char *at = attach(ds, SIZE, L4RE_RM_F_RW), *c;

    write_pages(at, PAGES, 'h');
    lost = snapshot(poor, ds, 0);
    end_ds(ds, at);
    tap_eq(used(poor), 2, "what is left behind is paid as far as the quota goes");
    tap_eq(l4re_ds_map(lost, (PAGES - 1) * L4_PAGESIZE, L4RE_DS_F_R, window, window,
                       window + L4_PAGESIZE), -L4_ENOMEM, "a page that nobody can pay is lost");
    end_ds(lost, NULL);
    ds = new_ds(mine, SIZE, 0);
    at = attach(ds, SIZE, L4RE_RM_F_RW);
    write_pages(at, PAGES, 'k');
    kept = snapshot(rich, ds, L4RE_MA_RESERVED);
    end_ds(ds, at);
    c = attach(kept, SIZE, L4RE_RM_F_RW);
    tap_ok(pages_are(c, PAGES, 'k'), "who reserved keeps all of them");
    tap_eq(used(kept), PAGES + 1, "for what was paid at the beginning");
    end_ds(kept, c);
    end_account(poor);
    end_account(rich);
}

/* ---------------------------------------------------------------- leaks */

static l4_umword_t books(void)
{
    l4_umword_t w[L4RE_DS_STATS_NUM] = {0};

    l4re_stats_get(l4re_env_get_cap("anon"), L4RE_STATS_TOTALS_OP, 0, w, L4RE_DS_STATS_NUM);
    tap_eq(w[L4RE_DS_STATS_FRAMES] + w[L4RE_DS_STATS_INDEX_FRAMES] + w[L4RE_DS_STATS_FRAMES_FREE] +
               w[L4RE_DS_STATS_OBJECT_FRAMES], w[L4RE_DS_STATS_FRAMES_TOTAL], "no frame is lost");
    tap_eq((w[L4RE_DS_STATS_FRAMES] + w[L4RE_DS_STATS_INDEX_FRAMES] + w[L4RE_DS_STATS_RESERVE]) *
               L4_PAGESIZE, w[L4RE_DS_STATS_USED], "and each is paid for once");
    return w[L4RE_DS_STATS_FRAMES] + w[L4RE_DS_STATS_INDEX_FRAMES] + w[L4RE_DS_STATS_RESERVE];
}

int main(void)
{
    static void (*const parts[])(void) = {
        reading_costs_no_frame, ahead_in_sequence, promises,           snapshots_share, trees,
        copies_are_lazy,        snapshots_of_files, heirs,             running_dry,
    };
    l4_umword_t before;

    mine = new_account(3000);
    before = books();
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        parts[i]();
        tap_eq(books(), before, "all memory has come back");
    }
    end_account(mine);
    return tap_done();
}
