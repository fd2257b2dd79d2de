/*
 * test_script.c - the boot script's parser: what it accepts, every error with its line, noise
 */
#include "../../roottask/script.h"

#include <abi/errors.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct script s;
static struct script_error error;
static unsigned long seed = 7;

static unsigned random_below(unsigned n)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(seed >> 33) % n;
}

/* A copy without a zero behind it, so that reading too far is seen. */
static int parse(const char *text, size_t size)
{
    char *copy = malloc(size ? size : 1);
    int err;

    memcpy(copy, text, size);
    err = script_parse(copy, size, &s, &error);
    free(copy);
    return err;
}

#define MANAGERS                                                                                   \
    "manager anon file=anon.elf quota=200M prio=220 kmem=2M\n"                                     \
    "manager rom file=rom.elf quota=1M\n"

static void accepts_the_sample(void)
{
    static const char text[] = "# the demonstration\r\n\n" MANAGERS
                               "program  sort file=sort.elf\tprio=100 quota=64M kmem=512K mem=anon "
                               "caps=rom,debugger main -- input.dat \"two words\" # no argument\n"
                               "program other file=\"other.elf\" quota=50% ram=1G caps=sigma0,anon";
    const struct script_task *t;

    assert(parse(text, sizeof(text) - 1) == 0);
    assert(s.count == 4 && s.main == 2);
    t = &s.tasks[0];
    assert(t->kind == SCRIPT_MANAGER && strcmp(t->name, "anon") == 0 && t->line == 3);
    assert(t->quota.value == 200UL << 20 && t->kmem == 2UL << 20 && t->prio == 220 && !t->modules);
    assert(s.tasks[1].modules && s.tasks[1].prio == 200);
    t = &s.tasks[2];
    assert(t->kind == SCRIPT_PROGRAM && t->main && t->mem == 0 && t->rom == 1);
    assert(t->kmem == 512UL << 10 && t->cap_count == 2 && t->has_args && t->argc == 2);
    assert(t->caps[0].source == SCRIPT_CAP_MANAGER && t->caps[0].manager == 1);
    assert(t->caps[1].source == SCRIPT_CAP_DEBUGGER);
    assert(memcmp(t->args, "input.dat\0two words", t->args_size) == 0 && t->args_size == 20);
    t = &s.tasks[3];
    assert(t->quota.percent && t->quota.value == 50 && t->ram.value == 1UL << 30 && !t->main);
    assert(!t->has_args && t->prio == 100);
}

static void the_last_program_is_main_unless_said_otherwise(void)
{
    static const char text[] = MANAGERS "program a file=a.elf quota=1M\n"
                                        "program b file=b.elf quota=1M\n";

    assert(parse(text, sizeof(text) - 1) == 0 && s.main == 3 && s.tasks[3].main);
}

static void a_program_that_starts_later_is_never_main(void)
{
    static const char text[] = MANAGERS "program a file=a.elf quota=1M caps=starter\n"
                                        "program b file=b.elf quota=1M later\n";
    static const char alone[] = MANAGERS "program b file=b.elf quota=1M later\n";

    assert(parse(text, sizeof(text) - 1) == 0 && s.main == 2 && s.tasks[2].main);
    assert(s.tasks[2].caps[0].source == SCRIPT_CAP_STARTER);
    assert(!s.tasks[2].later && s.tasks[3].later && !s.tasks[3].main);
    assert(parse(alone, sizeof(alone) - 1) == -L4_EINVAL && error.line == 0);
}

static void a_manager_may_begin_again(void)
{
    static const char text[] = MANAGERS "manager a file=a quota=1M restart=7\n"
                                        "manager b file=b quota=1M deadline=5 keep restart=1\n"
                                        "program c file=c.elf quota=1M\n";

    assert(parse(text, sizeof(text) - 1) == 0);
    assert(s.tasks[2].restarts == 7 && s.tasks[2].deadline == SCRIPT_DEADLINE_DEFAULT);
    assert(!s.tasks[2].keep && s.tasks[3].keep);
    assert(s.tasks[3].restarts == 1 && s.tasks[3].deadline == 5 && !s.tasks[1].deadline);
}

