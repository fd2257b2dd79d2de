/*
 * test_fpage.c - the rule of the two windows against byte-wise brute force
 */
#include <common/fpage.h>

#include "test.h"

/* The table of the interface's description. */
static const struct {
    l4_umword_t send;
    unsigned s;
    l4_umword_t rcv;
    unsigned r;
    l4_umword_t hot, src, dst;
    unsigned order;
} vectors[] = {
    { 0x400000, 12, 0x10000000, 12, 0xdeadb000, 0x400000, 0x10000000, 12 },
    { 0x400000, 12, 0x10000000, 20, 0x35000, 0x400000, 0x10035000, 12 },
    { 0x400000, 12, 0x10000000, 20, 0x135fff, 0x400000, 0x10035000, 12 },
    { 0x408000, 15, 0x10000000, 20, 0x35000, 0x408000, 0x10030000, 15 },
    { 0x400000, 22, 0x7fff0000, 16, 0x123000, 0x520000, 0x7fff0000, 16 },
    { 0x400000, 22, 0x10000000, 12, 0x3ff123, 0x7ff000, 0x10000000, 12 },
    { 0x200000, 21, 0, 63, 0x40201234, 0x200000, 0x40200000, 21 },
    { 0x200000, 12, 0, 63, 0x7f1234567abc, 0x200000, 0x7f1234567000, 12 },
    { 0x203000, 21, 0x10005000, 14, 0x9000, 0x208000, 0x10004000, 14 },
    { 0x400000, 22, 0x10000000, 22, 0x123000, 0x400000, 0x10000000, 22 },
};

TEST(every_published_vector_comes_out)
{
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct meeting m = fpage_meet(vectors[i].send, vectors[i].s, vectors[i].rcv, vectors[i].r,
                                      vectors[i].hot);

        CHECK(m.src == vectors[i].src && m.dst == vectors[i].dst && m.order == vectors[i].order);
    }
}

/*
 * The dumbest statement of the rule: both windows are sets of units. The larger one is a line of
 * pieces of the smaller one's size; the one that contains the hot spot's unit (counted modulo the
 * larger size) meets the smaller window, unit by unit in order.
 */
static void brute_force(unsigned sb, unsigned s, unsigned rb, unsigned r, unsigned hot)
{
    unsigned small = 1u << (s < r ? s : r), large = 1u << (s < r ? r : s);
    struct meeting m = fpage_meet(sb, s, rb, r, hot);
    unsigned send[16], rcv[16], pieces = 0;

    for (unsigned i = 0; i < 1u << s; i++) {
        for (send[i] = 0; send[i] + (1u << s) <= sb; send[i] += 1u << s)
            continue;
        send[i] += i;
    }
    for (unsigned i = 0; i < 1u << r; i++) {
        for (rcv[i] = 0; rcv[i] + (1u << r) <= rb; rcv[i] += 1u << r)
            continue;
        rcv[i] += i;
    }
    CHECK(m.order == (s < r ? s : r));
    for (unsigned piece = 0; piece < large; piece += small) {
        bool chosen = false;

        for (unsigned i = 0; i < small; i++)
            chosen = chosen || piece + i == hot % large;
        if (!chosen)
            continue;
        pieces++;
        for (unsigned i = 0; i < small; i++) {
            CHECK(m.src + i == send[s <= r ? i : piece + i]);
            CHECK(m.dst + i == rcv[s <= r ? piece + i : i]);
        }
    }
    CHECK(pieces == 1);
}

TEST(all_windows_of_a_universe_of_sixteen_units_agree_with_brute_force)
{
    for (unsigned s = 0; s <= 4; s++)
        for (unsigned r = 0; r <= 4; r++)
            for (unsigned sb = 0; sb < 16; sb++)
                for (unsigned rb = 0; rb < 16; rb++)
                    for (unsigned hot = 0; hot < 32; hot++)
                        brute_force(sb, s, rb, r, hot);
}

TEST(the_whole_space_is_everything_at_zero)
{
    struct meeting m = fpage_meet(0x1234000, 63, 0x5678000, 63, 0x9999000);

    CHECK(m.src == 0 && m.dst == 0 && m.order == 63);
    for (unsigned order = 12; order < 63; order++) {
        m = fpage_meet(~0UL << 12, 63, 0x5000UL << order, order, ~0UL);
        CHECK(m.src == (~0UL & ~order_mask(order)) && m.order == order);
        m = fpage_meet(0x5000UL << order, order, ~0UL, 63, ~0UL);
        CHECK(m.dst == (~0UL & ~order_mask(order)) && m.order == order);
    }
}

TEST(fields_of_a_flexpage_come_back)
{
    for (unsigned type = 0; type < 4; type++)
        for (unsigned order = 0; order < 64; order++)
            for (unsigned rights = 0; rights < 16; rights++) {
                l4_umword_t addr = 0x7f1234567UL << 12;
                l4_fpage_t f = fpage_make(type, addr | 0xabc, order, rights);

                CHECK(fpage_type(f) == type && fpage_order(f) == order);
                CHECK(fpage_rights(f) == rights && fpage_addr(f) == addr);
                CHECK(fpage_index(f) == addr >> 12);
                CHECK(fpage_window(f).order == order);
                CHECK(fpage_window(f).base == (order == 63 ? 0 : addr >> order << order));
            }
}

#define TESTS(X)                                                                                  \
    X(every_published_vector_comes_out)                                                           \
    X(all_windows_of_a_universe_of_sixteen_units_agree_with_brute_force)                          \
    X(the_whole_space_is_everything_at_zero)                                                      \
    X(fields_of_a_flexpage_come_back)

static void nothing(void)
{
}

TEST_MAIN(nothing, TESTS)
