/*
 * test_sigma0.c - the root pager's decisions against a model that is an array of owners
 *
 * Messages go in as words, answers are compared with what the model says; the hooks play the
 * machine: memory that is dirty, and mappings that somebody still holds.
 */
#include "../../sigma0/request.h"

#include <abi/errors.h>
#include <abi/fpage.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <abi/sigma0.h>
#include <abi/stats.h>

#include <assert.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { FRAMES = 2048, KIP_FRAME = 300, CLIENTS = 12 };
/* The machine: nothing below 16, RAM with a hole for devices, the kernel, a module, RAM. */
enum { RAM1 = 16, RAM1_END = 160, KERNEL = 256, MODULE = 320, MODULE_END = 333, RAM2 = 512,
       HOLE = 777 };

/* Gates whose slots are below are compared with the model; slot 2 is what sigma0 receives in. */
enum { GATES = CLIENTS + 8, FIRST = 3 };

static struct service service;
static struct buddy buddy;
static l4_uint16_t owner[FRAMES];
static bool dirty[FRAMES];  /* holds somebody's bytes */
static bool mapped[FRAMES]; /* some client can reach it */
static bool gate_fails;
static bool gone[POOL_SLOTS_MAX];

/* The model. Owners of frames that sigma0 took for itself are copied from it. */
static struct {
    l4_uint16_t owner[FRAMES];
    bool live[GATES];
    unsigned parent[GATES];
    l4_umword_t quota[GATES];
} model;

static unsigned long seed = 1;

static unsigned random_below(unsigned n)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(seed >> 33) % n;
}

/* ---- hooks ---- */

void ram_bug(const char *what)
{
    fprintf(stderr, "ram_bug: %s\n", what);
    abort();
}

void ram_clear(l4_addr_t start, l4_umword_t size)
{
    for (l4_umword_t f = start >> 12; f < (start + size) >> 12; f++) {
        assert(!mapped[f]);
        dirty[f] = false;
    }
}

void ram_revoke(l4_addr_t start, unsigned order)
{
    for (l4_umword_t f = start >> 12; f < (start + (1UL << order)) >> 12; f++)
        mapped[f] = false;
}

void ram_gate_delete(unsigned slot)
{
    gone[slot] = true;
}

bool ram_gate_lives(unsigned slot)
{
    return !gone[slot];
}

void ram_notify(unsigned slot)
{
    assert(slot);
}

void ram_slot_clear(unsigned slot)
{
    assert(slot);
}

int request_gate(unsigned slot)
{
    if (gate_fails)
        return -L4_ENOMEM;
    gone[slot] = false;
    return 0;
}

void request_dump(const struct service *s)
{
    (void)s;
}

/* ---- the machine and the model ---- */

static void machine_start(void)
{
    static void *meta;

    free(meta);
    meta = malloc(buddy_meta_size(FRAMES));
    service = (struct service){.kip = KIP_FRAME << 12};
    buddy_init(&buddy, meta, 0, FRAMES);
    ram_init(&service.ram, &buddy, owner, FRAMES);
    ram_add(&service.ram, RAM1 << 12, RAM1_END << 12);
    ram_add(&service.ram, (l4_addr_t)RAM2 << 12, (l4_addr_t)FRAMES << 12);
    ram_mark(&service.ram, KERNEL << 12, (KIP_FRAME + 1) << 12, RAM_SYSTEM);
    ram_mark(&service.ram, MODULE << 12, MODULE_END << 12, RAM_DEDICATED);
    ram_mark(&service.ram, FRAMES << 12, (FRAMES + 9) << 12, RAM_SYSTEM); /* is cut */
    ram_withdraw(&service.ram, HOLE << 12, (HOLE + 3) << 12);
    ram_withdraw(&service.ram, (FRAMES - 1) << 12, (FRAMES + 7) << 12);
    memset(gone, 0, sizeof(gone));
    assert(ram_open(&service.ram));
    assert(pool_slot_take(&service.ram, service.ram.root) == FIRST - 1);
    pool_refill(&service.ram);
    memset(&model, 0, sizeof(model));
    memset(mapped, 0, sizeof(mapped));
    memset(dirty, 1, sizeof(dirty));
    memcpy(model.owner, owner, sizeof(owner));
    model.live[RAM_ROOT] = true;
    model.quota[RAM_ROOT] = (l4_umword_t)(RAM1_END - RAM1 + FRAMES - RAM2 - 4 - POOL_KEPT) << 12;
    gate_fails = false;
}

