/*
 * thread.c - a thread in one call
 */
#include <l4/sys/factory.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

long l4util_create_thread(l4_cap_idx_t id, l4_utcb_t *thread_utcb, l4_cap_idx_t factory,
                          l4_umword_t pc, l4_umword_t sp, l4_cap_idx_t pager, l4_cap_idx_t task,
                          l4_cap_idx_t scheduler, l4_sched_param_t scp)
{
    long err = l4_error(l4_factory_create_thread(factory, id));

    if (err < 0)
        return err;
    l4_thread_control_start();
    l4_thread_control_pager(pager);
    l4_thread_control_exc_handler(pager);
    l4_thread_control_bind(thread_utcb, task);
    err = l4_error(l4_thread_control_commit(id));
    if (err >= 0)
        err = l4_error(l4_thread_ex_regs(id, pc, sp, 0));
    if (err >= 0)
        err = l4_error(l4_scheduler_run_thread(scheduler, id, &scp));
    if (err < 0)
        l4_task_delete_obj(L4_BASE_TASK_CAP, id);
    return err < 0 ? err : 0;
}
