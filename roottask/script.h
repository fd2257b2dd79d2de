/*
 * roottask/script.h - the boot script, as structures
 *
 * Pure: text in, structures or one readable error out. No IPC, no allocation, no libc beyond
 * memcpy and friends, so the same file runs under the host tests and the fuzzer.
 */
#pragma once

#include <abi/env.h>
#include <abi/types.h>

#include <stdbool.h>

/* Limits, each with its reason. */
enum {
    SCRIPT_TASKS_MAX = 24,    /* records in the root task, one block of capability slots each */
    SCRIPT_NAME_SIZE = 16,    /* a capability's name in the environment page, with its zero */
    SCRIPT_FILE_SIZE = 64,    /* longest module name, with its zero */
    SCRIPT_CAPS_MAX = 12,     /* named capabilities of one task */
    SCRIPT_ARGS_SIZE = QUIRE_ENV_ARGS_SIZE - SCRIPT_NAME_SIZE, /* argv[0] is the task's name */
    SCRIPT_TEXT_MAX = 64 << 10, /* a longer file is not a boot script */
    SCRIPT_RESTARTS_MAX = 1000000,   /* somebody should have a look by then */
    SCRIPT_DEADLINE_MAX = 60000,     /* milliseconds */
    SCRIPT_DEADLINE_DEFAULT = 1000,
    SCRIPT_PRIO_MAX = 253,    /* its region manager runs one above, the root task at 255 */
};

enum script_kind { SCRIPT_MANAGER, SCRIPT_PROGRAM };

/* Where a capability named in caps= comes from. */
enum script_source {
    SCRIPT_CAP_MANAGER,
    SCRIPT_CAP_SIGMA0,
    SCRIPT_CAP_DEBUGGER,
    SCRIPT_CAP_ICU,
    SCRIPT_CAP_STARTER,
};

struct script_cap {
    char name[SCRIPT_NAME_SIZE];
    enum script_source source;
    unsigned manager; /* index in script.tasks, SCRIPT_CAP_MANAGER only */
};

/* An amount of memory: bytes, or a share of what the account it comes from has left. */
struct script_amount {
    l4_umword_t value;
    bool percent; /* value is 1..100 */
};

struct script_task {
    enum script_kind kind;
    unsigned line; /* where the statement stands, from 1 */
    char name[SCRIPT_NAME_SIZE];
    char file[SCRIPT_FILE_SIZE];
    struct script_amount quota; /* manager: RAM from sigma0; program: anonymous memory */
    struct script_amount ram;   /* program: its own account at sigma0, for caps=sigma0 */
    l4_umword_t kmem;           /* kernel memory, bytes */
    unsigned prio;
    unsigned mem;     /* program: index of the manager that gives anonymous memory */
    unsigned rom;     /* program: index of the manager that serves the modules */
    unsigned restarts; /* manager: how often it begins again after its end */
    unsigned deadline; /* with restarts: milliseconds without an answer that count as an end */
    bool keep;         /* with restarts: its memory at sigma0 outlives it */
    bool modules;     /* manager: gets the boot modules and their table */
    bool main;        /* program: its exit status is the machine's */
    bool later;       /* program: waits for a holder of the starter's capability */
    unsigned cap_count;
    struct script_cap caps[SCRIPT_CAPS_MAX];
    bool has_args;    /* "--" was there: the module's own arguments do not count */
    unsigned argc;    /* strings in args, without argv[0] */
    unsigned args_size;
    char args[SCRIPT_ARGS_SIZE];
};

struct script {
    unsigned count;
    unsigned main; /* index of the main program */
    struct script_task tasks[SCRIPT_TASKS_MAX];
};

struct script_error {
    unsigned line; /* 0: the script as a whole */
    char text[160];
};

/*
 * Parse `size` bytes of `text` into *s. Returns 0, or -L4_EINVAL with the line and a sentence in
 * *error; *s is then not to be used. Any bytes are allowed as input.
 */
int script_parse(const char *text, size_t size, struct script *s, struct script_error *error);

/* Append blank-separated words of `text` to t->args. 0, or -L4_E2BIG when they do not fit. */
int script_add_args(struct script_task *t, const char *text);
