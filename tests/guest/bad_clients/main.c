/*
 * bad_clients/main.c - what dataspace managers survive, and who a shared dataspace belongs to
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/dataspace.h>
#include <l4/re/c/managed.h>
#include <l4/re/c/namespace.h>
#include <l4/re/c/phys.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <string.h>

enum { PAGES = 8, SIZE = PAGES * L4_PAGESIZE, CLIENTS = 1000, SILENT = 1000, STACK = 8192 };

static const l4_addr_t window = 0x600000000;
static l4_cap_idx_t many[CLIENTS], many_ds[CLIENTS];
static char stack[STACK] __attribute__((aligned(16)));

static long touch(l4re_ds_t ds, unsigned long offset, unsigned flags)
{
    return l4re_ds_map(ds, offset, flags, window, window, window + L4_PAGESIZE);
}

/* A copy of the capability, as another task would get it. */
static l4_cap_idx_t pass(l4_cap_idx_t cap, unsigned char rights)
{
    l4_cap_idx_t copy = l4re_util_cap_alloc();

    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(cap, 0, rights),
                l4_map_obj_control(copy, 0));
    return copy;
}

/* ---------------------------------------------------------------- misuse */

static void numbers(void)
{
    static const l4_umword_t bad[] = {SIZE, SIZE + 1, 1UL << 47, 1UL << 63, ~0UL, -4096UL, -1UL};
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, SIZE, 0);
    unsigned wrong = 0;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        wrong += touch(ds, bad[i], L4RE_DS_F_R) != -L4_ERANGE;
        wrong += l4re_ds_clear(ds, bad[i], 1) != -L4_ERANGE;
        wrong += bad[i] > SIZE && l4re_ds_clear(ds, 0, bad[i]) != -L4_ERANGE;
        wrong += bad[i] > SIZE && l4re_ds_clear(ds, 4096, bad[i]) != -L4_ERANGE;
        wrong += l4re_ds_allocate(ds, bad[i], bad[i]) != -L4_ERANGE;
        wrong += l4re_ds_copy_in(ds, bad[i], ds, 0, 1) != -L4_ERANGE;
        wrong += l4re_ds_copy_in(ds, 0, ds, bad[i], 1) != -L4_ERANGE;
        wrong += bad[i] > SIZE && l4re_ds_copy_in(ds, 0, ds, 0, bad[i]) != -L4_ERANGE;
    }
    tap_eq(wrong, 0, "offsets and sizes up to 2^64 are out of range");
    l4re_util_cap_free_um(ds);
}

static void strangers(void)
{
    l4_cap_idx_t slot = l4re_util_cap_alloc();
    l4_cap_idx_t caps[] = {l4re_env()->rm, l4re_env()->main_thread, l4re_env()->factory,
                           l4re_env()->log, l4re_env()->mem_alloc, l4re_env_get_cap("rom"),
                           l4re_env_get_cap("anon"), L4_BASE_TASK_CAP};
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, SIZE, 0);
    unsigned taken = 0;

    for (unsigned i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        l4_cap_idx_t weak = pass(caps[i], L4_CAP_FPAGE_RO);

        taken += l4re_ds_copy_in(ds, 0, weak, 0, 1) == 0;
        taken += l4re_ma_snapshot(weak, slot, 0) == 0;
        l4re_util_cap_free(weak);
    }
    tap_eq(taken, 0, "what is no dataspace is no source");
    tap_eq(l4re_ds_copy_in(ds, 0, slot, 0, 1) < 0, 1, "nor is an empty slot");
    tap_eq(touch(ds, 0, L4RE_DS_F_RW), 0, "the manager goes on");
    l4re_util_cap_free(slot);
    l4re_util_cap_free_um(ds);
}

/* ---------------------------------------------------------------- each kind of dataspace */

/* One that is touched as often as one likes, and a fault there that is always refused. */
struct kind {
    const char *never, *forever, *wrong; /* sentences */
    l4re_ds_t good;
    unsigned flags; /* how it may be touched */
    l4re_ds_t bad;
    unsigned bad_flags;
    long error;
};

static long say(l4re_ds_t ds, long protocol, l4_umword_t op, unsigned words)
{
    l4_utcb_t *u = l4_utcb();

    memset(u->msg.mr, 0xff, 8 * sizeof(u->msg.mr[0]));
    u->msg.mr[0] = op;
    return l4_error_u(l4_ipc_call(ds, u, l4_msgtag(protocol, words, 0, 0), L4_IPC_NEVER), u);
}

