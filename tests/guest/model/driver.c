/*
 * driver.c - random histories: the step, the specification's opinion, the comparison
 */
#include "model.h"

enum { HISTORY_STEPS = 64, LOOK_ALL_EVERY = 8, FRAMES = 8 };

unsigned long steps_done, looks_done, refused_done;

static uint64_t state;
static struct spec spec, now;
static struct {
    struct child *actor, *receiver;
    bool dead;
} space[SPEC_SPACES];
static struct step step;
static enum universe universe; /* of this history */

static unsigned below(unsigned n)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (unsigned)(state * 0x2545f4914f6cdd1dUL >> 33) % n;
}

static l4_cap_idx_t task_of(unsigned s)
{
    return CHILD_CAP(s);
}

static l4_cap_idx_t receiver_of(unsigned s)
{
    return CHILD_CAP(SPEC_SPACES + s);
}

static unsigned any_living(void)
{
    unsigned s = below(SPEC_SPACES);

    while (space[s].dead)
        s = (s + 1) % SPEC_SPACES;
    return s;
}

/* ---- a history's beginning ---- */

static void begin(void)
{
    for (unsigned s = 0; s < SPEC_SPACES; s++) {
        space[s].actor = child_new();
        space[s].receiver = child_thread(space[s].actor, 1);
        space[s].receiver->priority = PRIO_CHILD + 1;
        space[s].dead = false;
    }
    for (unsigned s = 0; s < SPEC_SPACES; s++)
        for (unsigned t = 0; t < SPEC_SPACES; t++) {
            expect_eq(give(space[s].actor, space[t].actor->task, task_of(t), L4_CAP_FPAGE_RWSD), 0);
            expect_eq(give(space[s].actor, space[t].receiver->thread, receiver_of(t),
                           L4_CAP_FPAGE_RWS), 0);
        }
    universe_roots(universe, space[0].actor, &spec);
}

/* ---- comparison ---- */

static bool wrong(const char *what, unsigned s, unsigned page, unsigned seen, unsigned wanted)
{
    static const char *const kinds[] = {"map", "send", "unmap", "look"};

    printf("# step %lu: %s: space %u, page %u: 0x%x, not 0x%x\n", steps_done, what, s, page, seen,
           wanted);
    printf("# %s to %lu from %lu, item 0x%lx, flexpage 0x%lx, mask 0x%lx\n", kinds[step.kind],
           (step.to >> L4_CAP_SHIFT) - 16, (step.from >> L4_CAP_SHIFT) - 16, step.item,
           step.fpage, step.mask);
    return expect(false);
}

/* Mostly at what is there, or was a moment ago: refused looks cost more, and show less. */
static void plan_look(struct look *l, unsigned s, const struct look *again)
{
    for (unsigned p = 0; p < SPEC_PAGES; p++) {
        const struct spec_page *at = spec_at(&spec, s, p);
        bool known = at->used || (again && again->tried[p]);

        l->tried[p] = below(8) < (known ? 6 : 1) ? (uint8_t)(1 + below(7)) : 0;
        if (universe >= SLOTS && l->tried[p]) /* no telling apart what is tried */
            l->tried[p] = universe == PORTS ? CAN_READ : SPEC_RWX;
        l->write[p] = FRAME_WORD(at->frame); /* what is there already, if it may be written */
    }
}

static bool judge_look(const struct look *l, unsigned s)
{
    for (unsigned p = 0; p < SPEC_PAGES; p++) {
        unsigned wanted = l->tried[p] & spec_rights(&spec, s, p);

        looks_done += l->tried[p] != 0;
        refused_done += l->tried[p] != l->could[p];
        if (l->could[p] != wanted)
            return wrong("what a task can do", s, p, l->could[p], wanted);
        if ((wanted & CAN_READ) && universe != PORTS &&
            l->read[p] != FRAME_WORD(spec_at(&spec, s, p)->frame))
            return wrong("what a task reads", s, p, (unsigned)l->read[p],
                         (unsigned)FRAME_WORD(spec_at(&spec, s, p)->frame));
        if (wanted)
            spec_touch(&spec, s, p, (wanted & CAN_WRITE) ? SPEC_STATUS : SPEC_ACCESSED);
    }
    return true;
}

/* Of small pages the kernel tells exactly what is known, of superpages perhaps more (S3); of the
 * other kinds nothing is known. */
static bool judge_status(unsigned s, unsigned page, unsigned wanted)
{
    unsigned seen = step.answer & L4_FPAGE_RIGHTS_MASK;

    if (universe >= SLOTS || seen == wanted ||
        (universe == SUPERPAGES && (seen & wanted) == wanted))
        return true;
    return wrong("accessed and dirty", s, page, seen, wanted);
}

/* ---- steps ---- */

static struct step *step_new(unsigned s)
{
    step = (struct step){.universe = universe, .base = universe_base(universe, s),
                         .order = universe_order(universe)};
    plan_look(&step.before, s, NULL);
    return &step;
}

static bool run(unsigned s)
{
    child_run(space[s].actor, act, &step);
    if (!expect(space[s].actor->finished))
        return false;
    return judge_look(&step.before, s);
}

static bool run_behind(unsigned s)
{
    return judge_look(&step.after, s);
}

static bool look_at_all(void)
{
    for (unsigned s = 0; s < SPEC_SPACES; s++) {
        if (space[s].dead)
            continue;
        step_new(s)->kind = STEP_LOOK;
        if (!run(s) || !run_behind(s))
            return false;
    }
    return true;
}

