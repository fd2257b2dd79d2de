/*
 * frames.c - the frames of a manager; see frames.h for the picture and the invariants
 */
#include "frames.h"

static l4_umword_t run_frames(const struct frame_run *r)
{
    return (r->end - r->start) >> L4_PAGESHIFT;
}

static void run_remove(struct frame_pool *p, unsigned i)
{
    p->runs[i] = p->runs[--p->run_count];
}

/* Make room for one more run: the shortest goes to the list, frame by frame. */
static void recycle_shortest_run(struct frame_pool *p)
{
    unsigned shortest = 0;

    for (unsigned i = 1; i < p->run_count; i++)
        if (run_frames(&p->runs[i]) < run_frames(&p->runs[shortest]))
            shortest = i;
    struct frame_run r = p->runs[shortest];
    run_remove(p, shortest);
    p->fresh -= run_frames(&r);
    for (l4_addr_t a = r.start; a < r.end; a += L4_PAGESIZE)
        frames_give(p, (void *)a);
}

static void run_insert(struct frame_pool *p, l4_addr_t start, l4_addr_t end)
{
    if (start == end)
        return;
    if (p->run_count == FRAME_RUNS_MAX)
        recycle_shortest_run(p);
    p->runs[p->run_count++] = (struct frame_run){start, end};
}

void frames_add(struct frame_pool *p, l4_addr_t start, l4_umword_t frames)
{
    p->total += frames;
    p->fresh += frames;
    for (unsigned i = 0; i < p->run_count; i++) {
        if (p->runs[i].end == start) {
            p->runs[i].end += frames << L4_PAGESHIFT;
            return;
        }
    }
    run_insert(p, start, start + (frames << L4_PAGESHIFT));
}

void *frames_take(struct frame_pool *p)
{
    if (p->recycled_list) {
        void *frame = p->recycled_list;
        p->recycled_list = *(void **)frame;
        p->recycled--;
        frame_clear(frame);
        return frame;
    }
    if (p->run_count == 0)
        return NULL;
    struct frame_run *r = &p->runs[p->run_count - 1];
    l4_addr_t frame = r->start;
    r->start += L4_PAGESIZE;
    p->fresh--;
    if (r->start == r->end)
        p->run_count--;
    return (void *)frame;
}

l4_addr_t frames_take_run(struct frame_pool *p, l4_umword_t frames, l4_addr_t align)
{
    for (unsigned i = 0; i < p->run_count; i++) {
        struct frame_run r = p->runs[i];
        l4_addr_t start = (r.start + align - 1) & ~(align - 1);

        if (start < r.start || start > r.end || (r.end - start) >> L4_PAGESHIFT < frames)
            continue;
        p->fresh -= frames;
        run_remove(p, i);
        run_insert(p, r.start, start);
        run_insert(p, start + (frames << L4_PAGESHIFT), r.end);
        return start;
    }
    return 0;
}

void frames_give(struct frame_pool *p, void *frame)
{
    *(void **)frame = p->recycled_list;
    p->recycled_list = frame;
    p->recycled++;
}

bool frames_ok(const struct frame_pool *p)
{
    l4_umword_t fresh = 0, recycled = 0;

    for (unsigned i = 0; i < p->run_count; i++) {
        if (p->runs[i].start >= p->runs[i].end)
            return false;
        fresh += run_frames(&p->runs[i]);
        for (unsigned j = 0; j < i; j++)
            if (p->runs[i].start < p->runs[j].end && p->runs[j].start < p->runs[i].end)
                return false;
    }
    for (const void *f = p->recycled_list; f; f = *(void *const *)f)
        if (++recycled > p->recycled)
            return false;
    return fresh == p->fresh && recycled == p->recycled && fresh + recycled <= p->total;
}