static void wrong_messages(const struct kind *k)
{
    unsigned taken = 0;

    for (unsigned op = 0; op < 100; op++)
        for (unsigned words = 0; words < 8; words++)
            taken += op != L4RE_DS_INFO_OP && (op != L4RE_DS_RELEASE_OP || !words) &&
                     say(k->good, L4RE_PROTO_DATASPACE, op, words) >= 0;
    taken += say(k->good, L4RE_PROTO_DATASPACE, 77, 1) != -L4_ENOSYS;
    taken += say(k->good, L4RE_PROTO_DATASPACE, L4RE_DS_MAP_OP, 3) != -L4_EMSGTOOSHORT;
    taken += say(k->good, L4RE_PROTO_DATASPACE, L4RE_DS_MAP_OP, 0) != -L4_EMSGTOOSHORT;
    taken += say(k->good, 77, 0, 1) != -L4_EBADPROTO;
    taken += touch(k->good, ~0UL << L4_PAGESHIFT, L4RE_DS_F_R) != -L4_ERANGE;
    taken += touch(k->good, 1UL << 47, L4RE_DS_F_R) != -L4_ERANGE;
    tap_eq(taken, 0, k->wrong);
}

/* Requests for pages by somebody who does not wait for the answers. */
static void never_receives(const struct kind *k)
{
    l4_utcb_t *u = l4_utcb();

    for (unsigned i = 0; i < SILENT; i++) {
        u->msg.mr[0] = L4RE_DS_MAP_OP;
        u->msg.mr[1] = u->msg.mr[2] = 0;
        u->msg.mr[3] = k->flags;
        l4_ipc_send(k->good, u, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 0, 0), L4_IPC_NEVER);
    }
    tap_eq(touch(k->good, 0, k->flags), 0, k->never);
}

static const struct kind *refusing;
static volatile unsigned long refused;

L4UTIL_THREAD_STATIC_FUNC(faults_for_ever)
{
    for (;;)
        refused += touch(refusing->bad, 0, refusing->bad_flags) == refusing->error;
}

/* As important as we are: it gets every second time slice, and not one page. */
static void for_ever(const struct kind *k)
{
    l4_cap_idx_t thread = l4re_util_cap_alloc();
    l4re_env_t *env = l4re_global_env;
    bool good = true;

    refusing = k;
    refused = 0;
    memset(stack, 0, sizeof(stack));
    l4util_create_thread(thread, (l4_utcb_t *)env->first_free_utcb, env->factory,
                         (l4_umword_t)faults_for_ever, (l4_umword_t)(stack + STACK), env->rm,
                         L4_BASE_TASK_CAP, env->scheduler, l4_sched_param(100, 0));
    for (unsigned i = 0; !refused && i < 1000; i++)
        l4_ipc_sleep_ms(1);
    for (unsigned i = 0; i < 500; i++)
        good &= touch(k->good, 0, k->flags) == 0;
    l4_task_delete_obj(L4_BASE_TASK_CAP, thread);
    tap_ok(good && refused > 0, k->forever);
    l4re_util_cap_free(thread);
}

#define SENTENCES(name)                                                                            \
    .never = name ": who never receives does not keep the server waiting",                         \
    .forever = name ": who faults for ever gets errors for ever, and others their pages",          \
    .wrong = name ": what cannot be asked is refused"

