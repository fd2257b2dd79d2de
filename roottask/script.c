/*
 * roottask/script.c - the parser of the boot script
 *
 *   line -> words (blanks separate, "..." protects them, # starts a comment)
 *        -> statement word, name, then key=value and single words, "--" and arguments
 *
 * S1  Every byte sequence gives either a script that satisfies S2..S4 or one error with its line.
 * S2  Names are unique, printable, shorter than SCRIPT_NAME_SIZE.
 * S3  mem, rom and caps refer to managers that stand earlier in the script.
 * S4  There is exactly one main program.
 */
#include "script.h"

#include <abi/errors.h>

#include <string.h>

#define WORD_SIZE 256
#define BYTES_MAX (1UL << 46) /* more memory than any machine has */

struct parser {
    const char *at;
    const char *end;
    unsigned line;
    bool quoted;    /* the last word had quotes in it: it is never an operator */
    char word[WORD_SIZE];
    struct script *script;
    struct script_task *task; /* the statement being read */
    bool mem_given;
    bool main_given;
    struct script_error *error;
};

/* ---- errors ---- */

static void text_append(struct script_error *e, const char *s)
{
    size_t n = strlen(e->text);

    while (*s && n + 1 < sizeof(e->text))
        e->text[n++] = *s++;
    e->text[n] = 0;
}

/* Note the first error: "what 'word' rest". Any of the three may be null. */
static int fail_rest(struct parser *p, const char *what, const char *word, const char *rest)
{
    p->error->line = p->line;
    p->error->text[0] = 0;
    text_append(p->error, what);
    if (word) {
        text_append(p->error, " '");
        text_append(p->error, word);
        text_append(p->error, "'");
    }
    if (rest)
        text_append(p->error, rest);
    return -L4_EINVAL;
}

static int fail(struct parser *p, const char *what, const char *word)
{
    return fail_rest(p, what, word, NULL);
}

/* ---- words ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_graphic(char c)
{
    return c > ' ' && c < 127;
}

/* Read characters of one word up to a blank or the end of the line. */
static int word_scan(struct parser *p)
{
    bool inside = false;
    size_t n = 0;

    for (; p->at < p->end && *p->at != '\n'; p->at++) {
        char c = *p->at;

        if (c == '"') {
            inside = !inside;
            p->quoted = true;
            continue;
        }
        if (!inside && is_blank(c))
            break;
        if (!is_graphic(c) && c != ' ' && c != '\t')
            return fail(p, "unprintable character in the script", NULL);
        if (n + 1 >= sizeof(p->word))
            return fail(p, "word longer than 255 characters", NULL);
        p->word[n++] = c;
    }
    if (inside)
        return fail(p, "the quotation mark is not closed on this line", NULL);
    p->word[n] = 0;
    return 0;
}

/* Returns 1 with the next word of this line in p->word, 0 at its end, or an error. */
static int word_next(struct parser *p)
{
    int err;

    while (p->at < p->end && is_blank(*p->at))
        p->at++;
    p->quoted = false;
    if (p->at == p->end || *p->at == '\n')
        return 0;
    if (*p->at == '#') {
        while (p->at < p->end && *p->at != '\n')
            p->at++;
        return 0;
    }
    err = word_scan(p);
    return err ? err : 1;
}

/* ---- values ---- */

static int name_copy(struct parser *p, char *to, size_t size, const char *from, const char *what)
{
    size_t n = strlen(from);

    if (n == 0)
        return fail_rest(p, what, NULL, " is empty");
    if (n >= size)
        return fail_rest(p, what, from, " is too long");
    for (size_t i = 0; i < n; i++)
        if (!is_graphic(from[i]) || from[i] == ',' || from[i] == '=' || from[i] == '/')
            return fail_rest(p, what, from, " has a character that names must not have");
    memcpy(to, from, n + 1);
    return 0;
}

