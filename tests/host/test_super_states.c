/*
 * test_super_states.c - all states of mappings of a superpage and its parts: three spaces
 */
#include "explore_map.h"

#include <abi/fpage.h>

static const uint8_t map_rw[] = {L4_FPAGE_R, L4_FPAGE_RW, 0};
static const uint8_t take_rw[] = {L4_FPAGE_RWX, L4_FPAGE_W, L4_FPAGE_X, 8, 0};

static const uint8_t map_r[] = {L4_FPAGE_R, 0};
static const uint8_t take_r[] = {L4_FPAGE_RWX, L4_FPAGE_W, 8, 0};
static const uint8_t touch[] = {3, 0};
static const uint8_t none[] = {0};

static const struct map_universe universes[] = {
    {"two nodes", "quick", 2, L4_FPAGE_RW, map_rw, take_rw, none, 2062, 940272},
    {"two nodes, written", "long", 2, L4_FPAGE_R, map_r, take_r, touch, 168772, 55188444},
    {"three nodes", "long", 3, L4_FPAGE_RW, map_rw, take_rw, none, 38911, 17743416},
};

int main(int argc, char **argv)
{
    return explore_maps(universes, sizeof(universes) / sizeof(universes[0]),
                        argc > 1 ? argv[1] : "quick");
}