static void each_kind(void)
{
    l4_cap_idx_t mine = l4re_env()->mem_alloc, poor = new_account(0);
    l4_cap_idx_t file = l4re_util_cap_alloc(), device = l4re_util_cap_alloc();
    l4_cap_idx_t control[2] = {l4re_util_cap_alloc(), l4re_util_cap_alloc()};
    l4_cap_idx_t map[2] = {l4re_util_cap_alloc(), l4re_util_cap_alloc()};
    l4re_ds_t ds = new_ds(mine, 4 * L4_PAGESIZE, 0), dry = new_ds(poor, SIZE, 0);
    l4re_ds_t shot = l4re_util_cap_alloc(), dry_shot = l4re_util_cap_alloc();
    l4_cap_idx_t weak;
    void *start = NULL;

    touch(ds, 0, L4RE_DS_F_RW);
    l4re_ma_snapshot(ds, shot, 0);
    l4re_ma_snapshot_srv(poor, ds, dry_shot, 0);
    l4re_ns_query_srv(l4re_env_get_cap("rom"), "bad_clients.elf", file);
    l4re_phys_memory(l4re_env_get_cap("phys"), SIZE, 0, 0, device);
    for (unsigned i = 0; i < 2; i++) {
        l4re_managed_create(l4re_env_get_cap("managed"), SIZE, control[i]);
        l4re_managed_dataspace(control[i], map[i]);
    }
    l4re_rm_attach_srv(control[0], &start, 4 * L4_PAGESIZE, L4RE_RM_F_RW, ds, 0, L4_PAGESHIFT);

    weak = pass(device, L4_CAP_FPAGE_RO);

    const struct kind kinds[] = {
        {SENTENCES("anon"), ds, L4RE_DS_F_RW, dry, L4RE_DS_F_RW, -L4_ENOMEM},
        {SENTENCES("a snapshot"), shot, L4RE_DS_F_RW, dry_shot, L4RE_DS_F_RW, -L4_ENOMEM},
        {SENTENCES("rom"), file, L4RE_DS_F_R, file, L4RE_DS_F_RW, -L4_EPERM},
        {SENTENCES("phys"), device, L4RE_DS_F_RW, weak, L4RE_DS_F_RW, -L4_EPERM},
        {SENTENCES("managed"), map[0], L4RE_DS_F_RW, map[1], L4RE_DS_F_R, -L4_ENOMEM},
    };

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        never_receives(&kinds[i]);
        for_ever(&kinds[i]);
        wrong_messages(&kinds[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        l4re_util_cap_free_um(control[i]);
        l4re_util_cap_free(map[i]);
    }
    l4re_util_cap_free(weak);
    l4re_util_cap_free_um(device);
    l4re_util_cap_free_um(file);
    l4re_util_cap_free_um(shot);
    l4re_util_cap_free_um(ds);
    l4re_util_cap_free(dry_shot);
    l4re_util_cap_free(dry);
    end_account(poor);
}

/* ---------------------------------------------------------------- many */

static void a_thousand(void)
{
    unsigned made = 0, mapped = 0, gone = 0;

    for (unsigned i = 0; i < CLIENTS; i++) {
        many[i] = new_account(2);
        many_ds[i] = new_ds(many[i], SIZE, 0);
        made += many_ds[i] != L4_INVALID_CAP;
    }
    tap_eq(made, CLIENTS, "a thousand clients have accounts and dataspaces");
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < CLIENTS; i++)
            mapped += touch(many_ds[i], 0, L4RE_DS_F_RW) == 0;
    tap_eq(mapped, 2 * CLIENTS, "and get pages, all of them");
    for (unsigned i = 0; i < CLIENTS; i++) {
        end_account(many[i]);
        gone += touch(many_ds[i], 0, L4RE_DS_F_R) < 0;
        l4re_util_cap_free(many_ds[i]);
    }
    tap_eq(gone, CLIENTS, "and lose them when their accounts end");
}

/* Each has read a page and written another one, which it pays for. */
static void a_thousand_snapshots(void)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, 4 * L4_PAGESIZE, 0);
    unsigned good = 0;

    for (unsigned p = 0; p < 4; p++) {
        touch(ds, p * L4_PAGESIZE, L4RE_DS_F_RW);
        *(volatile char *)window = (char)('a' + p);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        many[i] = new_account(1);
        many_ds[i] = l4re_util_cap_alloc();
        good += l4re_ma_snapshot_srv(many[i], ds, many_ds[i], 0) == 0;
    }
    tap_eq(good, CLIENTS, "a thousand clients have snapshots of the same dataspace");
    for (unsigned i = 0; i < CLIENTS; i++) {
        bool read = touch(many_ds[i], 0, L4RE_DS_F_R) == 0 && *(volatile char *)window == 'a';
        bool written = touch(many_ds[i], L4_PAGESIZE, L4RE_DS_F_RW) == 0;

        *(volatile unsigned *)window = i;
        good -= read && written && touch(many_ds[i], 0, L4RE_DS_F_RW) == -L4_ENOMEM &&
                ds_stat(many[i], L4RE_STATS_GET_OP, L4RE_DS_STATS_USED) == L4_PAGESIZE;
    }
    tap_eq(good, 0, "each can read all and write what it can pay for");
    for (unsigned i = 0; i < CLIENTS; i++)
        good += touch(many_ds[i], L4_PAGESIZE, L4RE_DS_F_R) == 0 &&
                *(volatile unsigned *)window == i;
    tap_eq(good, CLIENTS, "and sees nothing of the others");
    for (unsigned i = 0; i < CLIENTS; i++) {
        end_account(many[(i + CLIENTS / 2) % CLIENTS]);
        l4re_util_cap_free(many_ds[i]);
    }
    touch(ds, L4_PAGESIZE, L4RE_DS_F_R);
    tap_eq(*(volatile char *)window, 'b', "nor does the original");
    l4re_util_cap_free_um(ds);
}