/* Each line, put behind the managers, gives this error in line 3. */
static const struct {
    const char *line;
    const char *text;
} mistakes[] = {
    {"start x", "unknown statement 'start' (manager or program)"},
    {"\"\" x", "unknown statement '' (manager or program)"},
    {"program", "the statement has no name"},
    {"program \"\" file=a", "name is empty"},
    {"program seventeen-letters file=a", "name 'seventeen-letters' is too long"},
    {"program a,b file=a", "name 'a,b' has a character that names must not have"},
    {"program rm file=a quota=1M", "name 'rm' belongs to the system"},
    {"program rom file=a quota=1M", "name 'rom' is used twice"},
    {"program a", "program 'a' lacks file="},
    {"program a file=a", "program 'a' lacks quota="},
    {"manager a file=a", "manager 'a' lacks quota="},
    {"program a file=a file=b", "key 'file' is given twice"},
    {"program a size=3", "unknown key 'size'"},
    {"program a =3", "unknown key ''"},
    {"program a file=", "file is empty"},
    {"program a file=dir/a", "file 'dir/a' has a character that names must not have"},
    {"manager a mem=anon", "a manager has no key 'mem'"},
    {"manager a later", "word 'later' is neither key=value nor known here"},
    {"program a file=a quota=1M main later",
     "program 'a': the main program cannot start later"},
    {"program starter file=a quota=1M", "name 'starter' belongs to the system"},
    {"manager a main", "word 'main' is neither key=value nor known here"},
    {"manager a -- x", "word '--' is neither key=value nor known here"},
    {"program a \"--\" x", "word '--' is neither key=value nor known here"},
    {"program a fast", "word 'fast' is neither key=value nor known here"},
    {"program a restart=3", "a program has no key 'restart'"},
    {"program a keep", "word 'keep' is neither key=value nor known here"},
    {"manager a restart=0", "restart '0' is not a number between 1 and 1000000"},
    {"manager a restart=1000001", "restart '1000001' is not a number between 1 and 1000000"},
    {"manager a restart=2x", "restart '2x' is not a number between 1 and 1000000"},
    {"manager a deadline=60001",
     "deadline '60001' is not a number of milliseconds between 1 and 60000"},
    {"manager a file=a quota=1M deadline=5",
     "manager 'a': deadline= and keep belong to restart="},
    {"manager a file=a quota=1M keep", "manager 'a': deadline= and keep belong to restart="},
    {"program a prio=0", "prio '0' is not a priority between 1 and 253"},
    {"program a prio=254", "prio '254' is not a priority between 1 and 253"},
    {"program a prio=1x", "prio '1x' is not a priority between 1 and 253"},
    {"program a prio=99999999999999999999999", "prio '99999999999999999999999' is not a "
                                               "priority between 1 and 253"},
    {"program a quota=", "quota '' is not a size (a number with K, M or G)"},
    {"program a quota=M", "quota 'M' is not a size (a number with K, M or G)"},
    {"program a quota=-1", "quota '-1' is not a size (a number with K, M or G)"},
    {"program a quota=1T", "quota '1T' is not a size (a number with K, M or G)"},
    {"program a quota=1KK", "quota '1KK' is not a size (a number with K, M or G)"},
    {"program a quota=0M", "quota must not be zero"},
    {"program a quota=0%", "quota '0%' is not a share between 1% and 100%"},
    {"program a quota=101%", "quota '101%' is not a share between 1% and 100%"},
    {"program a kmem=50%", "kmem '50%' is not a size (a number with K, M or G)"},
    {"program a quota=99999999999999999999", "quota '99999999999999999999' is not a size (a "
                                             "number with K, M or G)"},
    {"program a quota=70368744177665", "quota '70368744177665' is not a size (a number with "
                                       "K, M or G)"},
    {"program a quota=65537G", "quota '65537G' is not a size (a number with K, M or G)"},
    {"program a mem=none", "mem 'none' is not a manager that stands before this line"},
    {"program a caps=none", "capability 'none' is not a manager that stands before this line"},
    {"program a caps=rom,rom", "capability 'rom' is named twice"},
    {"program a caps=rom,", "capability is empty"},
    {"program a caps=", "capability is empty"},
    {"program a file=a quota=1M caps=sigma0",
     "program 'a': caps=sigma0 and ram= belong together"},
    {"program a file=a quota=1M ram=4K", "program 'a': caps=sigma0 and ram= belong together"},
    {"program a file=\"a", "the quotation mark is not closed on this line"},
    {"program a\001", "unprintable character in the script"},
    {"program \377", "unprintable character in the script"},
};