static l4_umword_t model_used(unsigned client)
{
    l4_umword_t used = 0;

    for (unsigned f = 0; f < FRAMES; f++)
        used += model.owner[f] == client ? L4_PAGESIZE : 0;
    for (unsigned c = 1; c < GATES; c++)
        used += c != RAM_ROOT && model.live[c] && model.parent[c] == client ? model.quota[c] : 0;
    return used;
}

static bool model_below(unsigned c, unsigned ancestor)
{
    while (c != ancestor && c != RAM_ROOT)
        c = model.parent[c];
    return c == ancestor;
}

/* What ram_claim must answer, frame by frame. */
static long model_claim(unsigned client, l4_addr_t start, unsigned order)
{
    l4_umword_t pages = 1UL << (order - 12);
    l4_umword_t missing = 0;

    if (start & ((1UL << order) - 1))
        return -L4_EINVAL;
    for (l4_umword_t f = start >> 12; f < (start >> 12) + pages; f++) {
        if (f >= FRAMES)
            return -L4_ENOMEM;
        if (model.owner[f] == RAM_FREE)
            missing++;
        else if (model.owner[f] != client &&
                 !(client == RAM_ROOT && model.owner[f] == RAM_DEDICATED))
            return -L4_ENOMEM;
    }
    if (missing << 12 > model.quota[client] - model_used(client))
        return -L4_ENOMEM;
    return 0;
}

static bool model_block_exists(unsigned order)
{
    l4_umword_t pages = 1UL << (order - 12);

    for (l4_umword_t f = 0; f + pages <= FRAMES; f += pages) {
        l4_umword_t n = 0;

        while (n < pages && model.owner[f + n] == RAM_FREE)
            n++;
        if (n == pages)
            return true;
    }
    return false;
}

/* The client got this block: check what it sees, then let it use it. */
static void received(unsigned client, const struct answer *a)
{
    l4_addr_t start = a->piece[0].start;

    assert(a->items == 1 && a->one_to_one);
    for (l4_umword_t f = start >> 12; f < (start + (1UL << a->piece[0].order)) >> 12; f++) {
        assert(f < FRAMES);
        if (model.owner[f] == RAM_FREE) {
            assert(!dirty[f]);
            model.owner[f] = (l4_uint16_t)client;
        }
        assert(model.owner[f] == client || model.owner[f] == RAM_DEDICATED);
        mapped[f] = true;
        dirty[f] = true;
    }
}

/* What sigma0 uses itself may change with every request; it is nobody else's. */
static void own_frames(void)
{
    for (unsigned f = 0; f < FRAMES; f++) {
        bool was = model.owner[f] == RAM_SYSTEM, is = owner[f] == RAM_SYSTEM;

        if (was == is)
            continue;
        assert(model.owner[f] == RAM_FREE || owner[f] == RAM_FREE);
        model.owner[f] = owner[f];
        dirty[f] = true;
    }
}

static void compare(void)
{
    assert(memcmp(owner, model.owner, sizeof(owner)) == 0);
    for (unsigned c = 1; c < GATES; c++) {
        const struct account *a = account_find(&service.ram, c);

        assert((a != NULL) == model.live[c]);
        if (a)
            assert(a->used == model_used(c) && a->quota == model.quota[c]);
    }
    for (unsigned f = 0; f < FRAMES; f++)
        assert(owner[f] != RAM_FREE || !mapped[f]);
    assert(ram_ok(&service.ram) && buddy_ok(&buddy));
}

/* ---- messages ---- */

static struct answer send(unsigned client, long label, unsigned words, l4_umword_t a,
                          l4_umword_t b, l4_umword_t c)
{
    struct request q = {.label = label, .words = words, .gate = client, .mr = {a, b, c}};
    static struct answer answer;

    request_handle(&service, &q, &answer);
    own_frames();
    assert(answer.label >= 0 || (answer.item == ANSWER_NO_ITEM && answer.words == 0));
    return answer;
}

static l4_umword_t page(l4_addr_t start, unsigned order)
{
    return start | (l4_umword_t)order << 6 | L4_FPAGE_MEMORY << 4 | L4_FPAGE_RWX;
}

static struct answer sigma0(unsigned client, unsigned op, l4_addr_t start, unsigned order)
{
    return send(client, L4_PROTO_SIGMA0, 2, ~0xffUL | op, page(start, order), 0);
}

static unsigned account(unsigned parent, l4_umword_t quota)
{
    struct answer a = send(parent, L4_PROTO_FACTORY, 3, (l4_umword_t)L4_PROTO_SIGMA0, 8 << 16 | 1,
                           quota);

    assert(a.label == 0 && a.item == ANSWER_GATE && a.gate < GATES);
    assert(a.words == 1 && (a.mr[0] & 0xffff) == a.gate);
    model.live[a.gate] = true;
    model.parent[a.gate] = parent;
    model.quota[a.gate] = quota;
    return a.gate;
}

