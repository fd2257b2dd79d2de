/*
 * clock/main.c - what the environment has, and time that passes
 * expect: ^slept [0-9]+ ms, and then some$
 */
#include <l4/re/env.h>
#include <l4/sys/icu.h>
#include <l4/sys/ipc.h>
#include <l4/sys/kip.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/thread.h>
#include <l4/sys/vcon.h>
#include <l4/util/rdtsc.h>
#include <l4/util/util.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const char hello[] = "straight to the log\n";
    l4_cap_idx_t rom = l4re_env_get_cap("rom"), none = l4re_env_get_cap("no such thing");
    l4_sched_cpu_set_t cpus = l4_sched_cpu_set(0, 0, 0);
    l4_umword_t cpu_max;
    l4_cpu_time_t before, after;
    l4_msgtag_t tag;

    printf("%d arguments, the first is %s\n", argc, argv[0]);
    if (l4_is_invalid_cap(rom) || !l4_is_invalid_cap(none))
        return 1;
    l4_vcon_write(l4re_env()->log, hello, strlen(hello));
    if (l4_error(l4_scheduler_info(l4re_env()->scheduler, &cpu_max, &cpus)) < 0 || cpu_max < 1)
        return 2;

    before = l4_kip_clock(l4re_kip());
    l4_usleep(3000);
    l4_sleep(4);
    tag = l4_ipc_receive(L4_INVALID_CAP, l4_utcb(),
                         l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(5000)));
    if (l4_ipc_error(tag, l4_utcb()) != L4_IPC_RETIMEOUT)
        return 3;
    after = l4_kip_clock(l4re_kip());
    printf("slept %llu ms, and then some\n", (unsigned long long)(after - before) / 1000);
    return after - before >= 12000 && after - before < 40000 ? 0 : 4;
}