/* Decimal digits; *s moves behind them. False if there are none or the number exceeds `max`. */
static bool digits(const char **s, l4_umword_t max, l4_umword_t *value)
{
    l4_umword_t v = 0;
    const char *at = *s;

    for (; *at >= '0' && *at <= '9'; at++) {
        l4_umword_t digit = (l4_umword_t)(*at - '0');

        if (v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (at == *s)
        return false;
    *s = at;
    *value = v;
    return true;
}

static int amount(struct parser *p, const char *key, const char *text, bool percent_ok,
                  struct script_amount *out)
{
    const char *s = text;
    unsigned shift = 0;

    if (!digits(&s, BYTES_MAX, &out->value))
        return fail_rest(p, key, text, " is not a size (a number with K, M or G)");
    out->percent = percent_ok && *s == '%';
    if (out->percent) {
        if (s[1] || out->value < 1 || out->value > 100)
            return fail_rest(p, key, text, " is not a share between 1% and 100%");
        return 0;
    }
    if (*s == 'K' || *s == 'M' || *s == 'G') {
        shift = *s == 'K' ? 10 : *s == 'M' ? 20 : 30;
        s++;
    }
    if (*s || out->value > BYTES_MAX >> shift)
        return fail_rest(p, key, text, " is not a size (a number with K, M or G)");
    out->value <<= shift;
    if (out->value == 0)
        return fail_rest(p, key, NULL, " must not be zero");
    return 0;
}

/* A plain number between 1 and `max`. */
static int number(struct parser *p, const char *key, const char *value, l4_umword_t max,
                  const char *what, unsigned *out)
{
    const char *s = value;
    l4_umword_t v;

    if (!digits(&s, max, &v) || *s || v == 0)
        return fail_rest(p, key, value, what);
    *out = (unsigned)v;
    return 0;
}

/* Index of the task called `name`, or script.count. */
static unsigned task_find(const struct script *s, const char *name)
{
    unsigned i = 0;

    while (i < s->count && strcmp(s->tasks[i].name, name) != 0)
        i++;
    return i;
}

static int manager_find(struct parser *p, const char *key, const char *name, unsigned *index)
{
    unsigned i = task_find(p->script, name);

    if (i == p->script->count)
        return fail_rest(p, key, name, " is not a manager that stands before this line");
    if (p->script->tasks[i].kind != SCRIPT_MANAGER)
        return fail_rest(p, key, name, " is a program, not a manager");
    *index = i;
    return 0;
}

static bool builtin_cap(const char *name, enum script_source *source)
{
    static const struct {
        const char *name;
        enum script_source source;
    } table[] = {
        {"sigma0", SCRIPT_CAP_SIGMA0},
        {"debugger", SCRIPT_CAP_DEBUGGER},
        {"icu", SCRIPT_CAP_ICU},
        {"starter", SCRIPT_CAP_STARTER},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(name, table[i].name) == 0) {
            *source = table[i].source;
            return true;
        }
    return false;
}

static int cap_add(struct parser *p, const char *name)
{
    struct script_task *t = p->task;
    struct script_cap *cap;
    int err;

    if (t->cap_count == SCRIPT_CAPS_MAX)
        return fail(p, "more than 12 capabilities in caps", NULL);
    for (unsigned i = 0; i < t->cap_count; i++)
        if (strcmp(t->caps[i].name, name) == 0)
            return fail_rest(p, "capability", name, " is named twice");
    cap = &t->caps[t->cap_count];
    err = name_copy(p, cap->name, sizeof(cap->name), name, "capability");
    if (err)
        return err;
    if (!builtin_cap(name, &cap->source)) {
        cap->source = SCRIPT_CAP_MANAGER;
        err = manager_find(p, "capability", name, &cap->manager);
        if (err)
            return err;
    }
    t->cap_count++;
    return 0;
}

static int set_caps(struct parser *p, const char *value)
{
    char name[WORD_SIZE];

    for (;;) {
        size_t n = 0;
        int err;

        while (value[n] && value[n] != ',')
            n++;
        memcpy(name, value, n);
        name[n] = 0;
        err = cap_add(p, name);
        if (err)
            return err;
        if (!value[n])
            return 0;
        value += n + 1;
    }
}

/* ---- keys ---- */

enum key {
    KEY_FILE, KEY_PRIO, KEY_QUOTA, KEY_KMEM, KEY_MEM, KEY_RAM, KEY_CAPS, KEY_RESTART,
    KEY_DEADLINE, KEY_NUM
};

static const struct {
    const char *name;
    bool manager_has;
    bool program_has;
} keys[KEY_NUM] = {
    [KEY_FILE] = {"file", true, true},        [KEY_PRIO] = {"prio", true, true},
    [KEY_QUOTA] = {"quota", true, true},      [KEY_KMEM] = {"kmem", true, true},
    [KEY_MEM] = {"mem", false, true},         [KEY_RAM] = {"ram", false, true},
    [KEY_CAPS] = {"caps", true, true},        [KEY_RESTART] = {"restart", true, false},
    [KEY_DEADLINE] = {"deadline", true, false},
};

static int key_set(struct parser *p, enum key key, const char *value)
{
    struct script_task *t = p->task;
    struct script_amount plain;
    int err;

    switch (key) {
    case KEY_FILE:
        return name_copy(p, t->file, sizeof(t->file), value, "file");
    case KEY_PRIO:
        return number(p, "prio", value, SCRIPT_PRIO_MAX,
                      " is not a priority between 1 and 253", &t->prio);
    case KEY_QUOTA:
        return amount(p, "quota", value, true, &t->quota);
    case KEY_KMEM:
        err = amount(p, "kmem", value, false, &plain);
        if (!err)
            t->kmem = plain.value;
        return err;
    case KEY_MEM:
        p->mem_given = true;
        return manager_find(p, "mem", value, &t->mem);
    case KEY_RAM:
        return amount(p, "ram", value, true, &t->ram);
    case KEY_CAPS:
        return set_caps(p, value);
    case KEY_RESTART:
        return number(p, "restart", value, SCRIPT_RESTARTS_MAX,
                      " is not a number between 1 and 1000000", &t->restarts);
    default: /* KEY_DEADLINE */
        return number(p, "deadline", value, SCRIPT_DEADLINE_MAX,
                      " is not a number of milliseconds between 1 and 60000", &t->deadline);
    }
}

/* One "key=value" word. `seen` has one bit for each key already read. */
static int key_value(struct parser *p, char *equals, unsigned *seen)
{
    const char *name = p->word;

    *equals = 0;
    for (unsigned k = 0; k < KEY_NUM; k++) {
        if (strcmp(name, keys[k].name) != 0)
            continue;
        if (p->task->kind == SCRIPT_MANAGER && !keys[k].manager_has)
            return fail_rest(p, "a manager has no key", name, NULL);
        if (p->task->kind == SCRIPT_PROGRAM && !keys[k].program_has)
            return fail_rest(p, "a program has no key", name, NULL);
        if (*seen & 1u << k)
            return fail_rest(p, "key", name, " is given twice");
        *seen |= 1u << k;
        return key_set(p, (enum key)k, equals + 1);
    }
    return fail(p, "unknown key", name);
}

static int flag_word(struct parser *p)
{
    struct script_task *t = p->task;

    if (strcmp(p->word, "main") == 0 && t->kind == SCRIPT_PROGRAM) {
        if (p->main_given)
            return fail(p, "there is a main program already:",
                        p->script->tasks[p->script->main].name);
        t->main = true;
        p->main_given = true;
        p->script->main = p->script->count;
        return 0;
    }
    if (strcmp(p->word, "later") == 0 && t->kind == SCRIPT_PROGRAM) {
        t->later = true;
        return 0;
    }
    if (strcmp(p->word, "modules") == 0 && t->kind == SCRIPT_MANAGER) {
        t->modules = true;
        return 0;
    }
    if (strcmp(p->word, "keep") == 0 && t->kind == SCRIPT_MANAGER) {
        t->keep = true;
        return 0;
    }
    return fail_rest(p, "word", p->word, " is neither key=value nor known here");
}

/* ---- arguments ---- */

static int arg_add(struct script_task *t, const char *arg, size_t length)
{
    if (length + 1 > sizeof(t->args) - t->args_size)
        return -L4_E2BIG;
    memcpy(t->args + t->args_size, arg, length);
    t->args[t->args_size + length] = 0;
    t->args_size += (unsigned)length + 1;
    t->argc++;
    return 0;
}

static int args_read(struct parser *p)
{
    int more;

    p->task->has_args = true;
    while ((more = word_next(p)) > 0)
        if (arg_add(p->task, p->word, strlen(p->word)) < 0)
            return fail(p, "the arguments are longer than 1008 bytes", NULL);
    return more;
}

int script_add_args(struct script_task *t, const char *text)
{
    while (*text) {
        size_t n = 0;

        while (is_blank(*text))
            text++;
        while (text[n] && !is_blank(text[n]))
            n++;
        if (n && arg_add(t, text, n) < 0)
            return -L4_E2BIG;
        text += n;
    }
    return 0;
}

/* ---- statements ---- */

static int statement_name(struct parser *p)
{
    static const char *const taken[] = {"kernel", "sigma0",  "roottask", "rm",
                                        "icu",    "debugger", "parent", "starter"};
    int more = word_next(p);
    int err;

    if (more < 0)
        return more;
    if (more == 0)
        return fail(p, "the statement has no name", NULL);
    err = name_copy(p, p->task->name, sizeof(p->task->name), p->word, "name");
    if (err)
        return err;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (strcmp(p->task->name, taken[i]) == 0)
            return fail_rest(p, "name", p->task->name, " belongs to the system");
    if (task_find(p->script, p->task->name) < p->script->count)
        return fail_rest(p, "name", p->task->name, " is used twice");
    return 0;
}

/* Which manager serves the modules: the one with the word, else the one called rom. */
static unsigned rom_find(const struct script *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->tasks[i].modules)
            return i;
    return s->count;
}

static const char *const kind_text[] = {[SCRIPT_MANAGER] = "manager", [SCRIPT_PROGRAM] = "program"};

static int statement_check(struct parser *p)
{
    struct script_task *t = p->task;
    bool wants_sigma0 = false;

    if (!t->file[0])
        return fail_rest(p, kind_text[t->kind], t->name, " lacks file=");
    if (t->quota.value == 0)
        return fail_rest(p, kind_text[t->kind], t->name, " lacks quota=");
    if (t->kind == SCRIPT_MANAGER) {
        if (strcmp(t->name, "rom") == 0)
            t->modules = true;
        if (!t->restarts && (t->deadline || t->keep))
            return fail_rest(p, "manager", t->name, ": deadline= and keep belong to restart=");
        if (t->restarts && !t->deadline)
            t->deadline = SCRIPT_DEADLINE_DEFAULT;
        return 0;
    }
    if (t->main && t->later)
        return fail_rest(p, "program", t->name, ": the main program cannot start later");
    for (unsigned i = 0; i < t->cap_count; i++)
        wants_sigma0 = wants_sigma0 || t->caps[i].source == SCRIPT_CAP_SIGMA0;
    if (wants_sigma0 != (t->ram.value != 0))
        return fail_rest(p, "program", t->name, ": caps=sigma0 and ram= belong together");
    if (!p->mem_given) {
        int err = manager_find(p, "default of mem:", "anon", &t->mem);

        if (err)
            return err;
    }
    t->rom = rom_find(p->script);
    if (t->rom == p->script->count)
        return fail_rest(p, "no manager before", t->name,
                         " serves the modules (one called rom, or with the word modules)");
    return 0;
}

static int statement_words(struct parser *p)
{
    unsigned seen = 0;
    int more;

    while ((more = word_next(p)) > 0) {
        char *equals = strchr(p->word, '=');
        int err;

        if (strcmp(p->word, "--") == 0 && !p->quoted && p->task->kind == SCRIPT_PROGRAM)
            return args_read(p);
        err = equals ? key_value(p, equals, &seen) : flag_word(p);
        if (err)
            return err;
    }
    return more;
}

static int statement(struct parser *p, enum script_kind kind)
{
    struct script_task *t;
    int err;

    if (p->script->count == SCRIPT_TASKS_MAX)
        return fail(p, "more than 24 tasks", NULL);
    t = &p->script->tasks[p->script->count];
    memset(t, 0, sizeof(*t));
    t->kind = kind;
    t->line = p->line;
    t->prio = kind == SCRIPT_MANAGER ? 200 : 100;
    t->kmem = kind == SCRIPT_MANAGER ? 2UL << 20 : 1UL << 20;
    p->task = t;
    p->mem_given = false;
    if ((err = statement_name(p)) != 0 || (err = statement_words(p)) != 0)
        return err;
    err = statement_check(p);
    if (err)
        return err;
    if (kind == SCRIPT_PROGRAM && !p->main_given && !t->later)
        p->script->main = p->script->count;
    p->script->count++;
    return 0;
}

static int line_parse(struct parser *p)
{
    int more = word_next(p);

    if (more <= 0)
        return more;
    if (strcmp(p->word, "manager") == 0)
        return statement(p, SCRIPT_MANAGER);
    if (strcmp(p->word, "program") == 0)
        return statement(p, SCRIPT_PROGRAM);
    return fail_rest(p, "unknown statement", p->word, " (manager or program)");
}

/* The whole script: is there anything to run, and is its end the machine's end? */
static int script_finish(struct parser *p)
{
    struct script *s = p->script;

    p->line = 0;
    for (unsigned i = 0; i < s->count; i++)
        if (s->tasks[i].kind == SCRIPT_PROGRAM && !s->tasks[i].later) {
            s->tasks[s->main].main = true;
            return 0;
        }
    return fail(p, "the script starts no program", NULL);
}

int script_parse(const char *text, size_t size, struct script *s, struct script_error *error)
{
    struct parser p = {.at = text, .end = text + size, .line = 1, .script = s, .error = error};
    int err;

    s->count = 0;
    s->main = 0;
    error->line = 0;
    error->text[0] = 0;
    if (size > SCRIPT_TEXT_MAX) {
        p.line = 0;
        return fail(&p, "the script is longer than 64 KiB", NULL);
    }
    while (p.at < p.end) {
        if ((err = line_parse(&p)) != 0)
            return err;
        if (p.at < p.end)
            p.at++; /* the newline */
        p.line++;
    }
    return script_finish(&p);
}