/* ---- the protocol, sentence by sentence ---- */

static void a_page_is_given_once_and_again_to_the_same_client(void)
{
    struct answer a;
    unsigned other;

    machine_start();
    other = account(RAM_ROOT, 1 << 20);
    a = sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, 32 << 12, 14);
    assert(a.label == 0 && a.item == ANSWER_MEMORY);
    assert(a.piece[0].start == 32 << 12 && a.piece[0].order == 14);
    received(RAM_ROOT, &a);
    a = sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, 32 << 12, 12);
    assert(a.label == 0);
    a = sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, 32 << 12, 16); /* partly new */
    assert(a.label == 0);
    received(RAM_ROOT, &a);
    assert(sigma0(other, SIGMA0_REQ_ID_FPAGE_RAM, 34 << 12, 12).label == -L4_ENOMEM);
    assert(send(other, L4_PROTO_PAGE_FAULT, 2, (33 << 12) + 8, 0, 0).label == -L4_ENOMEM);
    compare();
}

static void every_error_has_its_number(void)
{
    machine_start();
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, 33 << 12, 13).label == -L4_EINVAL);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, 32 << 12, 11).label == -L4_EINVAL);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, 0, 63).label == -L4_EINVAL);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, 0, 47).label == -L4_ENOMEM);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, 15 << 12, 12).label == -L4_ENOMEM);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, KERNEL << 12, 12).label == -L4_ENOMEM);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, 1UL << 40, 12).label == -L4_ENOMEM);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_ANY, 0, 10).label == -L4_EINVAL);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_ANY, 0, 40).label == -L4_ENOMEM);
    assert(sigma0(RAM_ROOT, 0xb0, 0, 12).label == -L4_ENOSYS);
    assert(sigma0(RAM_ROOT, 0x61, 0, 12).label == -L4_ENOSYS);
    assert(send(RAM_ROOT, L4_PROTO_SIGMA0, 2, 0x60, page(32 << 12, 12), 0).label == -L4_ENOSYS);
    assert(send(RAM_ROOT, L4_PROTO_SIGMA0, 1, ~0xffUL | 0x60, 0, 0).label == -L4_EMSGTOOSHORT);
    assert(send(RAM_ROOT, L4_PROTO_SIGMA0, 0, 0, 0, 0).label == -L4_EMSGTOOSHORT);
    assert(send(RAM_ROOT, 77, 1, 0, 0, 0).label == -L4_EBADPROTO);
    assert(send(RAM_ROOT, L4_PROTO_FACTORY, 3, 0, 8 << 16 | 1, 0).label == -L4_ENODEV);
    assert(send(RAM_ROOT, L4_PROTO_FACTORY, 1, (l4_umword_t)L4_PROTO_SIGMA0, 0, 0).label ==
           -L4_EMSGTOOSHORT);
    assert(send(0, L4_PROTO_SIGMA0, 2, ~0xffUL | 0x90, page(0, 12), 0).label == -L4_EACCESS);
    assert(send(9, L4_PROTO_SIGMA0, 2, ~0xffUL | 0x90, page(0, 12), 0).label == -L4_EACCESS);
    compare();
}

