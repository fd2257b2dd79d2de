/*
 * uninit/memory.c - UTCBs and pages that have been somebody else's before
 */
#include "uninit.h"

#include <abi/protocols.h>
#include <abi/sigma0.h>
#include <l4/sigma0/ram.h>

enum { CROWD_BYTES = 1 << CROWD_ORDER, WORDS = CROWD_BYTES / 8, UTCB_WORDS = 128, ROUNDS = 4 };
#define DIRT 0xa5a5a5a5a5a5a5a5UL

static struct crowd crowd;
static volatile unsigned long bad_words, last_bad, checked;

static volatile l4_umword_t *area(void)
{
    return (volatile l4_umword_t *)CHILD_UTCB_ADDR;
}

/* Word i of the area as the kernel makes it: only bound UTCBs have something in them. */
static l4_umword_t fresh_word(unsigned long i, unsigned long bound)
{
    if (i / UTCB_WORDS > bound)
        return 0;
    if (i % UTCB_WORDS == L4_UTCB_SELF_WORD)
        return CHILD_UTCB_ADDR + i / UTCB_WORDS * L4_UTCB_OFFSET;
    return i % UTCB_WORDS == L4_UTCB_TCR_WORD + 1;
}

/* Looks at everything before its first system call, then leaves dirt for the next ones. */
static void look_and_soil(unsigned long self)
{
    for (unsigned long i = 0; i < WORDS; i++) {
        if (area()[i] != fresh_word(i, self)) {
            bad_words++;
            last_bad = i;
        }
        checked++;
    }
    for (unsigned long i = 0; i < WORDS; i++)
        if (i % UTCB_WORDS != L4_UTCB_SELF_WORD)
            area()[i] = DIRT ^ i;
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

static void utcbs(void)
{
    bad_words = checked = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        l4_cap_idx_t task;

        crowd_start(&crowd);
        task = crowd.task;
        crowd_run(&crowd, crowd_join(&crowd, L4_INVALID_CAP, L4_INVALID_CAP), look_and_soil,
                  PRIO_CHILD);
        destroy(task);
        destroy(crowd.thread[0]);
        l4_ipc_sleep_ms(2);
    }
    expect_eq(checked, ROUNDS * WORDS);
    if (!expect_eq(bad_words, 0))
        printf("# word %lu\n", last_bad);
}

/* Page tables, slots, tables of parts: all were made of pages that held dirt, and all worked. A
 * wrong entry in one would be a page, or a capability, out of nowhere. */
static void tables_made_of_dirt(void)
{
    struct child *c;

    crowd_start(&crowd);
    crowd_run(&crowd, crowd_join(&crowd, L4_INVALID_CAP, L4_INVALID_CAP), look_and_soil,
              PRIO_CHILD);
    destroy(crowd.task);
    l4_ipc_sleep_ms(2);
    c = child_new();
    for (l4_umword_t i = 0; i < 512; i += 7) {
        expect(probe_read(c, 0x300000000000UL + (i << 12)).fault);
        expect(probe_read(c, 0x300000000000UL + (i << 30)).fault);
    }
    for (l4_cap_idx_t i = 16; i < 512; i++)
        expect_eq(l4_task_cap_valid(c->task, i << L4_CAP_SHIFT).raw >> 16, 0);
    expect_eq(give(c, L4_BASE_LOG_CAP, 9000UL << L4_CAP_SHIFT, L4_CAP_FPAGE_RW), 0);
    for (l4_cap_idx_t i = 8704; i < 9216; i++)
        expect_eq(l4_task_cap_valid(c->task, i << L4_CAP_SHIFT).raw >> 16, i == 9000);
}

/* ---- pages of sigma0 ---- */

static l4_cap_idx_t account(void)
{
    l4_cap_idx_t slot = slot_new();
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = (l4_umword_t)L4_PROTO_SIGMA0;
    u->msg.mr[1] = 8UL << 16 | L4_VARG_TYPE_UMWORD;
    u->msg.mr[2] = 1 << 20;
    u->buf.bdr = 0;
    u->buf.br[0] = slot | L4_RCV_ITEM_SINGLE_CAP;
    expect_eq(l4_error(l4_ipc_call(L4_BASE_PAGER_CAP, u, l4_msgtag(L4_PROTO_FACTORY, 3, 0, 0),
                                   L4_IPC_NEVER)), 0);
    return slot;
}

static l4_addr_t allocate(l4_cap_idx_t from, unsigned order)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = SIGMA0_RAM_ALLOC;
    u->msg.mr[1] = order;
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = l4_fpage(0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RWX).raw;
    expect_eq(l4_error(l4_ipc_call(from, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 2, 0, 0),
                                   L4_IPC_NEVER)), 0);
    return u->msg.mr[0];
}

static void release(l4_cap_idx_t from)
{
    expect_eq(l4_ram_release(from), 0);
}

static bool all_zero(l4_addr_t at, unsigned order)
{
    const l4_umword_t *w = (const l4_umword_t *)at;

    for (unsigned long i = 0; i < (1UL << order) / 8; i++)
        if (w[i])
            return false;
    return true;
}

static void pages_of_sigma0(void)
{
    enum { ORDER = 16, BLOCKS = 8 };
    l4_addr_t before[BLOCKS];
    unsigned again = 0;

    for (unsigned round = 0; round < 3; round++) {
        l4_cap_idx_t a = account();

        for (unsigned i = 0; i < BLOCKS; i++) {
            l4_addr_t at = allocate(a, ORDER);

            for (unsigned j = 0; round && j < BLOCKS; j++)
                again += before[j] == at;
            expect(all_zero(at, ORDER));
            memset((void *)at, 0x5a, 1UL << ORDER);
        }
        for (unsigned i = 0; i < BLOCKS; i++)
            before[i] = 0;
        release(a);
        a = account();
        before[0] = allocate(a, ORDER);
        expect(all_zero(before[0], ORDER));
        memset((void *)before[0], 0x5a, 1UL << ORDER);
        release(a);
    }
    expect(again > 0); /* the same memory did come back */
}

const struct test memory_tests[] = {
    {"UTCBs are zero, whatever was in their pages before", utcbs},
    {"tables made of used pages have no entries of their own", tables_made_of_dirt},
    {"memory that sigma0 gives again is zero again", pages_of_sigma0},
    {NULL, NULL},
};
