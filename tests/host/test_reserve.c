/*
 * test_reserve.c - sigma0's reserve: at every point of exhaustion two more requests are possible
 *
 * Built twice: with the reserve, and without (RAM_RESERVE 0), to see what it is for.
 */
#include "sigma0_machine.h"

enum { FRAMES = 0x2000, POINTS = 96, REQUESTS = 160 };
static const l4_umword_t pieces[][2] = {{LOW_FIRST, FRAMES}, {0, 0}};

static l4_umword_t stolen[FRAMES];
static unsigned stolen_count;

/* All but `left` frames are gone, as if others had them; the free ones are single or in pieces. */
static void memory_steal(l4_umword_t left, bool scattered)
{
    struct ram *r = &service.ram;

    stolen_count = 0;
    while (r->free_frames > left) {
        int64_t f = buddy_alloc(&buddy, 0);

        r->free_frames--;
        stolen[stolen_count++] = (l4_umword_t)f;
    }
    for (unsigned i = 0; scattered && i < left / 2; i++) {
        l4_umword_t f = stolen[stolen_count - 1 - 2 * i];

        CHECK(buddy_alloc(&buddy, 0) >= 0 && buddy_free(&buddy, f, 0) == 0);
    }
}

/* P1, tried out: what two requests take is there, and taking it makes nothing new. */
static void two_more(void)
{
    static const enum pool_kind kinds[] = {POOL_ACCOUNT, POOL_DEVICE, POOL_BLOCK, POOL_BLOCK};
    struct ram *r = &service.ram;
    void *records[2][4];
    unsigned slots[2];

    CHECK(ram_reserve_ok(r));
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 4; k++)
            CHECK((records[i][k] = pool_take(r, kinds[k])) != NULL);
        CHECK((slots[i] = pool_slot_take(r, r->root)) != 0);
    }
    CHECK(r->pool.grown_inside == 0);
    for (unsigned i = 2; i-- > 0;) {
        pool_slot_give(r, slots[i]);
        for (unsigned k = 4; k-- > 0;)
            pool_give(r, kinds[k], records[i][k]);
    }
}

/* Requests of every kind that takes records, until nothing goes any more. Successes. */
static unsigned everything(void)
{
    unsigned good = 0, gates[REQUESTS], n = 0;

    for (unsigned i = 0; i < REQUESTS; i++) {
        unsigned gate = account(RAM_ROOT, 0);

        two_more();
        if (gate)
            gates[n++] = gate;
        good += gate != 0;
        good += SEND(RAM_ROOT, L4_PROTO_SIGMA0, ~0xffUL | SIGMA0_REQ_ID_FPAGE_IOMEM,
                     (0xe0000000UL + i * 0x2000) | 12 << 6 | L4_FPAGE_MEMORY << 4) == 0;
        two_more();
        if (n)
            good += RAM_WITH(gates[n - 1], SIGMA0_RAM_WATCH) == 0;
        two_more();
    }
    while (n)
        release(gates[--n]);
    two_more();
    return good;
}

TEST(at_every_point_of_exhaustion_two_more_requests_are_possible)
{
    unsigned before = 0, least = ~0u, most = 0;

    for (unsigned scattered = 0; scattered < 2; scattered++)
        for (l4_umword_t left = 0; left < POINTS; left++) {
            unsigned good;

            machine_start(FRAMES, pieces);
            receive_slot = RCV_SLOT;
            CHECK(!setjmp(on_bug));
            memory_steal(left, scattered);
            good = everything();
            CHECK(service.ram.pool.deepest <= 1);
            CHECK(left == 0 || scattered || good + 8 >= before); /* more memory, more requests */
            before = good;
            least = good < least ? good : least;
            most = good > most ? good : most;
        }
    CHECK(least > 0 && least < 100 && most > 2 * REQUESTS);
}