static void devices_and_the_kip_and_dedicated_memory(void)
{
    unsigned other;
    struct answer a;

    machine_start();
    other = account(RAM_ROOT, 1 << 20);
    a = sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_IOMEM, 0xfee00000, 12);
    assert(a.label == 0 && a.attributes == L4_FPAGE_UNCACHEABLE && a.rights == L4_FPAGE_RW);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_IOMEM_CACHED, 0xfee00000, 12).label == 0);
    assert(sigma0(other, SIGMA0_REQ_ID_FPAGE_IOMEM, 0xfee00000, 12).label == -L4_ENOMEM);
    assert(sigma0(other, SIGMA0_REQ_ID_FPAGE_IOMEM, 0xfe000000, 24).label == -L4_ENOMEM);
    assert(sigma0(other, SIGMA0_REQ_ID_FPAGE_IOMEM, 0xa0000, 16).label == 0); /* the hole */
    assert(sigma0(other, SIGMA0_REQ_ID_FPAGE_IOMEM, 0, 20).label == -L4_ENOMEM); /* has RAM */
    assert(sigma0(other, SIGMA0_REQ_ID_FPAGE_IOMEM, KERNEL << 12, 12).label == -L4_ENOMEM);
    assert(sigma0(other, SIGMA0_REQ_ID_FPAGE_IOMEM, 1UL << 32, 12).label == -L4_ENOMEM);
    a = sigma0(other, SIGMA0_REQ_ID_KIP, 0, 0);
    assert(a.label == 0 && a.piece[0].start == KIP_FRAME << 12 && a.rights == L4_FPAGE_RO);
    a = send(other, L4_PROTO_PAGE_FAULT, 2, KIP_FRAME << 12, 0, 0);
    assert(a.label == 0 && a.rights == L4_FPAGE_RO);
    assert(send(other, L4_PROTO_PAGE_FAULT, 2, (KIP_FRAME << 12) | L4_PF_WRITE, 0, 0).label < 0);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, MODULE << 12, 15).label == 0);
    assert(sigma0(other, SIGMA0_REQ_ID_FPAGE_RAM, MODULE << 12, 12).label == -L4_ENOMEM);
    assert(send(RAM_ROOT, L4RE_PROTO_MEM_ALLOC, 2, SIGMA0_RAM_FREE, page(MODULE << 12, 12), 0)
               .label == -L4_EPERM);
    assert(send(other, L4RE_PROTO_MEM_ALLOC, 1, SIGMA0_RAM_RELEASE, 0, 0).label == 0);
    assert(sigma0(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_IOMEM, 0xa0000, 16).label == 0);
}

static void a_gate_that_cannot_be_made_leaves_no_account(void)
{
    machine_start();
    gate_fails = true;
    assert(send(RAM_ROOT, L4_PROTO_FACTORY, 3, (l4_umword_t)L4_PROTO_SIGMA0, 8 << 16 | 1, 4096)
               .label == -L4_ENOMEM);
    compare();
}

static void accounts_end_when_the_table_is_full(void)
{
    unsigned n = 1;

    machine_start();
    while (send(RAM_ROOT, L4_PROTO_FACTORY, 3, (l4_umword_t)L4_PROTO_SIGMA0, 8 << 16 | 1, 0)
               .label == 0)
        n++;
    assert(n == RAM_ACCOUNTS_MAX && ram_ok(&service.ram));
}

/* ---- at random, against the model ---- */

static unsigned some_client(void)
{
    unsigned c = random_below(CLIENTS) ? FIRST + random_below(CLIENTS) : RAM_ROOT;

    return model.live[c] ? c : RAM_ROOT;
}

static void step_claim(void)
{
    unsigned client = some_client();
    unsigned order = 12 + random_below(random_below(4) ? 4 : 11);
    l4_addr_t start = (l4_addr_t)random_below(FRAMES + 40) << 12;
    bool fault = random_below(3) == 0;
    struct answer a;

    if (random_below(8))
        start &= ~((1UL << order) - 1);
    if (fault) {
        order = 12;
        if (start == KIP_FRAME << 12)
            return;
    }
    long want = model_claim(client, start, order);
    a = fault ? send(client, L4_PROTO_PAGE_FAULT, 2, start | L4_PF_WRITE, 0x400000, 0)
              : sigma0(client, SIGMA0_REQ_ID_FPAGE_RAM, start, order);
    assert(a.label == want);
    if (want == 0) {
        assert(a.item == ANSWER_MEMORY && a.piece[0].start == start && a.piece[0].order == order);
        received(client, &a);
    }
}

static void step_alloc(void)
{
    unsigned client = some_client();
    unsigned order = 12 + random_below(random_below(3) ? 3 : 11);
    l4_umword_t left = model.quota[client] - model_used(client);
    bool can = 1UL << order <= left && model_block_exists(order);
    bool service = random_below(2);
    struct answer a = service ? send(client, L4RE_PROTO_MEM_ALLOC, 2, SIGMA0_RAM_ALLOC, order, 0)
                              : sigma0(client, SIGMA0_REQ_ID_FPAGE_ANY, 0, order);

    assert(a.label == (can ? 0 : -L4_ENOMEM));
    if (!can)
        return;
    l4_addr_t start = a.piece[0].start;
    assert(a.piece[0].order == order && !(start & ((1UL << order) - 1)));
    assert(!service || (a.words == 1 && a.mr[0] == start));
    for (l4_umword_t f = start >> 12; f < (start >> 12) + (1UL << (order - 12)); f++)
        assert(model.owner[f] == RAM_FREE);
    received(client, &a);
}