/* Two aligned windows of the same size: from where, mostly where something is, and to where. */
static unsigned windows(unsigned from, unsigned *src, unsigned *dst)
{
    unsigned size = below(5) ? below(2) : below(5);

    for (unsigned i = 0; i < 6; i++) {
        *src = below(SPEC_PAGES >> size) << size;
        if (spec_rights(&spec, from, *src))
            break;
    }
    *dst = universe == PORTS ? *src : below(SPEC_PAGES >> size) << size;
    return size;
}

static unsigned any_rights(void)
{
    return below(3) ? SPEC_RWX : below(8);
}

/* What one may write behind the call is known from a copy of the specification: the looks before
 * the call come first, and are not judged yet. */
static bool do_map(unsigned s)
{
    unsigned from = below(3) ? s : any_living(), to = any_living(), src, dst,
             size = windows(from, &src, &dst), rights = any_rights(),
             mean = universe_map_rights(universe, rights), entries;
    bool grant = below(4) == 0, send = from == s && to != s && below(2);
    struct job *j = NULL;

    if (universe == SLOTS) /* one without R is a capability all the same, not so a page */
        mean = rights |= SPEC_R;
    step_new(s);
    step.kind = send ? STEP_SEND : STEP_MAP;
    step.from = task_of(from);
    step.to = send ? receiver_of(to) : task_of(to);
    step.fpage = universe_fpage(universe, from, src, size, rights);
    step.item = universe_item(universe, to, dst, grant);
    if (send) {
        jobs_reset();
        j = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
        j->br[0] = L4_ITEM_MAP;
        j->br[1] = below(2) ? universe_fpage(universe, to, dst, size, 0)
                            : universe_everything(universe);
        job_start(space[to].receiver, j);
    }
    now = spec;
    spec_map(&spec, from, src, to, dst, 1u << size, mean, grant);
    plan_look(&step.after, s, &step.before);
    spec = now;
    if (!run(s))
        return false;
    entries = spec_map(&spec, from, src, to, dst, 1u << size, mean, grant);
    if (step.error != 0)
        return wrong("a map's answer", from, src, (unsigned)step.error, 0);
    if (send && (!expect(j->done) ||
                 ((j->got[0] & L4_ITEM_RET_MASK) == L4_ITEM_RET_NOTHING) != (entries == 0)))
        return wrong("the item that arrived", to, dst, (unsigned)j->got[0], entries);
    return run_behind(s);
}

static bool do_unmap(unsigned s)
{
    unsigned of = any_living(), size = below(4) ? below(3) : below(5), rights = any_rights(),
             first = below(SPEC_PAGES >> size) << size, status;
    bool self = below(3) == 0 && (of || below(8) == 0); /* the roots are few */
    step_new(s);
    step.kind = STEP_UNMAP;
    step.to = task_of(of);
    step.fpage = universe_fpage(universe, of, first, size, rights);
    step.mask = self ? (l4_umword_t)L4_FP_ALL_SPACES : (l4_umword_t)L4_FP_OTHER_SPACES;
    plan_look(&step.after, s, &step.before); /* frames do not change */
    if (!run(s))
        return false;
    status = spec_unmap(&spec, of, first, 1u << size, universe_unmap_rights(universe, rights),
                        self);
    if (step.error != 0)
        return wrong("an unmap's answer", of, first, (unsigned)step.error, 0);
    return judge_status(of, first, status) && run_behind(s);
}

/* A task goes in the middle of everything; at least two are left. */
static bool do_kill(void)
{
    unsigned s = any_living(), living = 0;

    for (unsigned i = 0; i < SPEC_SPACES; i++)
        living += !space[i].dead;
    if (s == 0 || living <= 2)
        return true;
    space[s].dead = true;
    expect_eq(destroy(space[s].actor->task), 0);
    spec_unmap(&spec, s, 0, SPEC_PAGES, SPEC_RWX, true);
    return look_at_all();
}

/* A new object in a slot of some task, where something may have been. */
static void do_create(void)
{
    unsigned s = any_living(), page = below(SPEC_PAGES), frame = below(FRAMES);

    universe_object(space[s].actor, page, frame);
    spec_unmap(&spec, s, page, 1, SPEC_RWX, true);
    spec_root(&spec, s, page, 1, frame, SPEC_RWX);
}

static bool history(void)
{
    bool good = true;

    begin();
    for (unsigned i = 0; i < HISTORY_STEPS && good; i++) {
        unsigned what = below(100), s = any_living();

        if (universe == SLOTS && what < 20)
            do_create();
        good = what < 2 ? do_kill() : what < 72 ? do_map(s) : do_unmap(s);
        steps_done++;
        if (good && i % LOOK_ALL_EVERY == LOOK_ALL_EVERY - 1)
            good = look_at_all();
    }
    if (good && !universe_unspoilt(universe))
        good = wrong("the memory itself", 0, 0, 0, 0);
    return good;
}

bool histories(uint64_t seed, unsigned long steps, enum universe u)
{
    unsigned long end = steps_done + steps;

    universe = u;
    for (unsigned long n = 0; steps_done < end; n++) {
        state = (seed + 1) * 0x9e3779b97f4a7c15UL + n * 4 + u;
        if (!history()) {
            printf("# in history %lu of seed %lu\n", n, seed);
            return false;
        }
        slots_empty();
        children_reset();
        jobs_reset();
    }
    return true;
}