/* Files and memory for devices, until the manager says no, and once more. */
static void more_than_there_are(void)
{
    l4_cap_idx_t rom = l4re_env_get_cap("rom"), phys = l4re_env_get_cap("phys");
    unsigned n[4] = {0};

    for (unsigned kind = 0; kind < 4; kind++) {
        long err = 0;

        for (; n[kind] < CLIENTS && err == 0; n[kind] += err == 0) {
            many_ds[n[kind]] = l4re_util_cap_alloc();
            err = kind < 2 ? l4re_ns_query_srv(rom, "rom.elf", many_ds[n[kind]])
                           : l4re_phys_memory(phys, L4_PAGESIZE, 0, 0, many_ds[n[kind]]);
        }
        for (unsigned i = 0; i < n[kind]; i++) {
            n[kind] -= touch(many_ds[i], 0, L4RE_DS_F_R) != 0;
            l4re_util_cap_free_um(many_ds[i]);
        }
    }
    tap_ok(n[0] > 300 && n[1] == n[0], "rom has files for all, to a limit, and closes them");
    tap_ok(n[2] > 100 && n[3] == n[2], "and so has phys memory");
}

/* ---------------------------------------------------------------- sharing */

static void fewer_rights(void)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, SIZE, 0);
    l4_cap_idx_t reader = pass(ds, L4_CAP_FPAGE_RO), writer = pass(ds, L4_CAP_FPAGE_RW);

    tap_eq(touch(writer, 0, L4RE_DS_F_RW), 0, "a capability with W writes");
    tap_eq(touch(reader, 0, L4RE_DS_F_RW), -L4_EPERM, "one without does not");
    tap_eq(touch(reader, 0, L4RE_DS_F_R), 0, "but reads");
    l4_task_delete_obj(L4_BASE_TASK_CAP, writer);
    tap_eq(touch(ds, 0, L4RE_DS_F_R), 0, "who has no right to delete does not end it for others");
    tap_ok(touch(writer, 0, L4RE_DS_F_R) < 0, "but drops it");
    l4_task_unmap(L4_BASE_TASK_CAP, l4_obj_fpage(ds, 0, L4_CAP_FPAGE_RWSD), L4_FP_OTHER_SPACES);
    tap_ok(touch(reader, 0, L4RE_DS_F_R) < 0, "revoked, what was passed on is worth nothing");
    tap_eq(touch(ds, 0, L4RE_DS_F_RW), 0, "to the owner it still is");
    l4re_util_cap_free(reader);
    l4re_util_cap_free(writer);
    l4re_util_cap_free_um(ds);
}

static void the_creator_dies(void)
{
    l4_cap_idx_t creator = new_account(2 * PAGES), heir = new_account(2 * PAGES);
    l4re_ds_t ds = new_ds(creator, SIZE, 0), kept = l4re_util_cap_alloc();
    l4_cap_idx_t passed = pass(ds, L4_CAP_FPAGE_RW);

    touch(ds, 0, L4RE_DS_F_RW);
    *(volatile char *)window = 'k';
    tap_eq(l4re_ma_snapshot_srv(heir, passed, kept, L4RE_MA_RESERVED), 0,
           "whoever may read a dataspace can keep what is in it");
    end_account(creator);
    tap_ok(touch(passed, 0, L4RE_DS_F_R) < 0, "when the creator dies its dataspace is gone");
    tap_eq(touch(kept, 0, L4RE_DS_F_R), 0, "what was kept is not");
    tap_eq(*(volatile char *)window, 'k', "with its contents");
    l4re_util_cap_free(ds);
    l4re_util_cap_free(passed);
    l4re_util_cap_free_um(kept);
    end_account(heir);
}

int main(void)
{
    numbers();
    strangers();
    each_kind();
    a_thousand();
    a_thousand_snapshots();
    more_than_there_are();
    fewer_rights();
    the_creator_dies();
    return tap_done();
}