static void every_mistake_has_its_sentence(void)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char text[512];
        int n = snprintf(text, sizeof(text), MANAGERS "%s\nprogram z file=z quota=1M\n",
                         mistakes[i].line);
        int err = parse(text, (size_t)n);

        if (err != -L4_EINVAL || error.line != 3 || strcmp(error.text, mistakes[i].text)) {
            fprintf(stderr, "'%s': %d, line %u: %s\n", mistakes[i].line, err, error.line,
                    error.text);
            abort();
        }
    }
}

static void expect(const char *text, unsigned line, const char *message)
{
    int err = parse(text, strlen(text));

    if (err != -L4_EINVAL || error.line != line || strcmp(error.text, message) != 0) {
        fprintf(stderr, "%d, line %u: %s\n", err, error.line, error.text);
        abort();
    }
}

static void mistakes_of_the_whole(void)
{
    expect("", 0, "the script starts no program");
    expect(MANAGERS, 0, "the script starts no program");
    expect("program a file=a quota=1M\n", 1,
           "default of mem: 'anon' is not a manager that stands before this line");
    expect("manager anon file=a quota=1M\nprogram a file=a quota=1M\n", 2,
           "no manager before 'a' serves the modules (one called rom, or with the word modules)");
    expect(MANAGERS "program a file=a quota=1M main\nprogram b file=b quota=1M main\n", 4,
           "there is a main program already: 'a'");
    expect(MANAGERS "program a file=a quota=1M\nprogram b file=b quota=1M mem=a\n", 4,
           "mem 'a' is a program, not a manager");
}

static void every_limit_is_crossed(void)
{
    static char text[SCRIPT_TEXT_MAX + 2];
    size_t n = 0;

    for (unsigned i = 0; i <= SCRIPT_TASKS_MAX; i++)
        n += (size_t)sprintf(text + n, "manager m%u file=m quota=1M\n", i);
    expect(text, SCRIPT_TASKS_MAX + 1, "more than 24 tasks");

    n = (size_t)sprintf(text, "manager anon file=a quota=1M modules\n"
                              "program p file=p quota=1M -- ");
    memset(text + n, 'x', 255);
    text[n + 255] = ' ';
    for (unsigned i = 1; i < 4; i++)
        memcpy(text + n + i * 256, text + n, 256);
    text[n + 4 * 256] = 0;
    expect(text, 2, "the arguments are longer than 1008 bytes");
    text[n + 1008] = 0; /* 3 * 256 + 239 + its zero */
    text[n + 1007] = ' ';
    assert(parse(text, n + 1007) == 0 && s.tasks[1].args_size == 1008);
    assert(script_add_args(&s.tasks[1], " y") == -L4_E2BIG && s.tasks[1].argc == 4);
    expect("program 0123456789012345678901234567890123456789012345678901234567890123456789"
           "012345678901234567890123456789012345678901234567890123456789012345678901234567"
           "012345678901234567890123456789012345678901234567890123456789012345678901234567"
           "012345678901234567890123456789012345678901234567890123456789012345678901234567",
           1, "word longer than 255 characters");
    memset(text, '\n', sizeof(text));
    assert(parse(text, SCRIPT_TEXT_MAX + 1) == -L4_EINVAL && error.line == 0);

    n = (size_t)sprintf(text, "manager rom file=a quota=1M\n");
    for (unsigned i = 0; i < 13; i++)
        n += (size_t)sprintf(text + n, "manager m%u file=a quota=1M\n", i);
    sprintf(text + n, "manager z file=z quota=1M caps=m0,m1,m2,m3,m4,m5,m6,m7,m8,m9,m10,m11,m12\n");
    expect(text, 15, "more than 12 capabilities in caps");
}

