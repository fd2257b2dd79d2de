/*
 * driver.c - a sequence: the step, the model's opinion, the comparison
 */
#include "driver.h"

unsigned long steps_done, looks_done, refused_done, errors_done;

static struct model model;
static struct step step;
static l4_umword_t ids[MODEL_OBJECTS]; /* the kernel's numbers of objects */

/* What goes wrong is told once, with all that is needed to see it again. */
static bool wrong(const char *what, unsigned place, l4_umword_t seen, l4_umword_t wanted)
{
    printf("# %s, number %u of task %u: seen 0x%lx, expected 0x%lx\n", what, place, step.op.by,
           seen, wanted);
    return expect(false);
}

/* ---- looks ---- */

static void plan(struct look *l, const struct model_op *o, const struct look *again)
{
    *l = (struct look){0};
    model_plan(&model, o, again ? &again->tried : NULL, &l->tried);
    for (unsigned i = 0; i < MODEL_UNITS; i++)
        l->word[i] = FRAME_WORD(model_frame(&model, o->by, i) + model_look_page(&l->tried, i));
    for (unsigned i = 0; i < MODEL_SLOTS; i++)
        if (model_slot(&model, o->by, i)->object)
            l->type[i] = model.object[model_slot(&model, o->by, i)->object].type;
}

/* What memory and ports have to say is kept until the step is over: the model goes on with it. */
struct verdict {
    uint8_t could[MODEL_UNITS], ports;
    struct slot_seen slot[MODEL_SLOTS];
};

/* What the call of ask() answers. */
static void expect_answer(const struct model_slot *s, struct slot_seen *w)
{
    const struct model_object *o = &model.object[s->object], *payer = &model.object[o->factory];
    bool may = s->rights & MODEL_S;

    w->id = ids[s->object];
    w->valid = 1;
    switch (o->type) {
    case MODEL_GATE:
        w->a = s->object;
        w->b = s->rights & 3;
        break;
    case MODEL_IRQ:
        w->answer = may ? -L4_ENOENT : -L4_EPERM;
        break;
    case MODEL_THREAD:
        w->answer = may ? -L4_EINVAL : -L4_EPERM;
        break;
    case MODEL_FACTORY:
        w->answer = -L4_ENODEV;
        break;
    case MODEL_TASK:
        w->answer = may ? 0 : -L4_EPERM;
        w->a = payer->used + (o->factory ? 0 : model_cost[MODEL_TASK]);
        w->b = payer->limit + (o->factory ? 0 : model_cost[MODEL_TASK]);
        break;
    default:
        break;
    }
}

static void expect_look(const struct look *l, unsigned task, struct verdict *v)
{
    const struct model_slot *last = NULL;

    *v = (struct verdict){0};
    model_look(&model, task, &l->tried, v->could);
    for (unsigned i = 0; i < MODEL_PORTS; i++)
        if ((l->tried.ports >> i & 1) && model_has_port(&model, task, i))
            v->ports |= (uint8_t)(1 << i);
    for (unsigned i = 0; i < MODEL_SLOTS; i++) {
        const struct model_slot *s = model_slot(&model, task, i);
        struct slot_seen *w = &v->slot[i];

        if (!(l->tried.slots >> i & 1))
            continue;
        w->id = ~0UL;
        if (s->object)
            expect_answer(s, w);
        w->equal = last && s->object && s->object == last->object && s->rights == last->rights;
        last = s;
    }
}

static bool judge_slot(const struct slot_seen *s, const struct slot_seen *w, unsigned i)
{
    if (s->id != w->id)
        return wrong("the object behind a capability", i, s->id, w->id);
    if (s->valid != w->valid)
        return wrong("whether there is a capability", i, (l4_umword_t)s->valid,
                     (l4_umword_t)w->valid);
    if (s->answer != w->answer)
        return wrong("what an object answers", i, (l4_umword_t)s->answer, (l4_umword_t)w->answer);
    if (s->a != w->a)
        return wrong("a gate's number, or what has been paid", i, s->a, w->a);
    if (s->b != w->b)
        return wrong("a gate's rights, or the limit", i, s->b, w->b);
    if (s->equal != w->equal)
        return wrong("the same object and rights as the one before", i, (l4_umword_t)s->equal,
                     (l4_umword_t)w->equal);
    return true;
}

static bool judge_look(const struct look *l, const struct verdict *v)
{
    const struct seen *seen = &l->seen;

    for (unsigned i = 0; i < MODEL_UNITS; i++) {
        looks_done += l->tried.memory[i] != 0;
        refused_done += l->tried.memory[i] != seen->could[i];
        if (seen->could[i] != v->could[i])
            return wrong("what a task can do", i, seen->could[i], v->could[i]);
        if ((seen->could[i] & SPEC_R) && seen->read[i] != l->word[i])
            return wrong("what a task reads", i, seen->read[i], l->word[i]);
    }
    if (seen->ports != v->ports)
        return wrong("ports", 0, seen->ports, v->ports);
    for (unsigned i = 0; i < MODEL_SLOTS; i++) {
        if (!(l->tried.slots >> i & 1))
            continue;
        looks_done++;
        refused_done += !seen->slot[i].valid;
        if (!judge_slot(&seen->slot[i], &v->slot[i], i))
            return false;
    }
    return true;
}

