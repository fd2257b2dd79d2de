/*
 * test_map_states.c - all states of mappings of small pages: three spaces, two pages
 */
#include "explore_map.h"

#include <abi/fpage.h>

static const uint8_t map_rw[] = {L4_FPAGE_R, L4_FPAGE_RW, 0};
static const uint8_t map_rwx[] = {L4_FPAGE_R, L4_FPAGE_RW, L4_FPAGE_RX, L4_FPAGE_RWX, 0};
static const uint8_t map_r[] = {L4_FPAGE_R, 0};
static const uint8_t take_rw[] = {L4_FPAGE_RWX, L4_FPAGE_W, L4_FPAGE_X, 8, 0};
static const uint8_t take_rwx[] = {L4_FPAGE_RWX, L4_FPAGE_W, L4_FPAGE_X, 3, 8, 0};
static const uint8_t take_r[] = {L4_FPAGE_RWX, L4_FPAGE_W, 8, 0};

static const uint8_t touch[] = {1, 3, 0};
static const uint8_t none[] = {0};

static const struct map_universe universes[] = {
    {"two nodes, read and written", "quick", 2, L4_FPAGE_R, map_r, take_r, touch, 1954, 527580},
    {"four nodes", "quick", 4, L4_FPAGE_RW, map_rw, take_rw, none, 24560, 8988960},
    {"five nodes", "each", 5, L4_FPAGE_RW, map_rw, take_rw, none, 144200, 52777200},
    {"six nodes", "long", 6, L4_FPAGE_RW, map_rw, take_rw, none, 491791, 179995506},
    {"four nodes, all rights", "long", 4, L4_FPAGE_RWX, map_rwx, take_rwx, none, 183574,
     103535736},
    {"three nodes, read and written", "long", 3, L4_FPAGE_R, map_r, take_r, touch, 160894,
     43441380},
};

int main(int argc, char **argv)
{
    return explore_maps(universes, sizeof(universes) / sizeof(universes[0]),
                        argc > 1 ? argv[1] : "quick");
}