TEST(four_thousand_accounts_nest_nothing_and_leave_nothing)
{
    static unsigned parents[8];
    l4_umword_t free_before;
    unsigned n = 0, count = 0;

    machine_start(FRAMES, pieces);
    receive_slot = RCV_SLOT;
    CHECK(!setjmp(on_bug));
    free_before = service.ram.free_frames;
    while (service.ram.account_count < RAM_ACCOUNTS_MAX) {
        CHECK((parents[count] = account(RAM_ROOT, 1 << 20)) != 0);
        for (n = 0; account(parents[count], 4096); n++)
            ;
        CHECK(n == 256); /* its quota */
        for (; account(parents[count], 0); n++)
            ;
        CHECK(n == RAM_BELOW_MAX || service.ram.account_count == RAM_ACCOUNTS_MAX);
        count++;
        two_more();
    }
    CHECK(count == 4 && service.ram.pool.deepest <= 1 && ram_ok(&service.ram));
    while (count)
        release(parents[--count]);
    CHECK(ram_ok(&service.ram) && service.ram.account_count == 1);
    CHECK(service.ram.free_frames + 4 * 8 >= free_before); /* but for nodes of slots */
}

/* The same requests when records are got when they are needed: getting one never ends. */
TEST(without_a_reserve_the_recursion_has_no_end)
{
    machine_start(FRAMES, pieces);
    if (!setjmp(on_bug)) {
        while (account(RAM_ROOT, 0))
            ;
        CHECK(!"it ended");
    }
    printf("# after %u accounts\n", service.ram.account_count);
    CHECK(bug && strstr(bug, "without end"));
    CHECK(service.ram.pool.depth > POOL_DEPTH_MAX && service.ram.pool.grown_inside > 0);
    CHECK(service.ram.free_frames > FRAMES / 2); /* and that with most of the memory free */
}

/* Without memory: no record, or a record and no slot for it, which goes back. */
TEST(accounts_without_memory_are_refused_and_leave_nothing)
{
    struct ram *r = &service.ram;
    l4_umword_t spare;

    for (unsigned records = 0; records < 2; records++) {
        machine_start(FRAMES, pieces);
        receive_slot = RCV_SLOT;
        CHECK(!setjmp(on_bug));
        memory_steal(0, false);
        while (r->pool.spare[POOL_SLOT])
            CHECK(pool_slot_take(r, r->root));
        while (!records && r->pool.spare[POOL_ACCOUNT])
            CHECK(pool_take(r, POOL_ACCOUNT));
        spare = r->pool.spare[POOL_ACCOUNT] + r->pool.spare[POOL_BLOCK];
        CHECK(!account(RAM_ROOT, 0) && answer.label == -L4_ENOMEM);
        CHECK(r->pool.spare[POOL_ACCOUNT] + r->pool.spare[POOL_BLOCK] == spare);
        CHECK(service.ram.account_count == 1);
    }
    /* Nor is there a record for a device, and slots have a last one. */
    while (r->pool.spare[POOL_DEVICE])
        CHECK(pool_take(r, POOL_DEVICE));
    CHECK(ram_claim_device(r, r->root, 0xe0000000UL, 12) == -L4_ENOMEM);
    machine_start(FRAMES, pieces);
    while (pool_slot_take(r, r->root))
        ;
    CHECK(r->pool.nodes == POOL_NODES_MAX && r->pool.spare[POOL_SLOT] == 0);
}

#define WITH(X)                                                                                    \
    X(at_every_point_of_exhaustion_two_more_requests_are_possible)                                 \
    X(four_thousand_accounts_nest_nothing_and_leave_nothing)
#define WITHOUT(X)                                                                                 \
    X(accounts_without_memory_are_refused_and_leave_nothing)                                       \
    X(without_a_reserve_the_recursion_has_no_end)

static void test_leaks(void)
{
    no_leaks();
}

int main(int argc, char **argv)
{
    if (RAM_RESERVE) {
        WITH(TEST_RUN)
    } else {
        WITHOUT(TEST_RUN)
    }
    printf("1..%lu\n", test_number);
    free(owner);
    free(meta);
    return test_number == 0;
}