static void step_free(void)
{
    unsigned client = some_client();
    unsigned order = 12 + random_below(5);
    l4_addr_t start = (l4_addr_t)random_below(FRAMES) << 12 & ~((1UL << order) - 1);
    l4_umword_t pages = 1UL << (order - 12);
    bool own = true;
    struct answer a;

    for (l4_umword_t f = start >> 12; f < (start >> 12) + pages; f++)
        own = own && f < FRAMES && model.owner[f] == client;
    a = send(client, L4RE_PROTO_MEM_ALLOC, 2, SIGMA0_RAM_FREE, page(start, order), 0);
    assert(a.label == (own ? 0 : -L4_EPERM));
    for (l4_umword_t f = start >> 12; own && f < (start >> 12) + pages; f++)
        model.owner[f] = RAM_FREE;
}

static void step_account(void)
{
    unsigned parent = some_client();
    l4_umword_t quota = (l4_umword_t)random_below(400) << 12;
    struct answer a;

    if (quota > model.quota[parent] - model_used(parent)) {
        a = send(parent, L4_PROTO_FACTORY, 3, (l4_umword_t)L4_PROTO_SIGMA0, 8 << 16 | 1, quota);
        assert(a.label == -L4_ENOMEM);
    } else if (!model.live[FIRST + CLIENTS]) {
        account(parent, quota);
    }
}

static void step_release(void)
{
    unsigned client = some_client();
    bool below[GATES] = {false};
    struct answer a = send(client, L4RE_PROTO_MEM_ALLOC, 1, SIGMA0_RAM_RELEASE, 0, 0);

    assert(a.label == (client == RAM_ROOT ? -L4_EPERM : 0));
    if (client == RAM_ROOT)
        return;
    for (unsigned c = FIRST; c < GATES; c++)
        below[c] = model.live[c] && model_below(c, client);
    for (unsigned f = 0; f < FRAMES; f++)
        if (model.owner[f] < GATES && below[model.owner[f]])
            model.owner[f] = RAM_FREE;
    for (unsigned c = FIRST; c < GATES; c++)
        if (below[c]) {
            model.live[c] = false;
            assert(gone[c]);
        }
}

static void step_query(void)
{
    unsigned client = some_client();
    struct answer a = send(client, L4RE_PROTO_MEM_ALLOC, 1, SIGMA0_RAM_QUERY, 0, 0);

    assert(a.words == SIGMA0_QUERY_WORDS && a.mr[SIGMA0_QUERY_QUOTA] == model.quota[client] &&
           a.mr[SIGMA0_QUERY_USED] == model_used(client));
    a = send(client, L4RE_PROTO_STATS, 1, L4RE_STATS_GET_OP, 0, 0);
    assert(a.words == L4RE_SIGMA0_STATS_NUM && a.mr[0] == service.requests &&
           a.mr[4] == model_used(client));
}

/* Any words at all: no answer is wrong, but nothing may break. */
static void garbage(void)
{
    static const long labels[] = {L4_PROTO_SIGMA0,      L4_PROTO_FACTORY, L4_PROTO_PAGE_FAULT,
                                  L4RE_PROTO_MEM_ALLOC, L4RE_PROTO_STATS, -5};

    machine_start();
    for (unsigned i = 0; i < 20000; i++) {
        l4_umword_t w[3];

        for (unsigned j = 0; j < 3; j++)
            w[j] = (l4_umword_t)random_below(1u << 31) << random_below(34);
        if (random_below(2))
            w[0] = ~0xffUL | random_below(256);
        send(random_below(300), labels[random_below(6)], random_below(4), w[0], w[1], w[2]);
    }
    assert(ram_ok(&service.ram) && buddy_ok(&buddy));
}

int main(void)
{
    /* sigma0's records lie in memory that it sees at its physical address. */
    void *low = mmap((void *)(RAM1 << 12), (l4_umword_t)(FRAMES - RAM1) << 12,
                     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                     0);
    static void (*const steps[])(void) = {step_claim, step_claim,   step_alloc,   step_alloc,
                                          step_free,  step_account, step_release, step_query};

    assert(low == (void *)(RAM1 << 12));
    a_page_is_given_once_and_again_to_the_same_client();
    every_error_has_its_number();
    devices_and_the_kip_and_dedicated_memory();
    a_gate_that_cannot_be_made_leaves_no_account();
    accounts_end_when_the_table_is_full();
    for (unsigned round = 0; round < 8; round++) {
        machine_start();
        for (unsigned i = 0; i < 3000; i++) {
            unsigned s = random_below(60);

            steps[s == 0 ? 6 : s < 5 ? 5 : s % 5]();
            if (i % 8 == 0)
                compare();
        }
        step_query();
    }
    garbage();
    printf("test_sigma0: ok\n");
    return 0;
}
