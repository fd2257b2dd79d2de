/*
 * model/main.c - the mapping database beside its specification, on the machine
 *
 * Words on the kernel's command line: model-seed=N (1), model-steps=N (40000).
 */
#include "model.h"

#include <abi/kip.h>

static l4_umword_t seed, steps;

static l4_umword_t option(const char *name, l4_umword_t otherwise)
{
    const l4mod_info *info = (const l4mod_info *)l4_kip()->user_ptr;
    const char *at = strstr(info->strings + info->cmdline, name);
    l4_umword_t n = 0;

    if (!at)
        return otherwise;
    for (at += strlen(name); *at >= '0' && *at <= '9'; at++)
        n = 10 * n + (l4_umword_t)(*at - '0');
    return n;
}

static void small_pages(void)
{
    histories(seed, steps / 4, SMALL_PAGES);
}

static void superpages(void)
{
    histories(seed, steps / 4, SUPERPAGES);
}

static void slots(void)
{
    histories(seed, steps / 4, SLOTS);
}

static void ports(void)
{
    histories(seed, steps / 4, PORTS);
}

static const struct test model_tests[] = {
    {"small pages: tasks can do what the specification says, and nothing else", small_pages},
    {"superpages: tasks can do what the specification says, and nothing else", superpages},
    {"capabilities: tasks can do what the specification says, and nothing else", slots},
    {"I/O ports: tasks can do what the specification says, and nothing else", ports},
    {NULL, NULL},
};

int main(void)
{
    static const struct test *const sets[] = {model_tests};
    int status;

    seed = option("model-seed=", 1);
    steps = option("model-steps=", 40000);
    universe_init();
    status = tests_run(sets, 1);
    printf("# model: seed %lu, %lu steps, %lu looks, %lu refused\n", seed, steps_done, looks_done,
           refused_done);
    return status;
}
