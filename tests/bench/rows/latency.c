/*
 * latency.c - how late a thread of high priority wakes up while the kernel is busy for others
 *
 * A thread sleeps from tick to tick and notes when it runs. First we only count in user mode: its
 * times lie on a grid. Then we map and unmap 100,000 pages in calls of many thousand pages each;
 * how far a time lies behind the grid is how long the thread had to wait. The plugin's longest
 * stretch is the bound, this is what was seen.
 */
#include "party.h"
#include "rows.h"

enum { PLACES = 100, ROUNDS = 5, CALM_TICKS = 20, NOTES = 4096 };

#define LATENCY_AT (PLACE_DEST + 0x300000000UL)

static volatile uint32_t note[NOTES];
static volatile unsigned notes;

static void sleeper(void)
{
    for (;;) {
        l4_ipc_sleep_us(1);
        if (notes < NOTES)
            note[notes++] = bench_start();
    }
}

/* The shortest distance between two wake-ups, and where the grid lies. */
static uint32_t calm(uint32_t *origin)
{
    uint32_t sample[CALM_TICKS];

    notes = 0;
    while (notes <= CALM_TICKS)
        ;
    for (unsigned i = 0; i < CALM_TICKS; i++)
        sample[i] = note[i + 1] - note[i];
    *origin = note[0];
    return bench_median(sample, CALM_TICKS);
}

static uint32_t latest(uint32_t origin, uint32_t period)
{
    uint32_t worst = 0;

    for (unsigned i = 0; i < notes; i++) {
        uint32_t late = (note[i] - origin) % period;

        if (late < period - period / 8 && late > worst) /* just before the grid: not late */
            worst = late;
    }
    return worst;
}

void measure_latency(void)
{
    l4_cap_idx_t task = party_task(0);
    uint32_t origin, period, mapping = 0, unmapping = 0;

    party_thread(L4_BASE_TASK_CAP, party_own_utcb(5), sleeper, PARTY_TIMER, L4_INVALID_CAP);
    party_settle();
    period = calm(&origin);
    for (unsigned r = 0; r < ROUNDS; r++) {
        uint32_t late;

        notes = 0;
        for (unsigned i = 0; i < PLACES; i++)
            party_map(task, PLACE_SMALL, LATENCY_AT + ((l4_addr_t)i << PLACE_ORDER), PLACE_ORDER);
        late = latest(origin, period);
        mapping = late > mapping ? late : mapping;
        notes = 0;
        party_unmap_children(PLACE_SMALL, PLACE_ORDER);
        late = latest(origin, period);
        unmapping = late > unmapping ? late : unmapping;
    }
    bench_row("latency_map_100000", mapping);
    bench_row("latency_unmap_100000", unmapping);
}