static void arguments_of_the_module(void)
{
    static const char text[] = MANAGERS "program a file=a quota=1M\n";

    assert(parse(text, sizeof(text) - 1) == 0);
    assert(script_add_args(&s.tasks[2], "  one two\tthree ") == 0);
    assert(s.tasks[2].argc == 3 && memcmp(s.tasks[2].args, "one\0two\0three", 14) == 0);
    assert(script_add_args(&s.tasks[2], "") == 0 && s.tasks[2].argc == 3);
}

/* S1..S4 for whatever came out. */
static void check_result(int err)
{
    unsigned mains = 0;

    if (err) {
        assert(err == -L4_EINVAL && error.text[0]);
        return;
    }
    assert(s.count <= SCRIPT_TASKS_MAX && s.main < s.count);
    for (unsigned i = 0; i < s.count; i++) {
        const struct script_task *t = &s.tasks[i];

        mains += t->main;
        assert(strlen(t->name) < SCRIPT_NAME_SIZE && t->name[0] && t->file[0]);
        assert(t->prio >= 1 && t->prio <= SCRIPT_PRIO_MAX && t->quota.value);
        assert(t->args_size <= SCRIPT_ARGS_SIZE);
        for (unsigned j = 0; j < i; j++)
            assert(strcmp(t->name, s.tasks[j].name) != 0);
        for (unsigned j = 0; j < t->cap_count; j++)
            assert(t->caps[j].source != SCRIPT_CAP_MANAGER || t->caps[j].manager < i);
        if (t->kind == SCRIPT_PROGRAM)
            assert(t->mem < i && s.tasks[t->mem].kind == SCRIPT_MANAGER && t->rom < i &&
                   s.tasks[t->rom].modules);
    }
    assert(mains == 1 && s.tasks[s.main].main);
}

static void any_noise_gives_a_script_or_an_error(void)
{
    static const char *const words[] = {
        "manager", "program", "anon", "rom", "p", "q",   "file=x", "quota=1M", "quota=5%", "prio=3",
        "caps=rom,sigma0", "ram=1M", "mem=anon", "main", "modules", "--", "\"a b\"", "#", "\n",
        "\n",
        "kmem=1M", "caps=p", "=", "\"", "\t", "manager rom file=a quota=1M\n",
        "manager anon file=a quota=1M\n",
    };
    static char text[4096];

    for (unsigned i = 0; i < 60000; i++) {
        size_t n = 0;

        for (unsigned j = random_below(40); j; j--) {
            const char *w = words[random_below(sizeof(words) / sizeof(words[0]))];

            n += (size_t)sprintf(text + n, "%s%s", w, random_below(20) ? " " : "");
        }
        for (unsigned j = random_below(3); j && n; j--)
            if (random_below(4) == 0)
                text[random_below((unsigned)n)] = (char)random_below(256);
        check_result(parse(text, n));
    }
}

int main(void)
{
    accepts_the_sample();
    the_last_program_is_main_unless_said_otherwise();
    a_program_that_starts_later_is_never_main();
    a_manager_may_begin_again();
    every_mistake_has_its_sentence();
    mistakes_of_the_whole();
    every_limit_is_crossed();
    arguments_of_the_module();
    any_noise_gives_a_script_or_an_error();
    printf("test_script: ok\n");
    return 0;
}
