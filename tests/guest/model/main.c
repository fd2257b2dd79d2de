/*
 * model/main.c - random sequences of operations beside the model, on the machine
 *
 * Words on the kernel's command line: model-seed=N (1), model-steps=N (at least so many), and
 * model-first=N (0), the number of the first sequence. Boot modules are sequences instead, any
 * number in each: four bytes that say how long it is, the bytes. tools/replay makes such modules.
 */
#include "driver.h"

#include <abi/kip.h>

enum { STEPS = 24000, FIRST_MODULE = 2 };

static l4_umword_t seed, steps, first, sequences;

static const l4mod_info *modules(void)
{
    return (const l4mod_info *)l4_kip()->user_ptr;
}

static l4_umword_t option(const char *name, l4_umword_t otherwise)
{
    const char *at = strstr(modules()->strings + modules()->cmdline, name);
    l4_umword_t n = 0;

    if (!at)
        return otherwise;
    for (at += strlen(name); *at >= '0' && *at <= '9'; at++)
        n = 10 * n + (l4_umword_t)(*at - '0');
    return n;
}

static void from_seed(void)
{
    static uint8_t bytes[MODEL_OPERATIONS * MODEL_BYTES];
    bool good = true;

    for (struct origin from = {NULL, seed, first}; steps_done < steps && good; from.number++) {
        model_sequence(seed, from.number, bytes, sizeof(bytes));
        good = sequence(&from, bytes, sizeof(bytes));
        sequences++;
    }
}

static void from_module(const l4mod_mod *m)
{
    struct origin from = {modules()->strings + m->name, 0, 0};
    const uint8_t *at = (const uint8_t *)m->start, *end = at + m->size;
    uint32_t n;

    for (bool good = true; good && end - at >= (long)sizeof(n); from.number++) {
        memcpy(&n, at, sizeof(n));
        at += sizeof(n);
        if (!expect(n <= (l4_umword_t)(end - at)))
            return;
        good = sequence(&from, at, n);
        at += n;
        sequences++;
    }
}

/* Their pages are there before kernel memory is counted. */
static void touch_modules(void)
{
    for (unsigned i = FIRST_MODULE; i < modules()->count; i++)
        for (l4_umword_t at = 0; at < modules()->mods[i].size; at += L4_PAGESIZE)
            *(volatile const char *)(modules()->mods[i].start + at);
}

static void everything(void)
{
    if (modules()->count <= FIRST_MODULE)
        from_seed();
    for (unsigned i = FIRST_MODULE; i < modules()->count; i++)
        from_module(&modules()->mods[i]);
}

static const struct test model_tests[] = {
    {"tasks can do what the model says, and nothing else", everything},
    {NULL, NULL},
};

int main(void)
{
    static const struct test *const sets[] = {model_tests};
    int status;

    seed = option("model-seed=", 1);
    steps = option("model-steps=", STEPS);
    first = option("model-first=", 0);
    world_init();
    touch_modules();
    status = tests_run(sets, 1);
    printf("# model: seed %lu, %lu sequences, %lu steps, %lu errors, %lu looks, %lu refused\n",
           seed, sequences, steps_done, errors_done, looks_done, refused_done);
    return status;
}