/* ---- steps ---- */

static bool look_at_all(size_t position)
{
    struct verdict v;

    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        step = (struct step){.op = model_round(t, position), .looks_before = true};
        plan(&step.before, &step.op, NULL);
        expect_look(&step.before, t, &v);
        if (!world_run(&step))
            return wrong("a task that does not come back", 0, 0, 1);
        if (!judge_look(&step.before, &v))
            return false;
    }
    return true;
}

/* What the machine says about it. */
static struct model_result result_of_step(unsigned object)
{
    const struct model_op *o = &step.op;
    struct model_result r = {
        .error = step.error, .mapped = MODEL_UNTOLD, .status = (unsigned)step.status};

    if (o->send && r.error == -2000 - L4_IPC_SEMAPFAILED)
        r.error = -L4_ENOMEM;
    else if (o->send)
        r.mapped = world_received();
    if (o->kind == MODEL_TOUCH)
        r.mapped = step.status != 0;
    if (o->kind == MODEL_CAP_NEW && !r.error) {
        ids[object] = step.id;
        r.object = object;
    }
    return r;
}

static bool judge(const struct model_result *expected, struct verdict *before)
{
    struct model_result seen = result_of_step(expected->object);
    l4_umword_t is, wanted;
    struct verdict after;
    const char *what;

    if (!judge_look(&step.before, before))
        return false;
    if (!model_agrees(&model, &step.op, expected, &seen)) {
        printf("# seen error %ld, mapped %u, status %u; expected %ld, %u, %u\n", seen.error,
               seen.mapped, seen.status, expected->error, expected->mapped, expected->status);
        return wrong("the answer", step.op.dst, (l4_umword_t)seen.error,
                     (l4_umword_t)expected->error);
    }
    what = world_quotas(&model, &is, &wanted);
    if (what)
        return wrong(what, 0, is, wanted);
    expect_look(&step.after, step.op.by, &after);
    return judge_look(&step.after, &after);
}

/* There is no semaphore to be used. */
static bool use_is_empty(const struct model_op *o)
{
    const struct model_slot *s = model_slot(&model, o->by, o->dst);

    return o->kind == MODEL_CAP_USE &&
           (!s->object || model.object[s->object].type != MODEL_SEMAPHORE);
}

static bool do_step(void)
{
    const struct model_op *o = &step.op;
    struct model_result expected;
    struct verdict before;

    step.acts = !use_is_empty(o);
    step.word = FRAME_WORD(model_frame(&model, o->by, o->kind == MODEL_TOUCH ? o->dst : 0));
    plan(&step.before, o, NULL);
    expect_look(&step.before, o->by, &before);
    if (o->kind == MODEL_KILL) { /* the last look of a task, perhaps */
        step.looks_before = true;
        if (!world_run(&step))
            return wrong("a task that does not come back", 0, 0, 1);
        step.looks_before = false;
    }
    expected = model_apply(&model, o);
    step.object = expected.object;
    plan(&step.after, o, &step.before);
    world_squeeze(&model);
    if (o->kind == MODEL_KILL && o->to)
        world_kill(o->to);
    if (o->send)
        world_receive(o);
    step.looks_before = o->kind != MODEL_KILL;
    step.looks_after = true;
    if (!world_run(&step))
        return wrong("a task that does not come back", 0, 0, 1);
    errors_done += expected.error != 0;
    return judge(&expected, &before);
}

/* How to see it again. */
static void tell(const struct origin *from, size_t position)
{
    if (from->file)
        printf("# step %lu of %s (sequence %lu): tools/replay FILE\n", position, from->file,
               from->number);
    else
        printf("# step %lu of sequence %lu of seed %lu: model-seed=%lu model-first=%lu "
               "model-steps=1\n", position, from->number, from->seed, from->seed, from->number);
}

bool sequence(const struct origin *from, const uint8_t *bytes, size_t n)
{
    bool good = true;

    world_begin();
    model_init(&model);
    for (size_t i = 0; i < n / MODEL_BYTES && good; i++) {
        step = (struct step){.op = model_decode(&model, bytes + i * MODEL_BYTES)};
        good = do_step();
        if (!good)
            model_tell(i, &step.op);
        steps_done++;
        if (good && i % MODEL_ROUND == MODEL_ROUND - 1)
            good = look_at_all(i);
        if (!good)
            tell(from, i);
    }
    return world_end() && good;
}
